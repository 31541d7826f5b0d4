import { readdirSync, readFileSync } from "node:fs";

/** A source file for rules about text: its code without comments, strings and regular expressions. */
export interface Source {
  /** Path from the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The code, with each string, template and regular expression replaced by an empty string. */
  readonly code: string;
  /** Modules that it imports or re-exports from, types included, as written. */
  readonly imports: readonly string[];
}

/** All TypeScript files under a folder. */
export function readSources(folder: string): Source[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .map((path) => source(path, readFileSync(path, "utf8")));
}

/** From the private use area, which no source uses. */
const MARK = "\ue000";

export function source(path: string, text: string): Source {
  const { marked, strings } = withoutLiterals(text);
  const imports = [...marked.matchAll(/\b(?:from|import)\s*\(?\s*\ue000(\d+)\ue000/g)].map(
    (match) => strings[Number(match[1])] as string,
  );
  return { path, text, code: marked.replaceAll(/\ue000\d+\ue000/g, '""'), imports };
}

/** Replaces strings with numbered marks, removes comments, and keeps code in templates. */
function withoutLiterals(text: string): { marked: string; strings: string[] } {
  const strings: string[] = [];
  let marked = "";
  /** For each open template, the depth of braces in its expression. */
  const templates: number[] = [];
  let at = 0;

  const literal = (content: string): void => {
    marked += `${MARK}${strings.push(content) - 1}${MARK}`;
  };
  /** Index after the character that ends a literal. Skips escapes. */
  const endOf = (end: (c: string, i: number) => boolean): number => {
    let i = at;
    while (i < text.length && !end(text[i] as string, i)) i += text[i] === "\\" ? 2 : 1;
    return i;
  };
  /** Reads a template from `at` to its end, or to its next expression. */
  const template = (): void => {
    const end = endOf((c, i) => c === "`" || text.startsWith("${", i));
    literal(text.slice(at, end));
    if (text[end] === "$") {
      templates.push(0);
      marked += ";";
      at = end + 2;
    } else at = end + 1;
  };

  while (at < text.length) {
    const c = text[at] as string;
    const two = text.slice(at, at + 2);
    if (two === "//") {
      at = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at);
    } else if (two === "/*") {
      at = text.indexOf("*/", at + 2) + 2;
      marked += " ";
    } else if (c === '"' || c === "'") {
      at++;
      const end = endOf((it) => it === c);
      literal(text.slice(at, end));
      at = end + 1;
    } else if (c === "`") {
      at++;
      template();
    } else if (c === "}" && templates.at(-1) === 0) {
      templates.pop();
      marked += ";";
      at++;
      template();
    } else if (c === "/" && beginsRegExp(marked)) {
      at++;
      let inClass = false;
      const end = endOf((it) => {
        if (it === "[") inClass = true;
        else if (it === "]") inClass = false;
        return it === "/" && !inClass;
      });
      literal(text.slice(at, end));
      at = end + 1;
    } else {
      if (templates.length > 0 && (c === "{" || c === "}")) {
        templates[templates.length - 1] = (templates.at(-1) as number) + (c === "{" ? 1 : -1);
      }
      marked += c;
      at++;
    }
  }
  return { marked, strings };
}

/** After a value a slash divides. Anywhere else it starts a regular expression. */
function beginsRegExp(before: string): boolean {
  const code = before.trimEnd();
  if (/\b(?:return|typeof|case|in|of|void|yield|await)$/.test(code)) return true;
  return !/[\w$)\]}\ue000]$/.test(code);
}
