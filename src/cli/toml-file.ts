import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { CliError, EXIT } from "./exit.ts";

/** A settings file as people write it: errors name its lines. */
export class TomlFile {
  readonly #text: string;
  readonly #shown: string;

  private constructor(text: string, shown: string) {
    this.#text = text;
    this.#shown = shown;
  }

  /**
   * @param path absolute
   * @param shown as messages name it
   * @returns null if there is no such file
   * @throws CliError exit 3 if it cannot be read
   */
  static read(path: string, shown: string): TomlFile | null {
    try {
      return new TomlFile(readFileSync(path, "utf8"), shown);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw new CliError(
        EXIT.input,
        `cannot read ${shown}: ${(error as Error).message}`,
        "check its permissions",
      );
    }
  }

  /** Its tables. @throws CliError exit 3 if it is no TOML */
  values(): unknown {
    try {
      return parse(this.#text);
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const reason = (error.message.split("\n", 1)[0] as string).replace(/^Invalid TOML document: /, "");
      throw this.faulty([`${this.#shown}:${error.line}: ${reason}`]);
    }
  }

  /** The error for what is wrong in it. @param faults a line each, with its place */
  faulty(faults: readonly string[]): CliError {
    return new CliError(
      EXIT.input,
      `${this.#shown} has errors`,
      "fix these lines; for a commented example, run `rollcall init` in an empty folder",
      faults,
    );
  }

  /**
   * The place of a key, `FILE:LINE`, found by searching the text. Falls back to the line of the table, then to the file.
   * @param path tables and key, such as `["bridge", "line"]`
   */
  placeOf(path: readonly string[]): string {
    const key = path.at(-1) ?? "";
    const table = path.slice(0, -1);
    let current: string[] = [];
    let ofTable = 0;
    for (const [index, line] of this.#text.split("\n").entries()) {
      const header = /^\s*\[\s*([^[\]]*?)\s*\]\s*(?:#.*)?$/.exec(line)?.[1];
      if (header !== undefined) {
        current = [...header.matchAll(/"([^"]*)"|'([^']*)'|([^.\s]+)/g)].map(
          (m) => m[1] ?? m[2] ?? m[3] ?? "",
        );
        if (same(current, path)) return `${this.#shown}:${index + 1}`;
        if (same(current, table)) ofTable = index + 1;
      } else if (same(current, table)) {
        const name = /^\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*[.=]/.exec(line);
        if (name !== null && (name[1] ?? name[2] ?? name[3]) === key) return `${this.#shown}:${index + 1}`;
      }
    }
    if (ofTable > 0) return `${this.#shown}:${ofTable}`;
    // Within a value, such as an inline table: the key of that value.
    return table.length > 0 ? this.placeOf(table) : this.#shown;
  }
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((part, i) => part === b[i]);
