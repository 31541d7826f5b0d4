/**
 * A test runner for Stryker. For each mutant it imports the tests and all modules of the project again, into its own
 * process, and runs the tests that reach the mutant until one fails.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { type RegisterHooksOptions, registerHooks, stripTypeScriptTypes } from "node:module";
import { basename, join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath, pathToFileURL } from "node:url";
import { collect, type Suite, type Test } from "./suite.ts";

const LIMIT_SHARE = 10;

/** How often each mutant was reached, by its id. */
type Hits = Record<string, number>;

interface MutantCoverage {
  static: Hits;
  perTest: Record<string, Hits>;
}

/** Read and written by the code that Stryker puts in. */
interface Instruments {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  mutantCoverage?: MutantCoverage;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
}

interface DryRun {
  readonly coverageAnalysis: string;
}

interface MutantRun {
  readonly testFilter?: readonly string[];
  readonly hitLimit?: number;
  readonly activeMutant: { readonly id: string };
  readonly sandboxFileName: string;
  readonly mutantActivation: "runtime" | "static";
}

const instruments: Instruments = {};
(globalThis as { __stryker__?: Instruments }).__stryker__ = instruments;

/** Stryker's copy of the project; it goes there after this module is loaded. */
let sandbox = "";
let sandboxUrl = "";
const SUITE = new URL("./suite.ts", import.meta.url).href;

/** What the run without a mutant says of each file of tests; the process that did it leaves it for the others. */
interface TestFile {
  readonly file: string;
  /** Milliseconds. */
  readonly duration: number;
  /** Mutants that it reaches, at whatever time. */
  readonly reaches: readonly string[];
}
const TEST_FILES = "mutation-test-files.json";

let version = 0;
const sources = new Map<string, string>();

const hooks: RegisterHooksOptions = {
  resolve(specifier, context, next) {
    if (specifier === "vitest" && context.parentURL?.startsWith(sandboxUrl) === true) {
      return { url: SUITE, shortCircuit: true };
    }
    const found = next(specifier, context);
    if (!found.url.startsWith(sandboxUrl) || !found.url.endsWith(".ts")) return found;
    return { ...found, url: `${found.url}?v=${version}` };
  },
  load(url, context, next) {
    const [plain = url] = url.split("?v=");
    if (plain === url) return next(url, context);
    let source = sources.get(plain);
    if (source === undefined) {
      source = stripTypeScriptTypes(readFileSync(fileURLToPath(plain), "utf8"));
      sources.set(plain, source);
    }
    return { format: "module", source, shortCircuit: true };
  },
};

/** What was thrown where no test could catch it. */
let stray: unknown = null;
const keepStray = (error: unknown): void => {
  stray = error ?? "nothing";
};

interface Done {
  readonly id: string;
  readonly file: string;
  readonly time: number;
  /** Null where the test passed. */
  readonly failure: string | null;
}

class Runner {
  constructor() {
    sandbox = process.cwd();
    sandboxUrl = pathToFileURL(`${sandbox}/`).href;
    registerHooks(hooks);
    process.on("unhandledRejection", keepStray).on("uncaughtException", keepStray);
  }

  capabilities(): { reloadEnvironment: boolean } {
    return { reloadEnvironment: true };
  }

  async dryRun({ coverageAnalysis }: DryRun): Promise<unknown> {
    if (coverageAnalysis !== "perTest") throw new RangeError("coverageAnalysis has to be perTest");
    instruments.activeMutant = undefined;
    const whole: MutantCoverage = { static: {}, perTest: {} };
    const done: Done[] = [];
    const files: TestFile[] = [];
    for (const file of testFiles()) {
      const coverage: MutantCoverage = { static: {}, perTest: {} };
      instruments.mutantCoverage = coverage;
      const begun = performance.now();
      done.push(...(await run(await load(file), false)));
      const reaches = new Set([coverage.static, ...Object.values(coverage.perTest)].flatMap(Object.keys));
      files.push({ file, duration: performance.now() - begun, reaches: [...reaches] });
      for (const [id, count] of Object.entries(coverage.static))
        whole.static[id] = (whole.static[id] ?? 0) + count;
      Object.assign(whole.perTest, coverage.perTest);
    }
    writeFileSync(join(sandbox, TEST_FILES), JSON.stringify(files));
    const tests = done.map(({ id, file, time, failure }) => ({
      id,
      name: id,
      fileName: join(sandbox, file),
      timeSpentMs: time,
      ...(failure === null ? { status: 0 } : { status: 1, failureMessage: failure }),
    }));
    return { status: "complete", tests, mutantCoverage: whole };
  }

