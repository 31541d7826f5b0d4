import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Difference, RunningEntry } from "../../integrations/rig.ts";
import { ENTRIES, RIGS } from "../../integrations/rigs.ts";
import { Cleanup } from "../mta/support/cleanup.ts";
import { type Bridge, type Edge, folder, rollcall, startBridge, startEdge } from "../mta/support/command.ts";
import { expectWritten } from "../mta/support/written.ts";
import { FULL, ifFull } from "../support/full.ts";
import { CORPUS, type Row } from "./corpus.ts";
import { listenersOf } from "./listeners.ts";
import { askLine, askThrough, isAscii } from "./session.ts";
import { corpusTable, differencesTable, type Seen } from "./tables.ts";
import { publishWorld, RELAYED } from "./world.ts";

/*
 * Every front end, every row of the corpus: real servers, a real bridge, a real edge with lists that the real command
 * published. Entries are not asked over SMTP: MTA Hooks as the sources of Stalwart and of a client of the draft send them
 * (neither is run), and an Email Worker in wrangler's local email test.
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

/** What a client sees of a row. @param codes of an answer, unless the row differs */
const expectedOf = (
  row: Row,
  codes: (answer: ReturnType<typeof answerOf>) => string,
  differences: readonly Difference[],
  way?: string,
): string => differenceOf(differences, row, way)?.codes ?? codes(answerOf(row));

const cleanup = new Cleanup();
let edge: Edge;
let bridge: Bridge;

beforeAll(async () => {
  edge = await startEdge(cleanup);
  await publishTo(edge.administrator());
  bridge = await startBridge(edge, cleanup);
});
afterAll(() => cleanup.run());

/** Publishes the lists of the corpus to an edge, as its administrator. */
async function publishTo(administrator: NonNullable<RunningEntry["administrator"]>): Promise<void> {
  const home = folder(cleanup);
  await publishWorld(home, (args) => rollcall(args, home, administrator));
}

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
    const tryWay = async (way: (typeof rig.ways)[number]): Promise<void> => {
      const server = await rig.start(way, listenersOf(bridge, edge), RELAYED);
      cleanup.add(() => server.stop());
      const rows = CORPUS.filter(({ rcpt }) => rig.smtputf8 || isAscii(rcpt));
      const seen = await askThrough(server.port, rows, rig.client);
      const expected = rows.map((row) => [
        row.name,
        expectedOf(row, (answer) => way.codes(answer), rig.differences, way.name),
      ]);
      expect(seen).toEqual(Object.fromEntries(expected));
      expect(server.isRunning()).toBe(true);
      await server.stop();
      tried.push({ title: way.title, codes: seen });
    };
    const title = "$title: a client sees the true codes of every row";
    it.each(rig.ways.slice(0, 1))(title, tryWay);
    it.runIf(FULL).each(rig.ways.slice(1))(ifFull(title), tryWay);

    it("docs: the table of its page is what was seen", ({ skip }) => {
      skip(tried.length < rig.ways.length, "not every way was tried");
      expectWritten(`${rig.name}.md`, "conformance", differencesTable(tried, rig.differences));
    });
  });
});

/** `550 5.1.1` of a reply; `5xx` of one whose codes are the platform's. */
const codesOf = (reply: string): string => /^(\d{3} \d\.\d+\.\d+|[45]xx)/.exec(reply)?.[0] ?? reply;

describe.each([...ENTRIES])("$title", (entry) => {
  // wrangler's local test takes half a minute.
  const isTried = FULL || entry.name !== "email-workers";
  const title = "a client sees the true codes of every row";
  it.skipIf(entry.missing !== null || !isTried)(
    isTried ? title : ifFull(title),
    async () => {
      const running = await entry.start(listenersOf(bridge, edge), RELAYED);
      cleanup.add(() => running.stop());
      if (running.administrator !== undefined) await publishTo(running.administrator);
      const seen: Record<string, string> = {};
      for (const { name, rcpt } of CORPUS) seen[name] = codesOf(await running.rcpt(rcpt));
      const expected = CORPUS.map((row) => [
        row.name,
        expectedOf(row, (answer) => entry.codes(answer), entry.differences),
      ]);
      expect(seen).toEqual(Object.fromEntries(expected));
    },
    90_000,
  );
});
