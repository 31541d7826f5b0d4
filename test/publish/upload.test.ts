import { describe, expect, it } from "vitest";
import { MAX_COMMIT_BODY } from "../../src/api/index.ts";
import { blobIds, type DomainPolicy } from "../../src/directory/index.ts";
import {
  baseOf,
  batchesOf,
  commitOf,
  type DomainPlan,
  PublishError,
  planDomain,
  upload,
} from "../../src/publish/index.ts";
import { active, DOMAIN, type Lines, names, packed } from "../support/lists.ts";
import { failed, keyOf, MemoryEdge } from "../support/memory-edge.ts";

const timers = { sleep: (): Promise<void> => Promise.resolve() };

/** Plans a list against the head that the edge has. */
async function planFor(
  edge: MemoryEdge,
  lines: Lines,
  more: { domain?: string; policy?: Partial<DomainPolicy>; partition?: number } = {},
): Promise<DomainPlan> {
  const { domain = DOMAIN, policy = {}, partition = 0 } = more;
  const client = edge.client();
  const head = await client.domain(domain);
  const base = head === null ? null : baseOf(head, (id) => client.blob(domain, id));
  const bits = base?.list.table.bits;
  const list = packed(lines, { domain, ...(bits === undefined ? {} : { bitsInUse: bits }) });
  return planDomain({ domain, key: keyOf(domain), partition, packed: list, policy, canaries: [] }, base);
}

const puts = (edge: MemoryEdge): number => edge.requests.filter((each) => each.startsWith("PUT")).length;

describe("an upload", () => {
  it("of a small list is one commit", async () => {
    const edge = new MemoryEdge();
    const done = await upload(edge.client(), timers, [await planFor(edge, active("a"))], {
      force: true,
      note: "n",
    });
    expect(done.generations).toEqual({ [DOMAIN]: 1 });
    expect(edge.commits).toMatchObject([
      { force: true, note: "n", domains: [{ domain: DOMAIN, expect: null }] },
    ]);
    expect(puts(edge)).toBe(0);
  });

  it("uploads missing shards, a few at a time, and commits again", async () => {
    const edge = new MemoryEdge();
    const progress: string[] = [];
    const plan = await planFor(edge, names(150_000));
    await upload(edge.client(), timers, [plan], {
      concurrency: 3,
      progress: (done, of) => progress.push(`${done}/${of}`),
    });
    expect(puts(edge)).toBe(16);
    expect(edge.mostOpen).toBe(3);
    expect(progress.at(-1)).toBe("16/16");
    expect(edge.commits).toHaveLength(2);
  });

  it("uploads only what changed", async () => {
    const edge = new MemoryEdge();
    const lines = names(40_000);
    await upload(edge.client(), timers, [await planFor(edge, lines)]);
    edge.requests.length = 0;
    await upload(edge.client(), timers, [await planFor(edge, [...lines, ["new", "active"]])]);
    expect(puts(edge)).toBe(1);
  });

  it("continues where it stopped", async () => {
    const edge = new MemoryEdge();
    let allowed = 3;
    edge.intercept = (method) => (method === "PUT" && allowed-- <= 0 ? failed(400, broken) : undefined);
    const plan = await planFor(edge, names(70_000));
    await expect(upload(edge.client(), timers, [plan], { concurrency: 1 })).rejects.toThrow("broken");
    expect(edge.heads.size).toBe(0);
    edge.intercept = () => undefined;
    edge.requests.length = 0;
    await upload(edge.client(), timers, [plan]);
    expect(puts(edge)).toBe(8 - 3);
  });

  it("succeeds if only the answer to its commit was lost", async () => {
    const edge = new MemoryEdge();
    const plan = await planFor(edge, active("a"));
    let lost = 0;
    edge.intercept = (_, path) => (path === "/v1/commits" && lost++ === 0 ? "lose the answer" : undefined);
    expect(await upload(edge.client(), timers, [plan])).toMatchObject({ generations: { [DOMAIN]: 1 } });
    expect(edge.commits).toHaveLength(2);
  });

  it("succeeds if another host published the same list", async () => {
    const edge = new MemoryEdge();
    const [mine, theirs] = [await planFor(edge, active("a")), await planFor(edge, active("a"))];
    await upload(edge.client(), timers, [theirs]);
    expect(await upload(edge.client(), timers, [mine])).toMatchObject({ generations: { [DOMAIN]: 1 } });
  });

  it("ends in a conflict if another host published another list", async () => {
    const edge = new MemoryEdge();
    const [mine, theirs] = [await planFor(edge, active("a")), await planFor(edge, active("b"))];
    await upload(edge.client(), timers, [theirs]);
    await expect(upload(edge.client(), timers, [mine])).rejects.toMatchObject({ code: "conflict" });
  });

  it("retries a commit a few times while the edge is away", async () => {
    const edge = new MemoryEdge();
    const plan = await planFor(edge, active("a"));
    edge.intercept = (_, path) => (path === "/v1/commits" ? new Response("", { status: 502 }) : undefined);
    await expect(upload(edge.client(), timers, [plan])).rejects.toMatchObject({ kind: "unreachable" });
    expect(edge.requests.filter((each) => each === "POST /v1/commits")).toHaveLength(4);
  });

  it("gives up on an edge that forgets shards or asks for unknown ones", async () => {
    const edge = new MemoryEdge();
    const plan = await planFor(edge, names(20_000));
    edge.intercept = (_, path) => (path === "/v1/commits" ? failed(409, missing(lost)) : undefined);
    const lost = { [DOMAIN]: ["00".repeat(32)] };
    await expect(upload(edge.client(), timers, [plan])).rejects.toBeInstanceOf(PublishError);
    edge.intercept = (_, path) => (path === "/v1/commits" ? failed(409, missing({})) : undefined);
    await expect(upload(edge.client(), timers, [plan])).rejects.toBeInstanceOf(PublishError);
    const own = { [DOMAIN]: blobIds(plan.packed.table) };
    edge.intercept = (_, path) => (path === "/v1/commits" ? failed(409, missing(own)) : undefined);
    await expect(upload(edge.client(), timers, [plan])).rejects.toMatchObject({ code: "missing_shards" });
  });
});

