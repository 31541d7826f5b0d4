import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { CheckResults, RegistryStatus } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import worker, { type Env } from "../../src/edge/worker.ts";
import { Meter } from "../../testing/meter.ts";
import { ADMIN, callJson, freshEnv, ORIGIN, publish, testEnv } from "./support/edge.ts";
import { domainNames, publishMany } from "./support/many.ts";

const SMALL = "small.example";
const LARGE = "large.example";
/** Shards of the large domain. */
const SHARDS = 2;
const LARGE_LIST = Array.from({ length: 14_000 }, (_, i) => `u${i}`);
/** Half a window: a refresh may come this often, milliseconds. */
const HALF_WINDOW = 15_000;

/** What one invocation cost until its response, and with its background work. */
interface Cost {
  readonly kv: number;
  readonly registry: number;
  readonly all: Meter;
}

/** A cold isolate whose operations are counted per invocation. Operations past a limit fail. */
class CountedIsolate {
  #meter = new Meter();
  readonly #env: Env = freshEnv({
    ROLLCALL_KV: this.#counted(testEnv.ROLLCALL_KV, "kv"),
    REGISTRY: new Proxy(testEnv.REGISTRY, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          const made = Reflect.apply(member, target, args) as object;
          return name === "get" ? this.#counted(made, "registry") : made;
        };
      },
    }),
  });

  #counted<T extends object>(port: T, kind: "kv" | "registry"): T {
    return new Proxy(port, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => this.#meter.count(kind, () => Reflect.apply(method, target, args));
      },
    });
  }

  async #post(json: unknown): Promise<{ body: unknown; cost: Cost }> {
    const meter = new Meter();
    this.#meter = meter;
    const request = new Request(`${ORIGIN}/v1/rcpt`, {
      method: "POST",
      headers: { Authorization: `Bearer ${ADMIN}`, "Content-Type": "application/json" },
      body: JSON.stringify(json),
    });
    const context = createExecutionContext();
    const response = await worker.fetch(
      request as Parameters<typeof worker.fetch>[0],
      this.#env,
      context as unknown as ExecutionContext,
    );
    const { kv, registry } = meter;
    const body = await response.json();
    await waitOnExecutionContext(context);
    expect(meter.violations).toEqual([]);
    return { body, cost: { kv, registry, all: meter } };
  }

  async check(recipient: string): Promise<{ verdict: string; kv: number; registry: number; all: Meter }> {
    const { body, cost } = await this.#post({ recipient });
    return { verdict: (body as Answer).verdict, ...cost };
  }

  /** Checks a batch. @returns how often each verdict occurred */
  async batch(recipients: readonly string[]): Promise<{ tally: Record<string, number>; all: Meter }> {
    const { body, cost } = await this.#post(recipients);
    const tally: Record<string, number> = {};
    for (const { verdict } of (body as CheckResults).results) tally[verdict] = (tally[verdict] ?? 0) + 1;
    return { tally, all: cost.all };
  }
}

/** Operations of many batches on one isolate, and the refreshes that were due meanwhile. */
async function costOf(
  isolate: CountedIsolate,
  batches: number,
  recipient: (i: number) => string,
  verdict: string,
): Promise<{ kv: number; registry: number; refreshes: number }> {
  const cost = { kv: 0, registry: 0 };
  const begun = Date.now();
  for (let batch = 0; batch < batches; batch++) {
    const recipients = Array.from({ length: 1_000 }, (_, i) => recipient(1_000 * batch + i));
    const { tally, all } = await isolate.batch(recipients);
    expect(tally).toEqual({ [verdict]: 1_000 });
    cost.kv += all.kv;
    cost.registry += all.registry;
  }
  return { ...cost, refreshes: 1 + Math.ceil((Date.now() - begun) / HALF_WINDOW) };
}

beforeAll(async () => {
  const bindings = freshEnv();
  await publish(bindings, SMALL, ["alice", "bob"]);
  await publish(bindings, LARGE, LARGE_LIST, { bits: Math.log2(SHARDS) });
  const isCopied = async (): Promise<boolean> => {
    const { partitions } = await callJson<RegistryStatus>(bindings, "/v1/registry");
    return partitions.every(({ kv_pending }) => kv_pending === 0);
  };
  while (!(await isCopied())) await new Promise((resolve) => setTimeout(resolve, 100));
});

