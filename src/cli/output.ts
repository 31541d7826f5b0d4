import { existsSync } from "node:fs";
import cliProgress from "cli-progress";
import pico from "picocolors";
import { plural } from "../directory/index.ts";
import type { CliError } from "./exit.ts";
import { installedFiles } from "./installed.ts";
import type { Platform } from "./platform.ts";

/** Steps shorter than this get no progress bar. */
const PROGRESS_AFTER_MS = 1_000;

/**
 * What the command prints. Results go to standard output: lines of text, or with `--json` exactly one JSON document,
 * either the result or `{"error": …}`. Everything else goes to standard error.
 */
export class Output {
  readonly json: boolean;
  /** Colours for standard output. */
  readonly colors: ReturnType<typeof pico.createColors>;
  readonly #errorColors: ReturnType<typeof pico.createColors>;
  readonly #platform: Platform;
  /** Where the Debian package has the pages; null if it is not installed. */
  readonly #pages: string | null;
  #bar: cliProgress.SingleBar | null = null;
  #stepStarted: number | null = null;

  constructor(platform: Platform, json: boolean) {
    const { env } = platform;
    const wanted = (terminal: boolean): boolean =>
      !env.NO_COLOR && (Boolean(env.FORCE_COLOR) || (terminal && env.TERM !== "dumb"));
    this.json = json;
    this.colors = pico.createColors(wanted(platform.stdoutIsTerminal) && !json);
    this.#errorColors = pico.createColors(wanted(platform.stderrIsTerminal));
    this.#platform = platform;
    const { pages } = installedFiles(platform.root);
    this.#pages = existsSync(pages) ? pages : null;
  }

  /** Prints a line of the result; nothing with `--json`. */
  line(text = ""): void {
    if (this.json) return;
    this.#endStep();
    this.#platform.write(`${harmless(this.located(text))}\n`);
  }

  /** Prints the result for `--json`; nothing without. Call it once per command. */
  result(value: unknown): void {
    if (this.json) this.#platform.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** Prints a remark on standard error, with and without `--json`. */
  note(text: string): void {
    this.#endStep();
    this.#platform.writeError(`${harmless(this.located(text))}\n`);
  }

  warn(text: string): void {
    this.note(`${this.#errorColors.yellow("warning:")} ${text}`);
  }

  /** Prints what is wrong and what to do next. */
  error({ message, hint, details, exit }: CliError): void {
    this.failure(message, details, hint);
    this.result({ error: { message, hint, details, exit } });
  }

  /** Prints what is wrong and what to do next, of a part of the work that does not end the rest. */
  failure(message: string, details: readonly string[], hint: string | null): void {
    const { red, dim } = this.#errorColors;
    this.note(`${red("error:")} ${message}`);
    for (const detail of details) this.note(`  ${detail}`);
    if (hint !== null) this.note(`${dim("what to do:")} ${hint}`);
  }

  /** A text whose pages and files are named by where the package has them. */
  located(text: string): string {
    if (this.#pages === null) return text;
    return text
      .replaceAll(/(?<![\w/.])docs\/(?=[\w/-]+\.md)/g, `${this.#pages}/`)
      .replaceAll(/(?<![\w/.])packaging\/tmpfiles\.d\//g, "/usr/lib/tmpfiles.d/");
  }

  /** Prints rows in columns as wide as their widest cell. Cells may be coloured. */
  table(rows: readonly (readonly string[])[]): void {
    const widths: number[] = [];
    for (const row of rows) {
      row.forEach((cell, i) => {
        widths[i] = Math.max(widths[i] ?? 0, visibleLength(cell));
      });
    }
    for (const row of rows) {
      const cells = row.map((cell, i) =>
        i === row.length - 1 ? cell : cell + " ".repeat((widths[i] as number) - visibleLength(cell)),
      );
      this.line(cells.join("  ").trimEnd());
    }
  }

  /**
   * Shows how far a step of the work is, 0 to 1, on a terminal: as a bar, once the step has taken a second. The bar
   * disappears when the step ends or another line is printed.
   */
  readonly step = (label: string, done: number): void => {
    const platform = this.#platform;
    if (!platform.stderrIsTerminal) return;
    if (done === 0 || done === 1) this.#endStep();
    if (done === 1) return;
    this.#stepStarted ??= platform.now();
    if (this.#bar === null && platform.now() - this.#stepStarted > PROGRESS_AFTER_MS) {
      this.#bar = new cliProgress.SingleBar(
        { format: `${label} {bar} {percentage} %`, stream: platform.stderr, clearOnComplete: true },
        cliProgress.Presets.shades_grey,
      );
      this.#bar.start(1, done);
    }
    this.#bar?.update(done);
  };

  #endStep(): void {
    this.#bar?.stop();
    this.#bar = null;
    this.#stepStarted = null;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const COLOURS = /\u001b\[[0-9;]*m/g;

/**
 * Control characters, and those that turn the direction, which a list might send to the terminal. Colours and several lines are
 * the command's own: server-texts.ts takes them out of what an edge sends.
 */
const CONTROLS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what it looks for
  /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\u001b(?!\[[0-9;]*m)/g;

const harmless = (text: string): string => text.replace(CONTROLS, "?");

const visibleLength = (text: string): number => text.replace(COLOURS, "").length;

/** `3 s`, `5 min`, `2 h`, `3 d`: a duration in its largest whole unit. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `2026-07-01 12:00:00Z`. */
export const instant = (ms: number): string =>
  new Date(ms).toISOString().replace("T", " ").replace(/\.\d+/, "");

/** When mail is refused that was accepted until now. @param from Unix milliseconds; left out: nothing defers it */
export const refusedFrom = (from?: number): string =>
  from === undefined ? "refused at once" : `deferred, and refused after ${instant(from)}`;

/** `512 octets`, `12 kB`, `1.5 MB`. */
export function octets(count: number): string {
  if (count < 1_000) return plural(count, "octet");
  if (count < 1e6) return `${Math.round(count / 1_000)} kB`;
  return `${(count / 1e6).toFixed(1)} MB`;
}

export { plural };
