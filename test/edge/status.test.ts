/* Isolates send their counts with the questions that they ask anyway, and GET /v1/status adds them up. */
import { beforeAll, describe, expect, it } from "vitest";
import type { EdgeStatus } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import type { Env } from "../../src/edge/worker.ts";
import { callJson, freshEnv, publish } from "./support/edge.ts";

const env = freshEnv();
const DOMAIN = "counted.example";
const WATCHED = "watched.example";

beforeAll(async () => {
  await publish(env, DOMAIN, ["alice", ["bob", "disabled"]]);
  await publish(env, WATCHED, ["dora"], { mode: "observe" });
});

const ask = (bindings: Env, recipients: readonly string[]): Promise<{ results: Answer[] }> =>
  callJson(bindings, "/v1/rcpt", { json: { recipients } });
const status = (): Promise<EdgeStatus> => callJson<EdgeStatus>(env, "/v1/status");
/** A publish makes an isolate ask again, and the question carries what was counted before. */
async function send(bindings: Env): Promise<void> {
  await ask(bindings, [`x@${DOMAIN}`]);
  await publish(bindings, `${crypto.randomUUID()}.example`, ["a"]);
  await ask(bindings, [`x@${DOMAIN}`]);
}
const rows = ({ answers }: EdgeStatus, domain: string | null): [string | null, string, number][] =>
  answers.filter((each) => each.domain === domain).map((each) => [each.mode, each.verdict, each.day]);

describe("GET /v1/status", () => {
  it("adds up answers by domain, mode and verdict, each once", async () => {
    const isolate = freshEnv();
    await ask(isolate, [`alice@${DOMAIN}`, `alice+x@${DOMAIN}`, `bob@${DOMAIN}`, `no@${DOMAIN}`]);
    await ask(isolate, [`nobody@${WATCHED}`, `dora@${WATCHED}`]);
    await send(isolate);
    const first = await status();
    expect(rows(first, DOMAIN)).toEqual([
      ["enforce", "deliverable", 2],
      ["enforce", "disabled", 1],
      ["enforce", "unknown", 2],
    ]);
    expect(rows(first, WATCHED)).toEqual([
      ["observe", "deliverable", 1],
      ["observe", "unknown", 1],
    ]);
    expect(first.answers.every(({ hour, day }) => hour === day)).toBe(true);
    expect(JSON.stringify(first)).not.toMatch(/alice|nobody|dora|@/);
    expect(first.faults).toEqual([]);
  });

  it("does not list domains that a client invents", async () => {
    const isolate = freshEnv();
    await ask(
      isolate,
      Array.from({ length: 300 }, (_, i) => `x@nobody${i}.example`),
    );
    await send(isolate);
    const { answers } = await status();
    const domains = new Set(answers.map(({ domain }) => domain));
    expect([...domains].filter((each) => each?.startsWith("nobody"))).toEqual([]);
    expect(rows({ answers, faults: [] }, null)).toEqual([[null, "not-served", 300]]);
  });

  it("names faults by kind and domain", async () => {
    const bytes = await env.ROLLCALL_KV.get(`domain/${DOMAIN}`, "arrayBuffer");
    await env.ROLLCALL_KV.put(`domain/${DOMAIN}`, new Uint8Array(100));
    const isolate = freshEnv();
    expect((await ask(isolate, [`alice@${DOMAIN}`])).results[0]?.verdict).toBe("deliverable");
    await send(isolate);
    expect((await status()).faults).toMatchObject([{ kind: "damaged_manifest", domain: DOMAIN }]);
    if (bytes !== null) await env.ROLLCALL_KV.put(`domain/${DOMAIN}`, bytes);
  });
});
