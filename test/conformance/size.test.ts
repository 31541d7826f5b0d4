/** What a mail server costs in lines: those to paste or to install, and those of the rig that runs it in tests. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { expect, it } from "vitest";
import { ENTRIES, RIGS } from "../../integrations/rigs.ts";
import { ROOT } from "../mta/support/command.ts";
import { expectWritten, table } from "../mta/support/written.ts";

const FOLDER = join(ROOT, "integrations");

type Kind = "configuration" | "program" | "rig";

/** How a line of comment begins. Blocks of comment in JavaScript and TypeScript have `*` before each line. */
const SLASHES = /^(?:\/\/|\/\*|\*)/;
const HASH = /^#/;
const COMMENTS: Readonly<Record<string, readonly [Kind, RegExp]>> = {
  ".cf": ["configuration", HASH],
  ".acl": ["configuration", HASH],
  ".macros": ["configuration", HASH],
  ".router": ["configuration", HASH],
  ".conf": ["configuration", HASH],
  ".toml": ["configuration", HASH],
  ".ini": ["configuration", /^[;#]/],
  ".m4": ["configuration", /^(?:dnl\b|#)/],
  ".ndjson": ["configuration", /^$/],
  ".lua": ["program", /^--/],
  ".hsl": ["program", SLASHES],
  ".js": ["program", SLASHES],
  ".ts": ["program", SLASHES],
  // A script for the shell.
  "": ["program", HASH],
};
/** What comes with a package and is no code. */
const APART = /(?:^|\/)(?:LICENSE|README\.md|package\.json|package-lock\.json)$|(?:^|\/)node_modules(?:\/|$)/;
const OF_RIGS = /^(?:rig|entry|hook-\w+)\.ts$/;

/** Lines by what they are for. @throws for a file whose comments are not known here */
function linesOf(name: string): Record<Kind, number> {
  const lines = { configuration: 0, program: 0, rig: 0 };
  for (const entry of readdirSync(join(FOLDER, name), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || APART.test(path.slice(FOLDER.length))) continue;
    const [kind, comment] = COMMENTS[extname(path)] ?? [];
    if (kind === undefined || comment === undefined) throw new Error(`${path}: what is a comment there?`);
    const code = readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !comment.test(line));
    lines[OF_RIGS.test(basename(path)) ? "rig" : kind] += code.length;
  }
  return lines;
}

it("docs: the lines that each mail server costs", () => {
  const names = readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  for (const { name } of RIGS) expect(linesOf(name).rig, name).toBeGreaterThan(0);
  const waysOf = (name: string): string => {
    const rig = RIGS.find((each) => each.name === name);
    const ways = rig?.ways.length ?? ENTRIES.filter((each) => each.name.startsWith(name)).length;
    return ways === 0 ? "" : String(ways);
  };
  const shown = (count: number): string => (count === 0 ? "" : String(count));
  const rows = names.map((name) => {
    const { configuration, program, rig } = linesOf(name);
    return [name, waysOf(name), ...[configuration, program, rig].map(shown)];
  });
  const head = ["folder", "ways in the tests", "configuration, all ways", "plugin or script", "rig"];
  expectWritten("README.md", "lines", table(head, rows));
});
