/** What is mutated, and the tests that have to notice. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

export interface Area {
  readonly folder: string;
  /** Files of the folder; all of them where it is left out. */
  readonly files?: readonly string[];
  /** Patterns of files of tests. */
  readonly tests: readonly string[];
}

const PROTOCOL_TESTS = ["test/consistency/*.test.ts"];

export const AREAS: readonly Area[] = [
  { folder: "src/directory", tests: ["test/directory/*.test.ts"] },
  {
    folder: "src/registry",
    files: [
      "commit.ts",
      "validate-commit.ts",
      "compute-departures.ts",
      "guard.ts",
      "guard-store.ts",
      "plan.ts",
    ],
    tests: PROTOCOL_TESTS,
  },
  { folder: "src/reader", tests: ["test/reader/*.test.ts", ...PROTOCOL_TESTS] },
];

export const filesOf = ({ folder, files }: Area): string[] =>
  (files ?? readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".ts"))).map(
    (name) => `${folder}/${name}`,
  );

/** @throws RangeError where no area holds the file */
export function areaOf(file: string): Area {
  const area = AREAS.find((each) => filesOf(each).includes(file));
  if (area === undefined) throw new RangeError(`${file} is in no area of mutation/areas.ts`);
  return area;
}
