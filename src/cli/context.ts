import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { type ClientOptions, createClient, type RollcallClient, sendByFetch } from "../client/index.ts";
import { isLoopback } from "../runtime/loopback.ts";
import { connectionsTo, readCertificates } from "./edge-connections.ts";
import { CliError, EXIT, type ExitCode, inputError, usageError } from "./exit.ts";
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
  /** The settings file, for commands that have the option. */
  readonly config?: string;
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
  exitCode: ExitCode = EXIT.done;
  /** Origins without encryption for which a warning was printed. */
  readonly #warnedOf = new Set<string>();

  constructor(platform: Platform, json: boolean) {
    this.platform = platform;
    this.output = new Output(platform, json);
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

  /** A command that talks to the edge: it also has `--url`, `--token-file` and `--ca-file`. */
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
      .addOption(new Option("--token-file <file>", "file with the token (default: ROLLCALL_TOKEN)"));
  }

  /**
   * The edge's URL: from the options, or else the environment, or else the settings file.
   * @throws CliError exit 2, or 3 for a settings file that cannot be used
   */
  url(options: EdgeOptions): string {
    const url = options.url ?? (this.platform.env.ROLLCALL_URL || this.settings(options.config)?.url);
    if (!url) {
      throw usageError(
        "no edge is given",
        `set ROLLCALL_URL, pass --url https://rollcall.example.org, or add url = "https://…" to ${SETTINGS_FILE}`,
      );
    }
    this.#checkUrl(url);
    return url;
  }

  /**
   * The settings of a file that is named, or of the one in the working directory, if there is one.
   * @throws CliError exit 3
   */
  settings(named: string | undefined): Settings | null {
    const file = named ?? SETTINGS_FILE;
    const settings = readSettings(this.path(file), file);
    if (settings === null && named !== undefined) throw inputError(`there is no ${file}`, "check --config");
    return settings;
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
   * The token from the options, or else the environment, or else the credential `token` of a systemd service.
   * @throws CliError exit 2 or 3
   */
  token(options: EdgeOptions): string {
    const { ROLLCALL_TOKEN, CREDENTIALS_DIRECTORY: credentials } = this.platform.env;
    let token = ROLLCALL_TOKEN?.trim();
    if (options.tokenFile !== undefined) {
      token = readTokenFile(this.path(options.tokenFile), options.tokenFile);
    } else if (!token && credentials && existsSync(join(credentials, "token"))) {
      token = readTokenFile(join(credentials, "token"), "$CREDENTIALS_DIRECTORY/token");
    }
    if (!token) {
      throw usageError(
        "no token is given",
        "set ROLLCALL_TOKEN, or name a file with --token-file; create one with `rollcall token create`",
      );
    }
    // Header values must be visible ASCII. Checked here, since the error of fetch does not mention the token.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw usageError("the token contains invalid characters", "copy it again, complete and on one line");
    }
    return token;
  }
}

function readTokenFile(path: string, shown: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw inputError(
      `cannot read the token file ${shown}: ${(error as Error).message}`,
      "check --token-file",
    );
  }
}
