/* Law 3: a generation is atomic and immutable. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import type { DomainKeyBody, GenerationRecord } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { startFakeEdge } from "../support/fake-edge.ts";
import { type Edges, startEdges, until, WINDOW } from "./support/edges.ts";
import { startBridge } from "./support/front-ends.ts";
import { LARGE, many, Publisher } from "./support/publishing.ts";

const short = { ROLLCALL_WINDOW: String(WINDOW) };
let edges: Edges<"a" | "b" | "behind" | "shards" | "forward" | "floor">;
let publisher: Publisher;

beforeAll(async () => {
  edges = await startEdges({
    a: short,
    b: short,
    behind: short,
    shards: short,
    forward: short,
    floor: short,
  });
  publisher = new Publisher(edges.edge.a);
});

/** Generations of a domain, newest first. */
const history = async (domain: string): Promise<readonly GenerationRecord[]> =>
  (await edges.edge.a.json<{ generations: GenerationRecord[] }>(`/v1/domains/${domain}/generations`))
    .generations;

it.concurrent("A check sees one published generation, whole: also while lists are published, at every edge", async () => {
  const domain = "moving.example";
  const { a, b, behind } = edges.edge;
  const rounds = 8;
  // In round N the list has all who stay, and guest N. Earlier guests have departed.
  const listOf = (round: number) => `${many(9)} guest${round}`;
  const roundOf = new Map<number, number>();
  roundOf.set(await publisher.publish(domain, listOf(0)), 0);
  await edges.copied();
  await behind.weather({ kv: "frozen" });

  const seen: Answer[][] = [];
  let isOver = false;
  const recipients = Array.from({ length: rounds }, (_, round) => `guest${round}@${domain}`);
  const watch = async (ask: () => Promise<readonly Answer[]>): Promise<void> => {
    while (!isOver) seen.push([...(await ask())]);
  };
  const watching = [a, b, behind].flatMap((edge) => [
    watch(() => edge.checkAll(recipients)),
    watch(() => Promise.all([0, 3, 7].map((round) => edge.check(`guest${round}@${domain}`)))),
  ]);
  for (let round = 1; round < rounds; round++) {
    roundOf.set(await publisher.publish(domain, listOf(round)), round);
  }
  const newest = [...roundOf.keys()].at(-1);
  await until(async () => (await behind.check(`user1@${domain}`)).generation === newest);
  isOver = true;
  await Promise.all(watching);

  const generations = new Set<number>();
  for (const { recipient, verdict, generation } of seen.flat()) {
    if (verdict === "unavailable") continue;
    generations.add(generation as number);
    const round = roundOf.get(generation as number) as number;
    const guest = Number(/\d+/.exec(recipient)?.[0]);
    const expected = guest === round ? "deliverable" : guest < round ? "departed" : "unknown";
    expect({ recipient, generation, verdict }).toEqual({ recipient, generation, verdict: expected });
  }
  expect(generations.size).toBeGreaterThan(2);
});

it.concurrent("A generation of many shards is answered whole: never a name of one list from the shard of another", async () => {
  const domain = "large.example";
  const { a, shards: b } = edges.edge;
  const stays = many(LARGE);
  const first = await publisher.publish(domain, `${stays} old`);
  await edges.copied();
  await b.weather({ kv: "frozen" });
  await until(async () => (await b.check(`old@${domain}`)).generation === first);
  const second = await publisher.publish(domain, `${stays} new`);
  const truth = new Map([
    [first, { old: "deliverable", new: "unknown" }],
    [second, { old: "departed", new: "deliverable" }],
  ]);
  for (const edge of [a, b]) {
    await until(async () => {
      for (const local of ["old", "new"] as const) {
        const { verdict, generation } = await edge.check(`${local}@${domain}`);
        if (verdict !== "unavailable") expect(verdict).toBe(truth.get(generation as number)?.[local]);
      }
      return (await edge.check(`new@${domain}`)).generation === second;
    });
  }
  await b.weather({ kv: "up" });
});

