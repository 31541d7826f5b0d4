/* Which single changes are made next, and together. */
import { beforeEach, describe, expect, it } from "vitest";
import type { CommitResult, PatchResult, Result } from "../../src/api/index.ts";
import { PatchQueue, type PatchTogether } from "../../src/registry/changes/patch-queue.ts";
import type { Changed, MailboxChanges } from "../../src/registry/protocol.ts";
import { people } from "../../testing/lists.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";
import { SECOND } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

describe("single changes that wait together", () => {
  let clock: VirtualTime;
  let queue: PatchQueue;
  /** What was made together, in order. */
  let batches: string[];

  const make: PatchTogether = async (patches, by) => {
    batches.push(`${by}: ${patches.map(({ domain, keyId }) => `${keyId}@${domain}`).join(" ")}`);
    const result = { result: { generation: 1 }, incarnation: 1, number: 1 } as Changed<PatchResult>;
    return patches.map((): Result<Changed<PatchResult>> => ({ ok: true, value: result }));
  };
  const add = (name: string, by: string, more: Partial<MailboxChanges> = {}): Promise<unknown> => {
    const changes = [[new Uint8Array(10), 0]] as const;
    const patch = { domain: "a.test", keyId: name, force: false, idempotency: null, changes, ...more };
    return queue.add(patch as unknown as MailboxChanges, by, make);
  };

  beforeEach(() => {
    clock = new VirtualTime();
    queue = new PatchQueue({ clock, timers: clock });
    batches = [];
  });

  it("are made in the order in which their domain got them: none goes before one that cannot be made with it", async () => {
    const all = [add("1", "x"), add("2", "y"), add("3", "x"), add("4", "x", { domain: "b.test" })];
    await clock.run(Promise.all(all));
    expect(batches).toEqual(["x: 1@a.test", "x: 4@b.test", "y: 2@a.test", "x: 3@a.test"]);
  });

  it("of one domain leave every second turn to other domains", async () => {
    const force = { force: true };
    const all = [
      ...["1", "2", "3"].map((name) => add(name, "x", force)),
      add("4", "y", { domain: "b.test" }),
    ];
    await clock.run(Promise.all(all));
    expect(batches).toEqual(["x: 1@a.test", "y: 4@b.test", "x: 2@a.test", "x: 3@a.test"]);
  });

  it("are a thousand of one token and 5,000 of all at most", async () => {
    const all = Array.from({ length: 5 }, (_, by) => Array.from({ length: 1_000 }, () => add("n", `t${by}`)));
    const message = (what: string) => ({
      error: { code: "unavailable", message: `${what} are waiting: try again later` },
    });
    expect(await add("n", "t6")).toMatchObject(message("5,000 changes".replace(",", "")));
    expect(await clock.run(Promise.all(all.flat()))).toHaveLength(5_000);
    const own = Array.from({ length: 1_000 }, () => add("n", "t1"));
    expect(await add("n", "t1")).toMatchObject(message("1000 changes of this token"));
    expect(await clock.run(Promise.all([...own, add("n", "t2")]))).toHaveLength(1_001);
  });

  it("are made alone if they override the guard", async () => {
    await clock.run(
      Promise.all([
        add("1", "x", { force: true }),
        add("2", "x"),
        add("3", "x", { force: true }),
        add("4", "x"),
      ]),
    );
    expect(batches).toEqual(["x: 1@a.test", "x: 2@a.test", "x: 3@a.test", "x: 4@a.test"]);
  });

  it("are made one after the other under one key, so that the second one finds the result", async () => {
    const idempotency = { key: "k", digest: "" };
    await clock.run(Promise.all([add("1", "x", { idempotency }), add("2", "x", { idempotency })]));
    expect(batches).toEqual(["x: 1@a.test", "x: 2@a.test"]);
  });
});

describe("a publish that single changes overtook", () => {
  const OTHER = "example.net";
  let desk: Desk;

  beforeEach(async () => {
    desk = await new Desk().open();
    await desk.publish(people(10));
    await desk.publish(people(10), { domain: OTHER });
  });

  /** One change. @returns milliseconds until it was made */
  async function change(name: string, domain = D): Promise<number> {
    const from = desk.world.clock.now();
    accepted(await desk.core.patch(await desk.changes({ [name]: 0 }, { domain }), "writer", null));
    return desk.world.clock.now() - from;
  }
  const run = <T>(work: Promise<T>): Promise<T> => desk.world.clock.run(work);

  /** A commit that is planned against the generation before a single change. */
  async function overtaken(): Promise<void> {
    const commit = await desk.prepare(people(11));
    await run(change(`n${commit.expect}`));
    expect(await desk.refusal([commit])).toMatchObject({ code: "conflict" });
  }

  const publish = async (): Promise<CommitResult> =>
    desk.commit([{ ...(await desk.prepare(people(11))), patched_kept: "" }]);

  it("has the next turn: changes of its domain wait until it is committed, and those of others do not", async () => {
    await overtaken();
    const waiting = change("later");
    expect(await run(change("u99", OTHER))).toBeLessThan(50);
    await run(desk.world.clock.sleep(500));
    const head = (await desk.head())?.generation;
    await publish();
    expect((await desk.head())?.generation).toBe((head ?? 0) + 2);
    expect(await run(waiting)).toBeLessThan(550);
    expect(await run(change("last"))).toBeLessThan(50);
  });

  it("has it for a second, and no change waits longer, however often publishes come too late", async () => {
    await overtaken();
    const stale = await desk.prepare(people(11), { expect: 1 });
    const waits: Promise<number>[] = [];
    for (let i = 0; i < 100; i++) {
      waits.push(change(`c${i}`));
      await run(desk.world.clock.sleep(50));
      expect(await desk.refusal([stale])).toMatchObject({ code: "conflict" });
    }
    const waited = await run(Promise.all(waits));
    expect(Math.max(...waited)).toBeLessThanOrEqual(SECOND + 20);
    expect((await desk.head())?.generation).toBeLessThan(12);
  });

  it("has it from a refused plan on, too", async () => {
    const { expect: head, key_id, canonicaliser } = await desk.prepare(people(11));
    await run(change("u98"));
    const names = { gone: "", back: "" };
    const plan = { domain: D, expect: head ?? 0, key_id, canonicaliser, policy: {}, accepted: 10, names };
    expect(refused(await desk.plan([plan]))).toMatchObject({ code: "conflict" });
    expect(await run(change("later"))).toBeGreaterThan(900);
  });

  it.each<[string, (stale: number) => Promise<unknown>]>([
    ["another publish", () => publish()],
    ["a rollback", async (expect) => accepted(await desk.rollback({ to: 1, expect }))],
  ])("has none if %s came first, since it is given up", async (_, come) => {
    await run(change("early"));
    const commit = await desk.prepare(people(11));
    await come(commit.expect ?? 0);
    expect(await desk.refusal([commit])).toMatchObject({ code: "conflict" });
    expect(await run(change("later"))).toBeLessThan(50);
  });
});
