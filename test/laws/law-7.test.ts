/* Law 7: the cost of a check does not depend on who asks, or for what. Operations are counted where they leave the Worker. */
import { beforeAll, expect, it } from "vitest";
import { type Count, type Edges, FAIR, type LawEdge, startEdges, until } from "./support/edges.ts";
import { LARGE, many, Publisher } from "./support/publishing.ts";

const SMALL = "small.example";
const BIG = "large.example";
/** Shards of the large domain. */
const SHARDS = 2;
const SERVED = Array.from({ length: 40 }, (_, i) => `served${i}.example`);
/** Time between refreshes: half of the default window, ms. */
const HALF_WINDOW = 15_000;
/** Manifests of unknown domains that an isolate may read before it knows the served domains. */
const COLD = 16;

let edges: Edges<"counted">;
let edge: LawEdge;
let publisher: Publisher;
let made = 0;

beforeAll(async () => {
  edges = await startEdges({ counted: {} });
  edge = edges.edge.counted;
  publisher = new Publisher(edge);
  await publisher.publish(SMALL, "alice bob");
  await publisher.publish(BIG, many(LARGE));
  for (const domain of SERVED) await publisher.publish(domain, "alice");
  await edges.copied();
});

interface Spent extends Count {
  /** Refreshes that were due because of time alone. */
  readonly refreshes: number;
  readonly seconds: number;
}

/** What checks cost in an isolate. */
async function costOf(ask: () => Promise<unknown>, isCold: boolean): Promise<Spent> {
  if (isCold) await edge.restart();
  await edge.spent();
  const begun = Date.now();
  await ask();
  // Background work after the last answer counts too.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const count = await edge.spent();
  const ms = Date.now() - begun;
  return { ...count, refreshes: 1 + Math.ceil(ms / HALF_WINDOW), seconds: ms / 1_000 };
}

/** Asks about new names or domains, a thousand at a time. */
async function askMany(count: number, recipient: (i: number) => string, verdict: string): Promise<void> {
  for (let asked = 0; asked < count; asked += 1_000) {
    const recipients = Array.from({ length: 1_000 }, () => recipient(made++));
    const verdicts = new Set((await edge.checkAll(recipients)).map((answer) => answer.verdict));
    expect([...verdicts]).toEqual([verdict]);
  }
}

it("Reads are bounded by the number of refreshes, however many names of one domain are tried", async () => {
  const one = await costOf(() => edge.check(`x${made++}@${SMALL}`), true);
  expect(one.kv).toBeGreaterThan(0);
  const cost = await costOf(() => askMany(30_000, (i) => `x${i}@${SMALL}`, "unknown"), true);
  // Its manifest, again after a pause of a whole window.
  expect(cost.kv).toBeLessThanOrEqual(1 + cost.refreshes);
  expect(cost.registry).toBeLessThanOrEqual(cost.refreshes);
  const warm = await costOf(() => askMany(10_000, (i) => `y${i}@${SMALL}`, "unknown"), false);
  expect(warm.kv + warm.registry).toBeLessThanOrEqual(2 * (warm.refreshes - 1));
});

it("Reads are bounded by the number of shards, however many names of a domain with many shards are tried", async () => {
  const cost = await costOf(() => askMany(30_000, (i) => `x${i}@${BIG}`, "unknown"), true);
  expect(cost.kv).toBeLessThanOrEqual(1 + SHARDS + cost.refreshes);
  expect(cost.kv).toBeGreaterThanOrEqual(1 + SHARDS);
  expect(cost.registry).toBeLessThanOrEqual(cost.refreshes);
});

it("Reads are bounded by the number of refreshes, however many unserved domains are tried", async () => {
  const cold = await costOf(() => askMany(1_000, (i) => `a@x${i}.example`, "not-served"), true);
  expect(cold.kv).toBeLessThanOrEqual(COLD + cold.refreshes);
  expect(cold.registry).toBeLessThanOrEqual(cold.refreshes);
  const warm = await costOf(() => askMany(20_000, (i) => `a@y${i}.example`, "not-served"), false);
  expect(warm.kv + warm.registry).toBeLessThanOrEqual(2 * (warm.refreshes - 1));
});

it("Reads are bounded by the number of served domains, however many of their names are tried", async () => {
  const sweep = (verdict: string) => askMany(5_000, (i) => `n${i}@${SERVED[i % SERVED.length]}`, verdict);
  const cold = await costOf(() => sweep("unknown"), true);
  expect(cold.kv).toBeLessThanOrEqual(SERVED.length + cold.refreshes);
  expect(cold.kv).toBeGreaterThanOrEqual(SERVED.length);
  expect(cold.registry).toBeLessThanOrEqual(cold.refreshes);
  const warm = await costOf(() => sweep("unknown"), false);
  expect(warm.kv + warm.registry).toBeLessThanOrEqual(2 * (warm.refreshes - 1));
});

it("Many clients that ask a cold isolate at the same time cost as much as one", async () => {
  const cost = await costOf(async () => {
    const answers = await Promise.all(Array.from({ length: 150 }, () => edge.check(`x${made++}@${BIG}`)));
    expect(new Set(answers.map(({ verdict }) => verdict))).toEqual(new Set(["unknown"]));
  }, true);
  expect(cost.kv).toBeLessThanOrEqual(1 + SHARDS + cost.refreshes);
  expect(cost.registry).toBeLessThanOrEqual(cost.refreshes);
});

it("The cost of a check does not depend on who asks: a token is verified without a read, valid or not", async () => {
  const tokens = await Promise.all([
    publisher.token("--role check --all-domains"),
    publisher.token(`--role check --domain ${SMALL}`),
    publisher.token(`--role check --domain ${BIG}`),
  ]);
  await edge.check(`x@${SMALL}`);
  await edge.check(`x@${BIG}`);
  const good = await costOf(async () => {
    for (const [i, token] of tokens.entries()) {
      const response = await edge.post("/v1/rcpt", { recipients: [`x${i}@${SMALL}`, `user1@${BIG}`] }, token);
      expect(response.status).toBe(200);
    }
  }, false);
  expect(good.kv + good.registry).toBeLessThanOrEqual(2 * (good.refreshes - 1));
  const bad = await costOf(async () => {
    const [, payload = "", mac = ""] = (tokens[0] as string).split(".");
    for (let i = 0; i < 200; i++) {
      const guess = i % 2 === 0 ? `rc1.${payload}.${mac.slice(0, -3)}${100 + i}` : `guess-${i}`;
      // Once in many runs, the guess is the token itself.
      if (tokens[0] === guess) continue;
      expect((await edge.post("/v1/rcpt", { recipient: `x${i}@${SMALL}` }, guess)).status).toBe(401);
    }
  }, true);
  expect(bad).toMatchObject({ kv: 0, registry: 0 });
});

it("If KV and the Registry fail, more checks do not cause more requests to them", async () => {
  await edge.weather({ kv: "fails", registry: "fails" });
  const cost = await costOf(async () => {
    await askMany(5_000, (i) => `x${i}@${SMALL}`, "unavailable");
    await askMany(5_000, (i) => `x${i}@z${i}.example`, "unavailable");
  }, true);
  await edge.weather(FAIR);
  // A refresh that failed is begun again after a second, and so is what was read in vain before it is known who is
  // served: a few domains between two refreshes.
  const rounds = 2 + Math.ceil(cost.seconds);
  expect(cost.registry).toBeLessThanOrEqual(rounds * (COLD + 2));
  expect(cost.kv).toBeLessThanOrEqual(rounds * (COLD + 2));
  await until(async () => (await edge.check(`alice@${SMALL}`)).action === "accept");
});