describe("before its answer", () => {
  it("a warm check reads nothing, whatever its answer", async () => {
    const isolate = new CountedIsolate();
    const recipients = [
      `alice@${SMALL}`,
      `nobody@${SMALL}`,
      `u1@${LARGE}`,
      `u2@${LARGE}`,
      `u3@${LARGE}`,
      `u4@${LARGE}`,
    ];
    for (const recipient of [...recipients, "x@elsewhere.example"]) await isolate.check(recipient);
    for (const [recipient, verdict] of [
      [`bob@${SMALL}`, "deliverable"],
      [`somebody@${SMALL}`, "unknown"],
      [`u7@${LARGE}`, "deliverable"],
      [`anybody@${LARGE}`, "unknown"],
      ["y@nowhere.example", "not-served"],
    ] as const) {
      const answer = await isolate.check(recipient);
      expect(answer).toMatchObject({ verdict, kv: 0, registry: 0 });
      expect(answer.all.total).toBe(0);
    }
  });

  it("a cold known recipient of a small domain costs one KV read and no question to the Registry", async () => {
    const answer = await new CountedIsolate().check(`alice@${SMALL}`);
    expect(answer).toMatchObject({ verdict: "deliverable", kv: 1, registry: 0 });
    // After the answer: what changed since.
    expect(answer.all).toMatchObject({ kv: 1, registry: 1 });
  });

  it("a cold known recipient of a large domain costs two KV reads and no question to the Registry", async () => {
    expect(await new CountedIsolate().check(`u5@${LARGE}`)).toMatchObject({
      verdict: "deliverable",
      kv: 2,
      registry: 0,
    });
  });

  it("a cold unknown recipient costs one question to the Registry more", async () => {
    expect(await new CountedIsolate().check(`nobody@${SMALL}`)).toMatchObject({
      verdict: "unknown",
      kv: 1,
      registry: 1,
    });
    expect(await new CountedIsolate().check(`nobody@${LARGE}`)).toMatchObject({
      verdict: "unknown",
      kv: 2,
      registry: 1,
    });
  });

  it("a cold recipient of an unserved domain costs one KV read and one question", async () => {
    expect(await new CountedIsolate().check("x@elsewhere.example")).toMatchObject({
      verdict: "not-served",
      kv: 1,
      registry: 1,
    });
  });
});

describe("many checks", () => {
  it("100,000 invented names of a small domain cost as much as one", async () => {
    const cost = await costOf(new CountedIsolate(), 100, (i) => `x${i}@${SMALL}`, "unknown");
    expect(cost.kv).toBeLessThanOrEqual(1 + cost.refreshes);
    expect(cost.registry).toBeLessThanOrEqual(cost.refreshes);
    expect(cost.kv).toBeGreaterThanOrEqual(1);
  });

  it("100,000 invented names of a large domain cost its shards in addition", async () => {
    const cost = await costOf(new CountedIsolate(), 100, (i) => `x${i}@${LARGE}`, "unknown");
    expect(cost.kv).toBeLessThanOrEqual(1 + SHARDS + cost.refreshes);
    expect(cost.registry).toBeLessThanOrEqual(cost.refreshes);
  });

  it("10,000 invented domains cost a few reads until the served domains are known, and nothing afterwards", async () => {
    const isolate = new CountedIsolate();
    const first = await costOf(isolate, 1, (i) => `alice@x${i}.example`, "not-served");
    expect(first.kv).toBeLessThanOrEqual(16 + first.refreshes);
    expect(first.registry).toBeLessThanOrEqual(first.refreshes);
    const rest = await costOf(isolate, 9, (i) => `alice@y${i}.example`, "not-served");
    expect(rest.kv).toBeLessThan(rest.refreshes);
    expect(rest.registry).toBeLessThan(rest.refreshes);
  });

  it("a batch over more cold domains than its operations allow answers the rest as unavailable", async () => {
    const domains = domainNames(1_000);
    await publishMany(freshEnv(), domains, 500);
    const isolate = new CountedIsolate();
    // Operations are to run out, and not the time of a request on a busy machine.
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now());
    onTestFinished(() => clock.mockRestore());
    const { tally, all } = await isolate.batch(domains.map((domain) => `alice@${domain}`));
    const { deliverable = 0, unavailable = 0, ...others } = tally;
    expect(others).toEqual({});
    expect(deliverable).toBeGreaterThan(300);
    expect(unavailable).toBeGreaterThan(0);
    expect(all.total).toBeGreaterThan(800);
    expect(all.widest).toBe(6);
    // Each request has its own budget, so the next one continues.
    const next = await isolate.batch(domains.map((domain) => `alice@${domain}`));
    expect(next.tally.deliverable).toBeGreaterThan(deliverable);
  });
});
