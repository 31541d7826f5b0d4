import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { type ClientOptions, createClient, type RollcallClient, sendByFetch } from "../client/index.ts";
import { isLoopback } from "../runtime/loopback.ts";
import { connectionsTo, readCertificates } from "./edge-connections.ts";
import { CliError, EXIT, type ExitCode, inputError, usageError } from "./exit.ts";
import { firstOf, type InstalledFiles, installedFiles, isReadable, readEnvironment } from "./installed.ts";
import { Output } from "./output.ts";
import type { Platform } from "./platform.ts";
import { withPlainTexts } from "./server-texts.ts";
import { readSettings, SETTINGS_FILE, type Settings } from "./settings.ts";

/** Options of every command that talks to the edge. */
export interface EdgeOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  /** PEM file of further certificate authorities. */
  readonly caFile?: string;
  /** The settings file. */
  readonly config?: string;
  /** Whether the command asks as the mail host does: it prefers the bridge's token to that of sync. */
  readonly asMailHost?: boolean;
}

/** What a command may change about its client. */
export type Tuning = Partial<Pick<ClientOptions, "token" | "send" | "now" | "timeoutMs" | "userAgent">>;

/**
 * What every command receives. Each file in commands/ exports one function that takes this and returns the finished
 * commander `Command`; program.ts registers it:
 *
 *     export function statusCommand(cli: Cli): Command {
 *       return cli.edgeCommand("status", "show …").argument("[domain]").action(async (domain, options) => { … });
 *     }
 *
 * An action ends by returning (exit code 0, or the one passed to {@link Cli.finish}) or by throwing; program.ts turns
 * the error into a message and an exit code.
 */
export class Cli {
  readonly platform: Platform;
  readonly output: Output;
  /** The files of the packages. */
  readonly installed: InstalledFiles;
  exitCode: ExitCode = EXIT.done;
  /** Origins without encryption for which a warning was printed. */
  readonly #warnedOf = new Set<string>();
  /** What was said about files of the packages. */
  readonly #said = new Set<string>();

  constructor(platform: Platform, json: boolean) {
    this.platform = platform;
    this.output = new Output(platform, json);
    this.installed = installedFiles(platform.root);
  }

  /** A command that does not talk to the edge. Like every command, it has `--json`. */
  command(name: string, description: string): Command {
    const { platform } = this;
    return new Command(name)
      .description(description)
      .option("--json", "print the result as one JSON document")
      .exitOverride()
      .allowExcessArguments(false)
      .configureOutput({
        writeOut: (text) => platform.write(text),
        writeErr: (text) => platform.writeError(text),
      });
  }

  /** A command that talks to the edge: it also has `--url`, `--token-file`, `--config` and `--ca-file`. */
  edgeCommand(name: string, description: string): Command {
    return this.clientCommand(name, description).addOption(
      new Option(
        "--ca-file <file>",
        "PEM file of further certificate authorities, for the edge and for a proxy",
      ),
    );
  }

  /** The same without `--ca-file`, for the bridge, whose settings have it. */
  clientCommand(name: string, description: string): Command {
    return this.command(name, description)
      .addOption(
        new Option("--url <url>", `URL of the edge (default: ROLLCALL_URL, then url in ${SETTINGS_FILE})`),
      )
      .addOption(
        new Option(
          "--token-file <file>",
          "file with the token (default: ROLLCALL_TOKEN, then that of the package)",
        ),
      )
      .addOption(configOption());
  }

  /**
   * The edge's URL: from the options, or else the environment, or else the settings file.
   * @throws CliError exit 2, or 3 for a settings file that cannot be used
   */
  url(options: EdgeOptions): string {
    const { env } = this.platform;
    const url = options.url ?? (env.ROLLCALL_URL || this.#configuredUrl(options));
    if (!url) {
      const { settings } = this.installed;
      const isHidden = existsSync(settings) && !isReadable(settings);
      throw usageError(
        "no edge is given",
        isHidden
          ? `run this as root, to use ${settings}; or pass --url`
          : `set ROLLCALL_URL, pass --url https://rollcall.example.org, or add url = "https://…" to ${SETTINGS_FILE}`,
      );
    }
    this.#checkUrl(url);
    return url;
  }

  /**
   * The settings of a file that is named, of the one in the working directory, or else of the package's.
   * @returns null if there is no such file
   * @throws CliError exit 3
   */
  settings(named: string | undefined): Settings | null {
    const file = this.settingsFile(named);
    const settings = readSettings(this.path(file), file);
    if (settings === null && named !== undefined) throw inputError(`there is no ${file}`, "check --config");
    if (settings !== null && named === undefined && file === this.installed.settings) {
      this.#say(`using the settings of ${file}`);
    }
    if (this.#isInstalled(file)) this.#addEnvironment();
    return settings;
  }

  /** The settings file as {@link Cli.settings} chooses it; it may not exist. */
  settingsFile(named: string | undefined): string {
    if (named !== undefined) return named;
    if (existsSync(this.path(SETTINGS_FILE))) return SETTINGS_FILE;
    return isReadable(this.installed.settings) ? this.installed.settings : SETTINGS_FILE;
  }

  /** Whether a settings file is the package's, and a person runs the command: a service has what it needs. */
  #isInstalled(file: string): boolean {
    return this.path(file) === this.installed.settings && !this.platform.env.CREDENTIALS_DIRECTORY;
  }

  #addEnvironment(): void {
    const { environment } = this.installed;
    try {
      this.platform.addToEnvironment(readEnvironment(environment));
    } catch (error) {
      this.output.warn(
        `cannot read ${environment}, so its variables are not set: ${(error as Error).message}`,
      );
    }
  }

