import { describe, expect, it } from "vitest";
import type { Answer } from "../../src/directory/index.ts";
import { callJson, freshEnv, publish, testEnv } from "./support/edge.ts";

const LARGE = "large.example";
const BITS = 3;
const SHARDS = 2 ** BITS;
const NAMES = Array.from({ length: 40_000 }, (_, i) => `u${i}`);
/** Enough for each shard to have some. */
const ASKED = NAMES.slice(0, 400);

/** A separate isolate whose KV reads are recorded by key. */
function readingEnv() {
  const reads: string[] = [];
  const env = freshEnv({
    ROLLCALL_KV: new Proxy(testEnv.ROLLCALL_KV, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (name === "get") reads.push(String(args[0]));
          return Reflect.apply(method, target, args);
        };
      },
    }),
  });
  return { env, reads };
}

async function verdictsOf(env: ReturnType<typeof freshEnv>, names: readonly string[]): Promise<string[]> {
  const json = names.map((name) => `${name}@${LARGE}`);
  const { results } = await callJson<{ results: Answer[] }>(env, "/v1/rcpt", { json });
  return results.map(({ verdict }) => verdict);
}

const shardsAmong = (reads: readonly string[]): string[] =>
  reads.filter((key) => key.startsWith(`shard/${LARGE}/`));

describe("a list of eight shards", () => {
  it("costs an isolate that has it in memory one shard read if one name is added", async () => {
    const publisher = freshEnv();
    const first = await publish(publisher, LARGE, NAMES, { bits: BITS });
    const { env, reads } = readingEnv();
    const all = new Set(await verdictsOf(env, ASKED));
    expect(all).toEqual(new Set(["deliverable"]));
    expect(await verdictsOf(env, ["nobody"])).toEqual(["unknown"]);
    expect(shardsAmong(reads)).toHaveLength(SHARDS);
    reads.length = 0;
    const second = await publish(publisher, LARGE, [...NAMES, "newcomer"], { bits: BITS, expect: first });
    // A client that has seen a newer state is answered from it immediately.
    const json = { recipient: `newcomer@${LARGE}`, floor: { [LARGE]: second } };
    const answer = await callJson<Answer>(env, "/v1/rcpt", { json });
    expect(answer).toMatchObject({ verdict: "deliverable", generation: second });
    expect(new Set(await verdictsOf(env, ASKED))).toEqual(new Set(["deliverable"]));
    expect(await verdictsOf(env, ["nobody", "newcomer"])).toEqual(["unknown", "deliverable"]);
    expect(shardsAmong(reads)).toHaveLength(1);
  });
});