  async mutantRun(options: MutantRun): Promise<unknown> {
    const { testFilter, hitLimit, activeMutant, mutantActivation, sandboxFileName } = options;
    const wanted = testFilter === undefined ? null : new Set(testFilter);
    const begun = performance.now();
    let count = 0;
    // Stryker allows a hundred times the hits of the run without a mutant, which takes too long in a loop without end.
    const limit = hitLimit === undefined ? undefined : 1_000 + hitLimit / LIMIT_SHARE;
    Object.assign(instruments, { activeMutant: undefined, hitCount: 0, hitLimit: limit });
    for (const file of filesThatReach(activeMutant.id, sandboxFileName)) {
      instruments.activeMutant = mutantActivation === "static" ? activeMutant.id : undefined;
      let done: Done[];
      try {
        const tests = (await load(file)).filter(({ id }) => wanted === null || wanted.has(id));
        instruments.activeMutant = activeMutant.id;
        done = await run(tests, true);
      } catch (error) {
        done = [{ id: file, file, time: 0, failure: String(error) }];
      }
      count += done.length;
      if (isOverLimit()) return { status: "timeout", reason: "hit limit reached" };
      const failed = done.find(({ failure }) => failure !== null);
      if (failed !== undefined) {
        const { id, failure } = failed;
        return { status: "killed", killedBy: [id], failureMessage: failure, nrOfTests: count };
      }
    }
    return { status: "survived", nrOfTests: count, duration: performance.now() - begun };
  }
}

const isOverLimit = (): boolean =>
  instruments.hitLimit !== undefined && (instruments.hitCount ?? 0) > instruments.hitLimit;

const without = (process.env.ROLLCALL_MUTATION_WITHOUT ?? "").split("|").filter((name) => name !== "");

const testFiles = (): string[] =>
  (process.env.ROLLCALL_MUTATION_TESTS ?? "")
    .split(",")
    .flatMap((pattern) => globSync(pattern, { cwd: sandbox }))
    .sort();

/** Tests named after the mutated file first, then the quickest: a mutant ends at the first test that fails. */
function filesThatReach(mutant: string, mutated: string): string[] {
  const all = JSON.parse(readFileSync(join(sandbox, TEST_FILES), "utf8")) as TestFile[];
  const subject = `${basename(mutated, ".ts")}.test.ts`;
  const cost = ({ file, duration }: TestFile): number => (basename(file) === subject ? 0 : duration);
  return all
    .filter(({ reaches }) => reaches.includes(mutant))
    .sort((a, b) => cost(a) - cost(b))
    .map(({ file }) => file);
}

async function load(file: string): Promise<Test[]> {
  version++;
  await import(pathToFileURL(join(sandbox, "test/seed.ts")).href);
  const tests = await collect(file, () => import(pathToFileURL(join(sandbox, file)).href));
  return tests.filter(({ id }) => !without.some((name) => id.includes(name)));
}

async function run(tests: readonly Test[], untilFailure: boolean): Promise<Done[]> {
  const entered = new Set<Suite>();
  const done: Done[] = [];
  stray = null;
  for (const test of tests) {
    const outer = ancestorsOf(test.suite);
    instruments.currentTestId = test.id;
    const begun = performance.now();
    let failure: string | null = null;
    try {
      for (const suite of outer.filter((each) => !entered.has(each))) {
        entered.add(suite);
        for (const body of suite.beforeAll) await body();
      }
      for (const { beforeEach } of outer) for (const body of beforeEach) await body({});
      await test.run();
      for (const { afterEach } of outer) for (const body of afterEach) await body({});
    } catch (error) {
      failure = String(error);
    }
    if (stray !== null) failure ??= String(stray);
    const [file = ""] = test.id.split(" > ");
    done.push({ id: test.id, file, time: performance.now() - begun, failure });
    if (failure !== null && untilFailure) break;
  }
  instruments.currentTestId = undefined;
  for (const suite of [...entered].reverse()) for (const body of suite.afterAll) await body();
  return done;
}

/** The suites that contain a test, the outermost first. */
function ancestorsOf(suite: Suite): Suite[] {
  const all: Suite[] = [];
  for (let each: Suite | null = suite; each !== null; each = each.parent) all.unshift(each);
  return all;
}

export const strykerPlugins = [
  {
    kind: "TestRunner",
    name: "in-process",
    factory: Object.assign(() => new Runner(), { inject: [] as const }),
  },
];
