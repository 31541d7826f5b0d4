import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Difference, Rig, Way } from "../../integrations/rig.ts";
import { ENTRIES, RIGS } from "../../integrations/rigs.ts";
import { Cleanup } from "../mta/support/cleanup.ts";
import type { Bridge, Edge } from "../mta/support/command.ts";
import { expectWritten } from "../mta/support/written.ts";
import { CORPUS, type Row } from "./corpus.ts";
import { listenersOf } from "./listeners.ts";
import { startServers } from "./servers.ts";
import { askLine, askThrough, isAscii } from "./session.ts";
import { corpusTable, differencesTable, type Seen } from "./tables.ts";
import { RELAYED } from "./world.ts";

/*
 * Every front end, every row of the corpus: real servers, a real bridge, a real edge with lists that the real command
 * published.
 */

const ACTIONS: Readonly<Record<string, "accept" | "defer" | "reject">> = {
  "2": "accept",
  "4": "defer",
  "5": "reject",
};

/** What the edge answers about a row, as far as the codes that a client sees depend on it. */
const answerOf = ({ verdict, codes, rcpt }: Row) => ({
  verdict,
  action: ACTIONS[codes[0] as string] as "accept" | "defer" | "reject",
  reply: `${codes} <${rcpt}>: a text`,
});

/** Why a row differs for this way, if it does. */
const differenceOf = (differences: readonly Difference[], row: Row, way?: string): Difference | undefined =>
  differences.find(
    ({ rows, ways }) =>
      rows.includes(row.name) && (ways === undefined || way === undefined || ways.includes(way)),
  );

const expectedThrough = (rig: Rig, way: Way, row: Row): string =>
  differenceOf(rig.differences, row, way.name)?.codes ?? way.codes(answerOf(row));

const cleanup = new Cleanup();
let edge: Edge;
let bridge: Bridge;

beforeAll(async () => {
  ({ edge, bridge } = await startServers(cleanup));
}, 90_000);
afterAll(() => cleanup.run());

describe("the corpus", () => {
  it("has a name of its own for each row, and a reason", () => {
    expect(new Set(CORPUS.map(({ name }) => name)).size).toBe(CORPUS.length);
    expect(CORPUS.length).toBeGreaterThanOrEqual(120);
    for (const { name, because } of CORPUS) expect(because, name).not.toBe("");
  });

  it("is the table of docs/mta/conformance.md", () => {
    expectWritten("conformance.md", "corpus", corpusTable());
  });

  it.each([...RIGS, ...ENTRIES])("has every row that $name names as different", ({ differences }) => {
    const names = new Set(CORPUS.map(({ name }) => name));
    expect(differences.flatMap(({ rows }) => rows).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe("the bridge", () => {
  it("says what the corpus expects, asked line by line", async () => {
    const seen: Record<string, string> = {};
    for (const row of CORPUS) seen[row.name] = await askLine(bridge.ports.line, row.rcpt);
    expect(seen).toEqual(Object.fromEntries(CORPUS.map((row) => [row.name, row.codes])));
  });
});

it("has a fault matrix for every front end", () => {
  const files = readdirSync(join(import.meta.dirname, "faults"));
  // An entry that is asked at the edge, too, shares the file.
  const names = [...RIGS, ...ENTRIES].map(({ name }) => name.replace(/-edge$/, ""));
  expect(names.filter((name) => !files.includes(`${name}.test.ts`))).toEqual([]);
});

describe.each([...RIGS])("$name", (rig) => {
  const tried: Seen[] = [];
  describe.skipIf(rig.missing !== null)(`runs the corpus${rig.missing ? ` (${rig.missing})` : ""}`, () => {
    it.each([...rig.ways])("$title: a client sees the true codes of every row", async (way) => {
      const server = await rig.start(way, listenersOf(bridge, edge), RELAYED);
      cleanup.add(() => server.stop());
      const rows = CORPUS.filter(({ rcpt }) => rig.smtputf8 || isAscii(rcpt));
      const seen = await askThrough(server.port, rows, rig.client);
      const expected = rows.map((row) => [row.name, expectedThrough(rig, way, row)]);
      expect(seen).toEqual(Object.fromEntries(expected));
      expect(server.isRunning()).toBe(true);
      await server.stop();
      tried.push({ title: way.title, codes: seen });
    });

    it("docs: the table of its page is what was seen", ({ skip }) => {
      skip(tried.length < rig.ways.length, "not every way was tried");
      expectWritten(`${rig.name}.md`, "conformance", differencesTable(tried, rig.differences));
    });
  });
});
