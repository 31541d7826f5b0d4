import { beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../src/directory/index.ts";
import { readEnvironment, type Settings } from "../../src/edge/environment.ts";
import { platformKv, platformPorts } from "../../src/edge/platform.ts";
import type { Ports } from "../../src/edge/ports.ts";
import { registryAt } from "../../src/edge/registry-object.ts";
import { Edge } from "../../src/edge/serve.ts";
import type { Env } from "../../src/edge/worker.ts";
import type { Nap } from "../../src/runtime/ports.ts";
import { expectAnswer } from "./support/answers.ts";
import { ADMIN, call, freshEnv, ORIGIN, testEnv } from "./support/edge.ts";
import { countedEnv, domainNames, publishMany } from "./support/many.ts";

/** The platform's limits: operations of one invocation, and how many may wait at once. */
const PLATFORM = { operations: 1_000, atOnce: 6 };
const DOMAINS = domainNames(1_000);

async function ask(bindings: Env, recipients: readonly string[]): Promise<Answer[]> {
  const response = await call(bindings, "/v1/rcpt", { json: recipients });
  expect(response.status).toBe(200);
  const { results } = (await response.json()) as { results: Answer[] };
  expect(results).toHaveLength(recipients.length);
  results.forEach((answer, i) => {
    expectAnswer(answer, recipients[i] as string);
  });
  return results;
}

const tally = (answers: readonly Answer[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const { verdict } of answers) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
};

/** An edge with the given ports, asked with a JSON body. */
function edgeWith(ports: Ports): (body: string) => Promise<Response> {
  const settings = readEnvironment(testEnv).settings as Settings;
  const edge = new Edge(settings, ports);
  return async (body) => {
    const headers = { Authorization: `Bearer ${ADMIN}`, "Content-Type": "application/json" };
    const work: Promise<unknown>[] = [];
    const response = await edge.handle(new Request(`${ORIGIN}/v1/rcpt`, { method: "POST", headers, body }), {
      kv: platformKv(testEnv.ROLLCALL_KV),
      registry: (partition) => registryAt(testEnv, { partition, partitions: 1 }),
      background: (each) => work.push(each),
      kvCacheTtl: () => 30,
      openApi: async () => null,
    });
    await Promise.allSettled(work);
    return response;
  };
}

beforeAll(async () => {
  await publishMany(freshEnv(), DOMAINS, 500);
});

describe("a batch over a thousand domains that an isolate has not loaded", () => {
  it.each([
    ["listed", "alice", "deliverable"],
    ["unlisted", "nobody", "unknown"],
  ])(
    "answers what its operations allow, defers the rest, and continues from there: %s names",
    async (_, local, verdict) => {
      const { env, count } = countedEnv();
      const recipients = DOMAINS.map((domain) => `${local}@${domain}`);
      let answered = 0;
      for (let batch = 1; answered < recipients.length; batch++) {
        expect(batch).toBeLessThanOrEqual(10);
        Object.assign(count, { total: 0, most: 0 });
        const counts = tally(await ask(env, recipients));
        expect(Object.keys(counts).every((each) => each === verdict || each === "unavailable")).toBe(true);
        expect(count.total).toBeLessThanOrEqual(PLATFORM.operations);
        expect(count.most).toBeLessThanOrEqual(PLATFORM.atOnce);
        expect(counts[verdict]).toBeGreaterThan(answered);
        // A domain costs at least one operation, so one invocation cannot load them all.
        if (batch === 1)
          expect(counts.unavailable).toBeGreaterThanOrEqual(recipients.length - PLATFORM.operations + 1);
        answered = counts[verdict] as number;
      }
      Object.assign(count, { total: 0, most: 0 });
      expect(tally(await ask(env, recipients))).toEqual({ [verdict]: recipients.length });
      expect(count.total).toBe(0);
    },
  );

  it("leaves no timer behind that only bounded a wait, since the platform counts them too", async () => {
    const open = new Set<object>();
    let most = 0;
    const sleep = async (ms: number, nap: Nap = {}): Promise<void> => {
      const timer = {};
      open.add(timer);
      most = Math.max(most, open.size);
      const over = platformPorts.timers.sleep(ms, nap).then(() => open.delete(timer));
      const { cancel } = nap;
      nap.cancel = () => {
        cancel?.();
        open.delete(timer);
      };
      await over;
    };
    const edge = edgeWith({ ...platformPorts, timers: { sleep } });
    const response = await edge(JSON.stringify(DOMAINS.map((domain) => `nobody@${domain}`)));
    expect(tally(((await response.json()) as { results: Answer[] }).results).unknown).toBeGreaterThan(0);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(200);
    expect(open.size).toBe(0);
  });

  it("does not let the deferred ones keep the others from an answer", async () => {
    const { env } = countedEnv();
    const recipients = DOMAINS.map((domain, i) => (i % 2 ? "postmaster" : `alice@${domain}`));
    const answers = await ask(env, recipients);
    expect(
      answers.filter(({ recipient }) => recipient === "postmaster").every((it) => it.action === "accept"),
    ).toBe(true);
  });
});

describe("a batch over a thousand domains that are not served", () => {
  it("costs no operation for any of them, once the served domains are known", async () => {
    const { env, count } = countedEnv();
    const recipients = DOMAINS.map((domain) => `alice@${domain}.org`);
    expect(tally(await ask(env, recipients))).toEqual({ "not-served": recipients.length });
    expect(count.total).toBeLessThanOrEqual(20);
    expect(count.most).toBeLessThanOrEqual(PLATFORM.atOnce);
    count.total = 0;
    const others = recipients.map((recipient) => `${recipient}.net`);
    expect(tally(await ask(env, others))).toEqual({ "not-served": others.length });
    expect(count.total).toBe(0);
  });
});
