import { describe, expect, it } from "vitest";
import type { Outcome, RollcallClient } from "../../src/client/index.ts";
import { ClientError } from "../../src/client/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { examineDeployment, Problem, type StepResult } from "../../src/inspect/index.ts";
import { MemoryEdge } from "../support/memory-edge.ts";

const PARTITION = { partition: 0, incarnation: 1, as_of: 1, kv_pending: 0, kv_error: null as string | null };
const answer = (verdict: string, action: string): Outcome =>
  ({ kind: "answer", answer: { verdict, action, reply: `${verdict} reply`, domain: "d" } }) as Outcome;

/** A deployment that works, save for what a test changes. Time passes only while doctor sleeps or a check runs. */
async function examine(changes: { readonly [name: string]: unknown } = {}, checkTakes = 10) {
  let now = 0;
  let pauses = 0;
  const edge = new MemoryEdge().client();
  const registry = async () => ({ partitions: [PARTITION], kv_readable: true, kv_cache_ttl: 60 });
  const parts: { [name: string]: unknown } = {
    health: async () => ({ status: "ok", version: "1.2.3", faults: [] }),
    registry,
    initialiseRegistry: registry,
    domains: async () => [{ domain: "a.example", deleted_until: null, key_fits: true }],
    tokens: async () => [{ id: "t", revoked: null, expires: null, key_fits: true }],
    check: async (recipient: string) =>
      recipient.startsWith("listed@") ? answer("deliverable", "accept") : answer("unknown", "reject"),
    deleteDomain: async () => ({}),
    verifyRegistry: async () => ({ partition: 0, heads: 1, damaged: [], next: null }),
    status: async () => ({ answers: [], faults: [] }),
    ...changes,
  };
  const client = new Proxy(edge, {
    get: (_, name: string) => {
      const own = parts[name] as ((...args: unknown[]) => Promise<unknown>) | undefined;
      const method = own ?? Reflect.get(edge, name).bind(edge);
      return (...args: unknown[]) => {
        if (name === "check") now += checkTakes;
        return method(...args);
      };
    },
  }) as RollcallClient;
  const sleep = async (ms: number): Promise<void> => {
    now += ms;
    pauses++;
  };
  const ports = { client, hashing: stablelibHashing, clock: { now: () => now }, timers: { sleep } };
  const results: StepResult[] = [];
  for await (const result of examineDeployment(ports, new Uint8Array(8))) results.push(result);
  const failed = results.flatMap((result) =>
    result.state === "failed" ? [`${result.step}: ${(result.error as Error).message}`] : [],
  );
  return { results, failed, pauses };
}

