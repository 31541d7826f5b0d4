import { beforeEach, describe, expect, it } from "vitest";
import { OlderEdge } from "../../src/bridge/answers/older-edge.ts";
import { unavailable } from "../../src/directory/index.ts";
import { Bench, NOBODY, says } from "./support/bench.ts";

const DOMAIN = "example.com";
const MINUTE = 60_000;

let now: number;
let told: string[];
let older: OlderEdge;

beforeEach(() => {
  now = 0;
  told = [];
  older = new OlderEdge({ now: () => now }, (domain, isBehind) => told.push(`${domain} ${isBehind}`));
});

describe("an edge that is behind what the bridge knows", () => {
  it("is reported once it lasts, once, and once when it is over", () => {
    older.note(DOMAIN, true);
    now = 2 * MINUTE - 1;
    older.note(DOMAIN, true);
    expect([told, older.domains]).toEqual([[], 0]);
    now++;
    older.note(DOMAIN, true);
    expect([told, older.domains]).toEqual([[`${DOMAIN} true`], 1]);
    for (; now < 5 * MINUTE; now += 1_000) older.note(DOMAIN, true);
    expect([told, older.domains]).toEqual([[`${DOMAIN} true`], 1]);
    older.note("example.org", false);
    older.note(DOMAIN, false);
    expect([told, older.domains]).toEqual([[`${DOMAIN} true`, `${DOMAIN} false`], 0]);
  });

  it("is not one of whose isolates some are behind for a moment", () => {
    for (; now < 10 * MINUTE; now += MINUTE) {
      older.note(DOMAIN, true);
      older.note(DOMAIN, false);
    }
    expect(told).toEqual([]);
  });

  it("is watched for a bounded number of domains", () => {
    for (let i = 0; i < 10_001; i++) older.note(`d${i}.example`, true);
    now = 3 * MINUTE;
    for (let i = 0; i < 10_001; i++) older.note(`d${i}.example`, true);
    expect(older.domains).toBe(10_000);
  });
});

describe("an answer", () => {
  const noted = async (...answers: Parameters<typeof says>[]): Promise<boolean[]> => {
    const bench = new Bench(says("deliverable", { generation: 12, incarnation: 5 }));
    await bench.resolve("alice@example.com");
    bench.older.length = 0;
    for (const [i, answer] of answers.entries()) {
      bench.edge = says(...answer);
      await bench.resolve(`n${i}${NOBODY}`);
    }
    return bench.older;
  };

  it("of an edge that does not reach what was seen names its log", async () => {
    const bench = new Bench(says("deliverable", { generation: 12, incarnation: 5 }));
    await bench.resolve("alice@example.com");
    expect(bench.older).toEqual([false]);
    for (const [incarnation, isBehind] of [
      [5, true],
      [4, true],
      [null, false],
    ] as const) {
      bench.older.length = 0;
      bench.edge = ({ recipient }) => unavailable(recipient, "older than what is known", DOMAIN, incarnation);
      await bench.resolve(NOBODY);
      expect(bench.older, `${incarnation}`).toEqual(isBehind ? [true] : []);
    }
  });

  it("is older by its generation or its log", async () => {
    expect(await noted(["unknown", { generation: 11, incarnation: 5 }])).toEqual([true]);
    expect(await noted(["deliverable", { generation: 900, incarnation: 4 }])).toEqual([true]);
    expect(await noted(["unknown", { generation: 12, incarnation: 5 }])).toEqual([false]);
    expect(await noted(["unknown", { generation: 1, incarnation: 6 }])).toEqual([false]);
  });
});