  /** The URL of the settings file, or of the package's environment, which is read with it. */
  #configuredUrl({ config }: EdgeOptions): string | undefined {
    const settings = this.settings(config);
    return this.platform.env.ROLLCALL_URL || settings?.url;
  }

  /** Says once which file of the packages is in use. */
  #say(what: string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    this.output.note(what);
  }

  /** The client of the edge that the options or the environment name. @throws CliError exit 2 or 3 */
  client(options: EdgeOptions, tuning: Tuning = {}): RollcallClient {
    const { platform } = this;
    const url = this.url(options);
    const own = tuning.send === undefined ? connectionsTo(platform, url, this.#certificates(options)) : null;
    return createClient({
      url,
      token: this.token(options),
      fetch: platform.fetch,
      send: withPlainTexts(own?.send ?? sendByFetch(platform)),
      now: platform.now,
      sleep: platform.sleep,
      ...tuning,
    });
  }

  #certificates({ caFile }: EdgeOptions): string | null {
    return caFile === undefined ? null : readCertificates(this.path(caFile), "--ca-file", caFile);
  }

  /** Sets the exit code of a command that did its work but found a problem, such as a stale list. */
  finish(code: ExitCode): void {
    this.exitCode = code;
  }

  /** An absolute path. */
  path(file: string): string {
    return resolve(this.platform.cwd, file);
  }

  /** Asks a yes-or-no question; the default is no. @throws CliError exit 5 without a terminal or a yes */
  confirm(question: string): Promise<void> {
    return this.#confirm(`${question} [y/N] `, (reply) => reply === "y" || reply === "yes");
  }

  /** Asks the user to type a name, for a step that a quick "y" must not confirm. @throws CliError exit 5 */
  confirmByName(question: string, name: string): Promise<void> {
    return this.#confirm(`${question} Type ${name} to continue: `, (reply) => reply === name);
  }

  async #confirm(question: string, isYes: (reply: string) => boolean): Promise<void> {
    const { canAsk, ask } = this.platform;
    if (!canAsk) {
      const message = "not confirmed: there is no terminal to ask on";
      throw new CliError(EXIT.unconfirmed, message, "add --yes to continue without asking");
    }
    if (isYes((await ask(question)).trim().toLowerCase())) return;
    throw new CliError(EXIT.unconfirmed, "not confirmed: nothing was changed");
  }

  #checkUrl(text: string): void {
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      throw usageError(`"${text}" is not a URL`, "write it in full, such as https://rollcall.example.org");
    }
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      throw usageError(
        `"${text}" is not an http(s) URL`,
        "write it in full, such as https://rollcall.example.org",
      );
    }
    if (url.protocol === "http:" && !isLoopback(url.hostname) && !this.#warnedOf.has(url.origin)) {
      this.#warnedOf.add(url.origin);
      this.output.warn(`${url.origin} is not https: the token is sent unencrypted`);
    }
  }

  /**
   * The token from the options, or else the environment, the credential `token` of a systemd service, or the package's.
   * @throws CliError exit 2 or 3
   */
  token(options: EdgeOptions): string {
    const { ROLLCALL_TOKEN, CREDENTIALS_DIRECTORY: credentials } = this.platform.env;
    let token = ROLLCALL_TOKEN?.trim();
    if (options.tokenFile !== undefined) {
      token = readTokenFile(this.path(options.tokenFile), options.tokenFile);
    } else if (!token && credentials && existsSync(join(credentials, "token"))) {
      token = readTokenFile(join(credentials, "token"), "$CREDENTIALS_DIRECTORY/token");
    } else if (!token) {
      const file = this.installedToken(options);
      if (file !== null)
        token = readTokenFile(file, file, "run this as root, as which the packages store it");
      if (file !== null) this.#say(`using the token of ${file}`);
    }
    if (!token) {
      const other = firstOf([this.installed.publishToken, this.installed.token]);
      const only = other === null ? "" : `; ${other} is used only for the edge of ${this.installed.settings}`;
      throw usageError(
        "no token is given",
        `set ROLLCALL_TOKEN, or name a file with --token-file; create one with \`rollcall token create\`${only}`,
      );
    }
    // Header values must be visible ASCII. Checked here, since the error of fetch does not mention the token.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw usageError("the token contains invalid characters", "copy it again, complete and on one line");
    }
    return token;
  }

  /** The package's token, if the command uses its settings and asks their edge. @returns null if there is none */
  installedToken(options: EdgeOptions): string | null {
    if (!this.#isInstalled(this.settingsFile(options.config))) return null;
    const configured = this.settings(options.config)?.url;
    const origin = (url: string): string => new URL(url).origin;
    // Another edge must not see it.
    if (configured === undefined || origin(configured) !== origin(this.url(options))) return null;
    const { token, publishToken } = this.installed;
    return firstOf(options.asMailHost ? [token, publishToken] : [publishToken, token]);
  }
}

/** `--config`, which every command has that reads settings. */
export const configOption = (): Option =>
  new Option("--config <file>", `settings file (default: ${SETTINGS_FILE} here, then that of the package)`);

function readTokenFile(path: string, shown: string, hint = "check --token-file"): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw inputError(`cannot read the token file ${shown}: ${(error as Error).message}`, hint);
  }
}
