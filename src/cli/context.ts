import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { type ClientOptions, createClient, type RollcallClient } from "../client/index.ts";
import { CliError, EXIT, type ExitCode, inputError, usageError } from "./exit.ts";
import { Output } from "./output.ts";
import type { Platform } from "./platform.ts";
import { readSettings, SETTINGS_FILE } from "./settings.ts";

/** Options that every command has which speaks to the edge. */
export interface EdgeOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  /** The settings file, of commands that have the option. */
  readonly config?: string;
}

/** What a command may want otherwise about its client. */
export type Tuning = Partial<Pick<ClientOptions, "send" | "now" | "timeoutMs" | "userAgent">>;

/**
 * What a command is given. Each file in commands/ exports one function that takes this and returns the finished
 * commander `Command`; program.ts registers it:
 *
 *     export function statusCommand(cli: Cli): Command {
 *       return cli.edgeCommand("status", "show …").argument("[domain]").action(async (domain, options) => { … });
 *     }
 *
 * An action ends by returning (exit code 0, or what {@link Cli.finish} was given) or by throwing; program.ts
 * turns whatever was thrown into words and an exit code.
 */
export class Cli {
  readonly platform: Platform;
  readonly output: Output;
  exitCode: ExitCode = EXIT.done;
  /** Origins whose traffic others can read, and that were warned of. */
  readonly #warnedOf = new Set<string>();

  constructor(platform: Platform, json: boolean) {
    this.platform = platform;
    this.output = new Output(platform, json);
  }

  /** A command that does not speak to the edge. It has `--json`, like all; program.ts points errors to its help. */
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

  /** A command that speaks to the edge: with `--url` and `--token-file` besides. */
  edgeCommand(name: string, description: string): Command {
    return this.command(name, description)
      .addOption(new Option("--url <url>", `the edge (default: ROLLCALL_URL, then url in ${SETTINGS_FILE})`))
      .addOption(new Option("--token-file <file>", "file that holds the token (default: ROLLCALL_TOKEN)"));
  }

  /**
   * The edge's URL: of the options, else of the environment, else of the settings file.
   * @throws CliError exit 2, or 3 for a settings file that cannot be used
   */
  url(options: EdgeOptions): string {
    const url = options.url ?? (this.platform.env.ROLLCALL_URL || this.#urlOfSettings(options.config));
    if (!url) {
      throw usageError(
        "no edge is named",
        `set ROLLCALL_URL, give --url https://rollcall.example.org, or write url = "https://…" into ${SETTINGS_FILE}`,
      );
    }
    this.#checkUrl(url);
    return url;
  }

  #urlOfSettings(file = SETTINGS_FILE): string | undefined {
    return readSettings(this.path(file), file)?.url;
  }

  /** The client of the edge that the options or the environment name. @throws CliError exit 2 or 3 */
  client(options: EdgeOptions, tuning: Tuning = {}): RollcallClient {
    const { platform } = this;
    return createClient({
      url: this.url(options),
      token: this.token(options),
      fetch: platform.fetch,
      now: platform.now,
      sleep: platform.sleep,
      ...tuning,
    });
  }

  /** Sets the exit code of a command that did its work and has bad news, such as a stale list. */
  finish(code: ExitCode): void {
    this.exitCode = code;
  }

  /** An absolute path. */
  path(file: string): string {
    return resolve(this.platform.cwd, file);
  }

  /**
   * Asks a yes-or-no question; no is the default.
   * @throws CliError exit 5 where nobody can be asked, or the answer was not yes
   */
  async confirm(question: string): Promise<void> {
    if (!this.platform.canAsk) throw nobodyToAsk();
    const reply = await this.platform.ask(`${question} [y/N] `);
    if (!/^(?:y|yes)$/i.test(reply.trim())) throw notConfirmed();
  }

  /**
   * Has a name typed, for a step that a quick "y" must not take.
   * @throws CliError exit 5 where nobody can be asked, or something else was typed
   */
  async confirmByName(question: string, name: string): Promise<void> {
    if (!this.platform.canAsk) throw nobodyToAsk();
    const reply = await this.platform.ask(`${question} Type ${name} to go ahead: `);
    if (reply.trim().toLowerCase() !== name) throw notConfirmed();
  }

  #checkUrl(text: string): void {
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      throw usageError(`"${text}" is no URL`, "write it in full, such as https://rollcall.example.org");
    }
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      throw usageError(
        `"${text}" is no http(s) URL`,
        "write it in full, such as https://rollcall.example.org",
      );
    }
    const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
    if (url.protocol === "http:" && !loopback && !this.#warnedOf.has(url.origin)) {
      this.#warnedOf.add(url.origin);
      this.output.warn(`${url.origin} is not https: the token crosses the network in the clear`);
    }
  }

  /** The token that the options or the environment name. @throws CliError exit 2 or 3 */
  token(options: EdgeOptions): string {
    const token =
      options.tokenFile === undefined
        ? this.platform.env.ROLLCALL_TOKEN?.trim()
        : readTokenFile(this.path(options.tokenFile), options.tokenFile);
    if (!token) {
      throw usageError(
        "no token is given",
        "set ROLLCALL_TOKEN, or name a file with --token-file; `rollcall token create` makes one",
      );
    }
    // Header values must be visible ASCII; said here, since fetch would say it without a word about the token.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw usageError("the token has characters that no token has", "copy it again, whole and on one line");
    }
    return token;
  }
}

const nobodyToAsk = (): CliError =>
  new CliError(
    EXIT.unconfirmed,
    "not confirmed: there is no terminal to ask at",
    "add --yes to go ahead without asking",
  );

const notConfirmed = (): CliError => new CliError(EXIT.unconfirmed, "not confirmed: nothing was changed");

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