it.concurrent("A generation is immutable: what was published never changes, and no bytes are stored under the name of others", async () => {
  const domain = "kept.example";
  const { a } = edges.edge;
  const first = await publisher.publish(domain, "alice bob");
  const before = (await history(domain)).find(({ generation }) => generation === first);
  const manifest = new Uint8Array(await (await a.fetch(`/v1/domains/${domain}/manifest`)).arrayBuffer());
  await publisher.publish(domain, "alice bob carol");
  expect((await history(domain)).find(({ generation }) => generation === first)).toMatchObject({
    counts: before?.counts,
    time: before?.time,
  });
  // A shard is named by its own digest.
  const id = "0".repeat(64);
  const forged = await a.fetch(`/v1/domains/${domain}/shards/${id}`, { method: "PUT", body: manifest });
  expect(forged.status).toBe(400);
  // A commit that was planned against another head changes nothing.
  const key = (await a.json(`/v1/domains/${domain}/key`)) as DomainKeyBody;
  const head = await a.json<{ generation: number; shards: unknown }>(`/v1/domains/${domain}`);
  const stale = await a.post("/v1/commits", {
    domains: [
      {
        domain,
        expect: first,
        epoch: key.epoch,
        key_id: key.key_id,
        canonicaliser: key.canonicaliser,
        sentinels: [],
        shards: head.shards,
      },
    ],
    force: true,
  });
  expect(stale.status).toBe(409);
  expect(await stale.json()).toMatchObject({ error: { code: "conflict", head: head.generation } });
  expect(await a.json(`/v1/domains/${domain}`)).toMatchObject({ generation: head.generation });
});

it.concurrent("Numbers only rise, over all domains: publish, mode, delete and publish again", async () => {
  const numbers: number[] = [];
  for (const domain of ["one.example", "two.example"]) {
    numbers.push(await publisher.publish(domain, "alice"));
    numbers.push(await publisher.publish(domain, "alice bob"));
    numbers.push(await publisher.publish(domain, "alice bob", "--observe"));
    expect(await publisher.run(`delete ${domain} --yes`)).toMatchObject({ code: 0 });
    numbers.push((await edges.edge.a.json<{ generation: number }>(`/v1/domains/${domain}`)).generation);
    numbers.push(await publisher.publish(domain, "alice"));
  }
  expect(numbers).toEqual([...new Set(numbers)].sort((x, y) => x - y));
});

it.concurrent("A rollback publishes old content under a new number", async () => {
  const domain = "back.example";
  const { a, b } = edges.edge;
  const first = await publisher.publish(domain, "alice bob zoe,disabled");
  const second = await publisher.publish(domain, "alice bob zoe");
  const response = await a.post(`/v1/domains/${domain}/rollback`, { to: first, expect: second });
  const { generation: third } = (await response.json()) as { generation: number };
  expect(third).toBeGreaterThan(second);
  for (const edge of [a, b]) {
    await until(async () => (await edge.check(`zoe@${domain}`)).generation === third);
    expect(await edge.check(`zoe@${domain}`)).toMatchObject({ verdict: "departed", generation: third });
  }
  expect((await history(domain)).map(({ generation }) => generation)).toEqual([third, second, first]);
});

it.concurrent("No isolate ever goes back, even if KV shows it an older list and the Registry is away", async () => {
  const domain = "forward.example";
  const { forward: b } = edges.edge;
  const first = await publisher.publish(domain, "alice bob zoe");
  await edges.copied();
  await b.weather({ kv: "frozen" });
  await until(async () => (await b.check(`alice@${domain}`)).generation === first);
  const numbers: number[] = [];
  const look = async (): Promise<number> => {
    const { generation } = await b.check(`alice@${domain}`);
    if (generation !== null) numbers.push(generation);
    return generation ?? 0;
  };
  let head = first;
  for (let round = 0; round < 3; round++) {
    head = await publisher.publish(domain, `alice bob zoe guest${round}`);
    await until(async () => (await look()) === head);
  }
  await b.weather({ registry: "fails" });
  for (const end = Date.now() + 1_500 * WINDOW; Date.now() < end; ) await look();
  expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
  expect(numbers.at(-1)).toBe(head);
  await b.weather({ registry: "up", kv: "up" });
});