const broken = { code: "bad_request", message: "broken" } as const;
const missing = (ids: Record<string, readonly string[]>) =>
  ({ code: "missing_shards", message: "put them", missing: ids }) as const;

describe("batches", () => {
  it("have one partition and at most 500 domains each, aliases last", async () => {
    const edge = new MemoryEdge();
    const plans: DomainPlan[] = [];
    plans.push(await planFor(edge, [], { domain: "alias.example", policy: { alias: "d0.example" } }));
    for (let i = 0; i < 501; i++) plans.push(await planFor(edge, active("a"), { domain: `d${i}.example` }));
    plans.push(await planFor(edge, active("a"), { domain: "other.example", partition: 1 }));
    const batches = batchesOf(plans).map((batch) => batch.map(({ domain }) => domain));
    expect(batches.map(({ length }) => length)).toEqual([500, 2, 1]);
    expect(batches[1]).toEqual(["d500.example", "alias.example"]);
    expect(batches[2]).toEqual(["other.example"]);
    expect(batchesOf([])).toEqual([]);
  });

  it("fit into the body of a commit", async () => {
    const edge = new MemoryEdge();
    const plan = await planFor(edge, names(6_000));
    const plans = Array.from({ length: 450 }, (_, i) => ({ ...plan, domain: `d${i}.example` }));
    const batches = batchesOf(plans);
    expect(batches.length).toBeGreaterThan(1);
    for (const batch of batches) {
      expect(JSON.stringify({ domains: batch.map(commitOf) }).length).toBeLessThan(MAX_COMMIT_BODY);
    }
    expect(batches.flat()).toHaveLength(450);
  });
});