describe("the examination of a deployment", () => {
  it("runs every step of one that works", async () => {
    const { results, pauses } = await examine();
    expect(results.map(({ step, state }) => `${step} ${state}`)).toEqual(
      [
        ..."answers secrets credentials registry kv-read keys heads tokens numbers publish deliverable".split(
          " ",
        ),
        ..."unknown kv-copy latency delete brake faults".split(" "),
      ].map((step) => `${step} ok`),
    );
    expect(results.find(({ step }) => step === "latency")).toMatchObject({
      detail: "median 10 ms, slowest 10 ms of 9 checks",
    });
    expect(pauses).toBe(0);
  });

  it("skips what depends on a step that failed", async () => {
    const { results, failed } = await examine({
      initialiseRegistry: async () => ({ partitions: [{ ...PARTITION, kv_error: "daily limit" }] }),
    });
    expect(failed).toEqual(["registry: partition 0 cannot copy to KV: daily limit"]);
    expect(results.slice(4).every(({ state }) => state === "skipped")).toBe(true);
  });

  it("waits for a change to show, for 45 s", async () => {
    let asked = 0;
    const late = async (): Promise<Outcome> =>
      ++asked <= 5 ? answer("not-served", "defer") : answer("deliverable", "accept");
    const soon = await examine({ check: late });
    expect(soon.results[10]).toMatchObject({ state: "ok", detail: "deliverable reply (after 2.6 s)" });
    const never = await examine({ check: async () => answer("unavailable", "defer") });
    expect(never.failed).toEqual([
      "deliverable: the verdict is unavailable instead of deliverable: unavailable reply",
      "unknown: the verdict is unavailable instead of unknown: unavailable reply",
    ]);
    expect(never.pauses).toBeGreaterThan(2 * 85);
    const away = new ClientError("unreachable", "away");
    const none = await examine({ check: async () => ({ kind: "none", why: away }) });
    expect(none.failed).toEqual(["deliverable: away", "unknown: away"]);
    expect(none.pauses).toBeGreaterThan(2 * 85);
  });

  it("does not wait for what will not change", async () => {
    const wrong = await examine({ check: async () => answer("disabled", "reject") });
    expect(wrong.failed[0]).toMatch(/the verdict is disabled instead of deliverable/);
    const forbidden = new ClientError("forbidden", "no");
    const refused = await examine({ check: async () => ({ kind: "none", why: forbidden }) });
    expect(refused.failed[0]).toBe("deliverable: no");
    const observed = await examine({ check: async () => answer("deliverable", "reject") });
    expect(observed.failed[0]).toBe("deliverable: deliverable, with the action reject instead of accept");
    expect([wrong.pauses, refused.pauses, observed.pauses]).toEqual([0, 0, 0]);
  });

  it("reports a copy to KV that does not come, and slow checks", async () => {
    const head = { generation: 1, kv: { state: "behind", generation: null } };
    let calls = 0;
    const domains = async () => [];
    const domain = async () => (calls++ === 0 ? null : head);
    const { failed, pauses } = await examine({ domain, domains }, 1_500);
    expect(failed).toEqual([
      "kv-copy: is behind after 46 s: no reason is known",
      "latency: median 1500 ms, slowest 1500 ms of 9 checks",
    ]);
    expect(pauses).toBe(91);
  });

  it("reports lists that KV has and the Registry lost, of the 20 that changed last", async () => {
    const domains = async () =>
      Array.from({ length: 30 }, (_, i) => ({ domain: `d${i}.example`, deleted_until: null, time: i }));
    const asked: string[] = [];
    const domain = async (name: string) => {
      asked.push(name);
      return { generation: 1, kv: { state: name === "d29.example" ? "ahead" : "equal", generation: 2 } };
    };
    const { failed, results } = await examine({ domains, domain });
    expect(failed[0]).toBe(
      "numbers: KV has a newer list than the Registry, whose storage was restored to an earlier time: d29.example",
    );
    const step = results.find((it) => it.step === "numbers");
    expect(step?.state === "failed" && step.error instanceof Problem ? step.error.hint : null).toMatch(
      /docs\/restoring\.md/,
    );
    expect(asked.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => `d${29 - i}.example`));
    expect(asked.slice(20).filter((name) => name.startsWith("d"))).toEqual([]);
  });

  it("reports every list that is damaged in the Registry, however many steps it takes", async () => {
    const asked: unknown[] = [];
    const damage = (domain: string) => ({
      domain,
      kind: "damaged_manifest",
      detail: `${domain}: is damaged`,
    });
    const verifyRegistry = async ({ after }: { after: string | null }) => {
      asked.push(after);
      if (after === null) return { partition: 0, heads: 250, damaged: [damage("a.example")], next: "b 0" };
      return { partition: 0, heads: 3, damaged: [damage("c.example")], next: null };
    };
    const { failed } = await examine({ verifyRegistry });
    expect(failed[0]).toBe("heads: damaged in the Registry: a.example: is damaged, c.example: is damaged");
    expect(asked).toEqual([null, "b 0"]);
  });

  it("reports names that the brake holds, and what to do", async () => {
    const brake = { held: 15, since: 1, left: 20, asked: 12 };
    const domains = async () => [
      { domain: "a.example", deleted_until: null, key_fits: true, brake },
      { domain: "b.example", deleted_until: null, key_fits: true, brake: null },
    ];
    const { failed, results } = await examine({ domains, domain: async () => null });
    expect(failed).toContain(
      "brake: holds names that left, since so many of them are asked for: 15 of a.example",
    );
    const step = results.find((it) => it.step === "brake");
    expect(step?.state === "failed" && step.error instanceof Problem ? step.error.hint : null).toMatch(
      /rollcall brake .*rollcall rollback .*--release/,
    );
  });

  it("turns a publish that fails into a problem, and lasting faults too", async () => {
    const key = { domain: "d", epoch: 1, key: "AA", key_id: "00", canonicaliser: 1, partition: 0 };
    const { results, failed } = await examine({
      key: async () => key,
      status: async () => ({ faults: [{ kind: "damaged_blob", domain: "a.example", hour: 2, day: 2 }] }),
    });
    expect(failed).toMatchObject(
      [/^publish: .* derive keys/, /^faults: .*damaged_blob of a\.example \(2\)/].map((it) =>
        expect.stringMatching(it),
      ),
    );
    for (const result of results) if (result.state === "failed") expect(result.error).toBeInstanceOf(Problem);
  });
});
