/** What vitest.config.ts has to know of the test files. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that mostly wait, for real time or for processes, the longest first. Others run beside them. */
const WAITING = [
  "bridge/replica/brake",
  "laws/law-4",
  "edge/brake",
  "mta/doctor",
  "bridge/replace",
  "conformance/faults/postfix",
  "bridge/replica/host-faults",
  "mta/leaves-alone",
  "mta/postfix-order",
  "simulation/simulation",
  "registry/from-accepted-to-refused/from-accepted-to-refused",
  "bridge/replace-faults",
  "mta/sendmail",
  "releases/releases",
  "cli/proxy",
  "opensmtpd/process",
  "cli/dev",
  "conformance/conformance",
  "packaging/alert-actions",
  "mta/restart",
  "mta/scenario",
  "laws/law-5",
  "bridge/command-faults",
  "laws/law-1",
  "bridge/replica/continuing",
  "laws/law-3",
  "bridge/command",
  "laws/law-6",
  "faults/publisher-killed",
  "conformance/shell",
  "conformance/faults/mta-hooks",
  "cli/sync",
  "faults/log",
  "edge/restored",
  "scripts/start",
  "bridge/hooks",
  "mta/exim",
  "bridge/replica/bridge",
  "laws/law-2",
  "bench/front-ends",
];

/** The project whose workers run many files each. */
export const SHARED = "shared";

/** Starts files with a worker of their own first, and then those that share workers: what waits, with others between. */
export class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = WAITING.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? WAITING.length : at;
    };
    const sorted = (await super.sort(files)).sort((a, b) => place(a) - place(b));
    const shared = sorted.filter(({ project }) => project.name === SHARED);
    const waiting = shared.filter((file) => place(file) < WAITING.length);
    const others = shared.slice(waiting.length);
    const between = Math.floor(others.length / Math.max(1, waiting.length));
    return [
      ...sorted.filter(({ project }) => project.name !== SHARED),
      ...waiting.flatMap((file) => [file, ...others.splice(0, between)]),
      ...others,
    ];
  }
}

const IMPORT = /^(?:import|export)\s[^"]*?"(\.[^"]+)"|^import\s"(\.[^"]+)"|^\} from "(\.[^"]+)"/gm;
/** What a module of helpers does for the file that imports it first, and for no other one of the same worker. */
const HOOK = /^(?:before|after)(?:All|Each)\(/m;
/** What a test file does to its whole worker. */
const TO_WORKER = /\bvi\.mock\(|\bprocess\.on\(/;

/**
 * Test files whose helpers have no hooks of their own, but hand what is to be done after a file to `support/after-file.ts`. A
 * worker may run many of these files. Tests of laws are all in one project, as docs/laws.md says.
 */
export function sharedTests(): string[] {
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
    .filter((file) => !TO_WORKER.test(readFileSync(file, "utf8")))
    .sort();
}