it.concurrent("A client that has seen a generation is not answered from an older one: the minimum generation of a request, and the bridge's", async () => {
  const domain = "floor.example";
  const { a, floor: behind } = edges.edge;
  const first = await publisher.publish(domain, "alice bob zoe");
  await edges.copied();
  await behind.weather({ kv: "frozen", registry: "fails" });
  await behind.restart();
  expect(await behind.check(`zoe@${domain}`)).toMatchObject({ verdict: "deliverable", generation: first });
  const second = await publisher.publish(domain, "alice bob newcomer");
  expect(await behind.check(`zoe@${domain}`, { [domain]: second })).toMatchObject({ verdict: "unavailable" });
  expect(await behind.check(`zoe@${domain}`, { [domain]: first })).toMatchObject({ generation: first });

  // The bridge asks the newer isolate first, and is then routed to the one that is behind.
  const floors: unknown[] = [];
  let target = a;
  const road = await startFakeEdge(({ path, body }, response) => {
    floors.push((JSON.parse(body) as { floor?: unknown }).floor);
    void target.fetch(path, { method: "POST", body }).then(async (got) => {
      response.writeHead(got.status, { "content-type": "application/json" }).end(await got.text());
    });
  });
  const bridge = await startBridge(road.url);
  expect(await bridge.act("line", `alice@${domain}`)).toBe("accept");
  target = behind;
  expect(await bridge.act("line", `zoe@${domain}`)).toBe("defer");
  expect(await bridge.act("line", `newcomer@${domain}`)).toBe("defer");
  expect(floors[0]).toBeUndefined();
  expect(floors.slice(1).every((floor) => (floor as Record<string, number>)[domain] === second)).toBe(true);
  await behind.weather({ registry: "up" });
  await until(async () => (await bridge.act("line", `newcomer@${domain}`)) === "accept");
});

it.concurrent("A commit of several domains is one generation: all of them, or none", async () => {
  const { a } = edges.edge;
  // Its folder has settings.
  const host = new Publisher(a);
  const domains = ["both1.example", "both2.example"];
  const single = await host.publish(domains[0] as string, "alice");
  const describe = async (domain: string) => {
    const { epoch, key_id, canonicaliser } = await a.json<DomainKeyBody>(`/v1/domains/${domain}/key`);
    return { domain, expect: null as number | null, epoch, key_id, canonicaliser, sentinels: [] as unknown };
  };
  const { shards } = await a.json<{ shards: unknown }>(`/v1/domains/${domains[0]}`);
  const parts = await Promise.all(domains.map(describe));
  const commit = { domains: parts.map((part) => ({ ...part, shards })) };
  // The first is planned against no head, but has one. So neither of the two is made.
  expect((await a.post("/v1/commits", commit)).status).toBe(409);
  expect((await a.fetch(`/v1/domains/${domains[1]}`)).status).toBe(404);
  expect(await a.json(`/v1/domains/${domains[0]}`)).toMatchObject({ generation: single });
  const lists = domains.map(
    (domain) => `[domains."${domain}"]\nlist = "${host.write(domain, "alice bob")}"\n`,
  );
  writeFileSync(join(host.cwd, "rollcall.toml"), lists.join(""));
  const { stdout } = await host.run("publish --yes --json");
  const made = JSON.parse(stdout) as { domains: { generation: number }[] };
  expect(new Set(made.domains.map(({ generation }) => generation)).size).toBe(1);
});
