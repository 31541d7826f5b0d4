/**
 * Replaces vitest for mutants: the same `expect`, and of the rest what our tests use. Vitest
 * itself takes a third of a second to start over, which is most of what a mutant would cost.
 */
import { chai, expect, vi as vitestVi } from "vitest";

export { expect };

type Body = (...values: readonly unknown[]) => unknown;

export interface Suite {
  readonly name: string;
  readonly parent: Suite | null;
  readonly beforeAll: Body[];
  readonly afterAll: Body[];
  readonly beforeEach: Body[];
  readonly afterEach: Body[];
}

export interface Test {
  /** The file and all names down to its own. */
  readonly id: string;
  readonly suite: Suite;
  readonly run: () => unknown;
}

const suiteOf = (name: string, parent: Suite | null): Suite => ({
  name,
  parent,
  beforeAll: [],
  afterAll: [],
  beforeEach: [],
  afterEach: [],
});

let suite = suiteOf("", null);
let tests: Test[] = [];

/** Tests that `load` declares. */
export async function collect(file: string, load: () => Promise<unknown>): Promise<Test[]> {
  suite = suiteOf(file, null);
  tests = [];
  await load();
  return tests;
}

function declareSuite(name: string, body: Body, values: readonly unknown[] = []): void {
  const outer = suite;
  suite = suiteOf(name, outer);
  body(...values);
  suite = outer;
}

function declareTest(name: string, body: Body, values: readonly unknown[] = []): void {
  const names = [name];
  for (let each: Suite | null = suite; each !== null; each = each.parent) names.unshift(each.name);
  const id = names.join(" > ");
  const repeated = tests.filter((each) => each.id === id || each.id.startsWith(`${id} #`)).length;
  tests.push({ id: repeated === 0 ? id : `${id} #${repeated}`, suite, run: () => body(...values) });
}

/** `it.each(rows)(name, body)`: rows that are all arrays are handed over value by value. */
const each =
  (declare: (name: string, body: Body, values: readonly unknown[]) => void) =>
  (rows: readonly unknown[]) =>
  (name: string, body: Body): void => {
    const areLists = rows.every(Array.isArray);
    rows.forEach((row, i) => {
      declare(`${name} [${i}]`, body, areLists ? (row as unknown[]) : [row]);
    });
  };

export const describe = Object.assign((name: string, body: Body) => declareSuite(name, body), {
  each: each(declareSuite),
});

const declareOne = (name: string, body: Body): void => declareTest(name, body);
const runIf = (isTried: boolean) => (isTried ? declareOne : () => undefined);
export const it = Object.assign(declareOne, { each: each(declareTest), concurrent: declareOne, runIf });

export const beforeAll = (body: Body): void => void suite.beforeAll.push(body);
export const afterAll = (body: Body): void => void suite.afterAll.push(body);
export const beforeEach = (body: Body): void => void suite.beforeEach.push(body);
export const afterEach = (body: Body): void => void suite.afterEach.push(body);

export const vi = Object.assign(Object.create(vitestVi) as typeof vitestVi, { setConfig: () => undefined });

// Those in our tests are all lists and records of JSON.
chai.util.addMethod(
  chai.Assertion.prototype,
  "toMatchInlineSnapshot",
  function (this: object, snapshot: string) {
    expect(chai.util.flag(this, "object")).toEqual(JSON.parse(snapshot.replace(/,(\s*[\]}])/g, "$1")));
  },
);
