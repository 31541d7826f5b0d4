/** What vitest.config.ts has to know of the test files. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that mostly wait, for minutes of real time or for processes, the longest first. Others run beside them. */
const LONGEST = [
  "bridge/replica/brake",
  "edge/brake",
  "laws/law-4",
  "cli/dev",
  "mta/leaves-alone",
  "releases/releases",
  "registry/from-accepted-to-refused/from-accepted-to-refused",
  "bridge/replica/host-faults",
  "conformance/conformance",
  "cli/proxy",
  "faults/publisher-killed",
  "scripts/start",
  "mta/restart",
  "mta/scenario",
];

/** Starts the files that take longest first, so that none of them is alone at the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

const IMPORT = /^(?:import|export)\s[^"]*?"(\.[^"]+)"|^import\s"(\.[^"]+)"|^\} from "(\.[^"]+)"/gm;
/** What a module of helpers does for the file that imports it first, and for no other one of the same worker. */
const HOOK = /^(?:(?:before|after)(?:All|Each)|process\.once)\(/m;

/**
 * Test files without helpers that have hooks of their own, such as the one that ends processes. A worker may run many of
 * these files. Tests of laws are all in one project, as docs/laws.md says.
 */
export function pureTests(): string[] {
  const known = new Map<string, boolean>();
  const hasHelperWithHook = (file: string, isTest: boolean): boolean => {
    const before = known.get(file);
    if (before !== undefined) return before;
    known.set(file, false);
    const text = readFileSync(file, "utf8");
    const imported = [...text.matchAll(IMPORT)]
      .map(([, a, b, c]) => join(dirname(file), a ?? b ?? c ?? ""))
      .filter((path) => path.endsWith(".ts") && existsSync(path));
    const found = (!isTest && HOOK.test(text)) || imported.some((path) => hasHelperWithHook(path, false));
    known.set(file, found);
    return found;
  };
  return globSync("test/**/*.test.ts", { cwd: import.meta.dirname.replace(/test$/, "") })
    .filter((file) => !/^test\/(edge|laws)\//.test(file) && !hasHelperWithHook(file, true))
    .sort();
}
