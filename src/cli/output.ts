import cliProgress from "cli-progress";
import pico from "picocolors";
import type { CliError } from "./exit.ts";
import type { Platform } from "./platform.ts";

/** Work that ends before this is not worth a bar. */
const PROGRESS_AFTER_MS = 1_000;

/**
 * What the command says. Results go to standard output: lines for people, or with `--json` exactly one JSON
 * document, be it the result or `{"error": …}`. All else goes to standard error.
 */
export class Output {
  readonly json: boolean;
  /** Colours for standard output. */
  readonly colors: ReturnType<typeof pico.createColors>;
  readonly #errorColors: ReturnType<typeof pico.createColors>;
  readonly #platform: Platform;

  constructor(platform: Platform, json: boolean) {
    const { env } = platform;
    const wanted = (terminal: boolean): boolean =>
      !env.NO_COLOR && (Boolean(env.FORCE_COLOR) || (terminal && env.TERM !== "dumb"));
    this.json = json;
    this.colors = pico.createColors(wanted(platform.stdoutIsTerminal) && !json);
    this.#errorColors = pico.createColors(wanted(platform.stderrIsTerminal));
    this.#platform = platform;
  }

  /** A line of the result, for people; nothing with `--json`. */
  line(text = ""): void {
    if (!this.json) this.#platform.write(`${harmless(text)}\n`);
  }

  /** The result, for `--json`; nothing without. Call it once in a command. */
  result(value: unknown): void {
    if (this.json) this.#platform.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** A remark on standard error, with and without `--json`. */
  note(text: string): void {
    this.#platform.writeError(`${harmless(text)}\n`);
  }

  warn(text: string): void {
    this.note(`${this.#errorColors.yellow("warning:")} ${text}`);
  }

  /** What is wrong and what to do next. */
  error(error: CliError): void {
    const { red, dim } = this.#errorColors;
    this.note(`${red("error:")} ${error.message}`);
    for (const detail of error.details) this.note(`  ${detail}`);
    if (error.hint !== null) this.note(`${dim("what to do:")} ${error.hint}`);
    const { message, hint, details, exit } = error;
    this.result({ error: { message, hint, details, exit } });
  }

  /** Rows in columns as wide as their widest cell; cells may be coloured. */
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
   * Does work under a progress bar, which shows itself once the work has taken a second, at a terminal only.
   * @param work reports the share that is done, 0 to 1
   */
  async withProgress<T>(label: string, work: (update: (done: number) => void) => Promise<T>): Promise<T> {
    const platform = this.#platform;
    if (!platform.stderrIsTerminal) return work(() => undefined);
    const started = platform.now();
    let bar: cliProgress.SingleBar | null = null;
    try {
      return await work((done) => {
        if (bar === null && platform.now() - started > PROGRESS_AFTER_MS) {
          bar = new cliProgress.SingleBar(
            { format: `${label} {bar} {percentage} %`, stream: platform.stderr, clearOnComplete: true },
            cliProgress.Presets.shades_grey,
          );
          bar.start(1, done);
        }
        bar?.update(done);
      });
    } finally {
      (bar as cliProgress.SingleBar | null)?.stop();
    }
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const COLOURS = /\u001b\[[0-9;]*m/g;

/** Controls that a list, a note or an edge might send to the terminal; colours alone may pass. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what it looks for
const CONTROLS = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]|\u001b(?!\[[0-9;]*m)/g;

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

/** `1 name`, `2 names`. */
export const plural = (count: number, word: string, many = `${word}s`): string =>
  `${count} ${count === 1 ? word : many}`;
