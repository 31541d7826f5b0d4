/** What is mutated, and the tests that have to notice. */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

export interface Area {
  readonly folder: string;
  /** Files of the folder; all of them where it is left out. */
  readonly files?: readonly string[];
  /** Patterns of files of tests. */
  readonly tests: readonly string[];
  /** The folder whose tests have to notice the mutants of the file that they are named after. */
  readonly own?: string;
  /** Files whose mutants other tests have to notice. */
  readonly instead?: Readonly<Record<string, readonly string[]>>;
}

/** Tests that take seconds each, by their names. Where only one of them notices a mutant, the mutant counts as a survivor. */
export const SLOW_TESTS = [
  "entries finds every one",
  "shards has every name, in its state",
  "has no more false matches than its bits allow",
  "of 100,000 names has none of a million other names",
  "leaves every list of the last 24 h all but a fifth of its names",
  "continues with roster and deletions if the heads use up all operations of a run",
  "and a mistake of five percent in the middle is held in two minutes",
  "although 260 left one by one before, all of whom are asked for",
];

const registryTests = (...names: readonly string[]): string[] =>
  names.map((name) => `test/registry/${name}.test.ts`);
const JUDGED = [
  ...registryTests(
    "guard",
    "commit",
    "covered",
    "damage",
    "patterns",
    "list-grace",
    "lost-graces",
    "brake",
    "commit-turns",
  ),
  "test/consistency/guard.test.ts",
];
const GRACES = [
  ...registryTests("list-grace", "lost-graces", "commit", "damage"),
  "test/consistency/lists.test.ts",
];

export const AREAS: readonly Area[] = [
  {
    folder: "src/directory",
    tests: ["test/directory/*.test.ts"],
    // All tests together take so long that an endless loop would hold a run up for a minute.
    own: "test/directory",
    instead: {
      "guarded-lists.ts": ["test/directory/guard-ledger.test.ts"],
      "name-spans.ts": ["test/directory/guard-ledger.test.ts", "test/directory/span-buckets.test.ts"],
    },
  },
  {
    folder: "src/registry",
    files: [
      "commits/commit.ts",
      "commits/commit-in-steps.ts",
      "commits/judge-drafts.ts",
      "commits/validate-commit.ts",
      "names/compute-departures.ts",
      "names/guard.ts",
      "names/guard-store.ts",
      "names/held-names.ts",
      "commits/brake.ts",
      "commits/plan.ts",
      "names/list-grace.ts",
      "names/lost-graces.ts",
    ],
    tests: [
      "test/registry/*.test.ts",
      ...["guard", "registry", "lists", "found", "lost-key"].map(
        (name) => `test/consistency/${name}.test.ts`,
      ),
    ],
    instead: {
      "commit-in-steps.ts": ["test/registry/commit-turns.test.ts"],
      "judge-drafts.ts": JUDGED,
      "guard.ts": JUDGED,
      "list-grace.ts": GRACES,
      "lost-graces.ts": GRACES,
    },
  },
  { folder: "src/reader", tests: ["test/reader/*.test.ts"] },
  {
    folder: "src/bridge/replica",
    files: ["edge-answers.ts", "kept-lists.ts"],
    tests: ["test/bridge/replica/*.test.ts"],
    own: "test/bridge/replica",
  },
];

export const filesOf = ({ folder, files }: Area): string[] =>
  (files ?? namesIn(folder)).map((name) => `${folder}/${name}`);

/** Names of the sources in a folder and its groups. */
const namesIn = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .sort();

/** @throws RangeError where no area holds the file */
export function areaOf(file: string): Area {
  const area = AREAS.find((each) => filesOf(each).includes(file));
  if (area === undefined) throw new RangeError(`${file} is in no area of mutation/areas.ts`);
  return area;
}

/** Patterns of the tests that have to notice a file's mutants. */
export function testsOf(file: string): readonly string[] {
  const { tests, own, instead = {} } = areaOf(file);
  const name = basename(file);
  const test = `${own}/${name.replace(/\.ts$/, ".test.ts")}`;
  return instead[name] ?? (own !== undefined && existsSync(join(ROOT, test)) ? [test] : tests);
}
