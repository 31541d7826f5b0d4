/* A large commit is judged step by step before its transaction. What was judged is what is committed, whatever comes between. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { CommitResult, DomainCommit } from "../../src/api/index.ts";
import {
  atOnce,
  decodeLists,
  departureColumns,
  type ManifestRecord,
  UNLISTED,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { commit, commitOf, judgeCommit } from "../../src/registry/commits/commit.ts";
import { COMMITTED_IN_A_ROW } from "../../src/registry/commits/commit-in-steps.ts";
import { FairQueue } from "../../src/registry/commits/fair-queue.ts";
import { rollbackOf } from "../../src/registry/commits/rollback.ts";
import { Records } from "../../src/registry/generations/records.ts";
import { people } from "../../testing/lists.ts";
import { FULL } from "../support/full.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const MANY = FULL ? 40_000 : 20_000;
const OTHER = "other.example";
const SECOND = 1_000;

let desk: Desk;
/** A list of which a tenth is other people than in the head. */
let next: DomainCommit;

beforeEach(async () => {
  desk = await new Desk().open();
  await desk.publish(people(MANY));
  next = await desk.prepare(people(MANY, MANY / 20));
});

type Answer = Awaited<ReturnType<Desk["core"]["commit"]>>;
const send = (domains: readonly DomainCommit[], by = "tester", more = {}): Promise<Answer> =>
  desk.core.commit({ domains, ...more }, by, null);
const run = <T>(work: Promise<T>): Promise<T> => desk.world.clock.run(work);
const numberOf = (answer: Answer, domain = D): number =>
  (accepted(answer).result as CommitResult).generations[domain] as number;

/** Runs `between` after some steps of the judgement of a commit. */
function meanwhile(steps: number, between: () => Promise<void> | void): void {
  const { clock } = desk.world;
  const sleep = clock.sleep.bind(clock);
  let left = steps;
  vi.spyOn(clock, "sleep").mockImplementation(async (ms, nap) => {
    await sleep(ms, nap);
    if (ms === 0 && --left === 0) await between();
  });
}
/** The seconds until which those are deferred who left. */
const untilOf = ({ departures }: ManifestRecord): number[] => {
  const read = (id: string): Uint8Array =>
    desk.world.registry().storage.sql("SELECT bytes FROM blobs WHERE id = ?", id)[0]?.bytes as Uint8Array;
  return departureColumns({ read }, departures).flatMap(({ until }) => [...until]);
};
const ledger = (domain = D): string =>
  JSON.stringify(
    ["guard_ledgers", "guard_spans"].map((table) =>
      desk.world.registry().sql(`SELECT * FROM ${table} WHERE domain = ?`, domain),
    ),
  );

describe("a commit of many names", () => {
  it("lets others have their turn while it is judged, and few of its names are looked at in a row", async () => {
    const sleep = vi.spyOn(desk.world.clock, "sleep");
    expect(numberOf(await run(send([next])))).toBe(2);
    expect(sleep.mock.calls.length).toBeGreaterThan((2 * MANY) / 5_000);
    expect((await desk.head())?.counts.active).toBe(MANY);
  });

  it("of few names waits for nobody", async () => {
    const sleep = vi.spyOn(desk.world.clock, "sleep");
    await desk.publish(people(100), { domain: OTHER });
    await desk.publish(people(99), { domain: OTHER });
    expect(sleep).not.toHaveBeenCalled();
  });

  it("becomes what it becomes in one step: the same list, departures and ledger", async () => {
    const whole = await new Desk().open();
    await whole.publish(people(MANY));
    const { clock, keyFor } = whole.world;
    const { storage } = whole.world.registry();
    const records = new Records(storage, { hashing: stablelibHashing, keyFor });
    const context = { storage, records, keyFor, hashing: stablelibHashing, now: clock.now(), reach: null };
    const request = { domains: [await whole.prepare(people(MANY, MANY / 20))] };
    storage.transaction(() =>
      commit(context, request, "tester", atOnce(judgeCommit(context, request, "tester", 10 * SECOND))),
    );
    const { clock: own } = desk.world;
    // Nothing takes time here.
    vi.spyOn(own, "sleep").mockImplementation(() => Promise.resolve());
    await run(send([next]));
    const tables = ["heads", "generations", "summaries", "guard_ledgers", "guard_spans", "left_blobs"];
    for (const table of tables) {
      const of = ({ world }: Desk): unknown => world.registry().sql(`SELECT * FROM ${table}`);
      expect([table, of(desk)]).toEqual([table, of(whole)]);
    }
    expect((await desk.head())?.departures.count).toBe(MANY / 20);
  });

  it("defers who leaves for the whole grace, counted from when it is the head, however long it is judged", async () => {
    const { clock } = desk.world;
    meanwhile(2, () => clock.sleep(8 * SECOND));
    await run(send([next]));
    const head = (await desk.head()) as ManifestRecord;
    expect(head.time).toBe(clock.now());
    for (const until of new Set(untilOf(head))) {
      expect(until * SECOND).toBeGreaterThanOrEqual(clock.now() + head.policy.grace * SECOND);
      expect(until * SECOND).toBeLessThanOrEqual(clock.now() + (head.policy.grace + 14) * SECOND);
    }
  });

  it("defers nobody who leaves without a grace, since there is none to prolong", async () => {
    await desk.publish(people(MANY), { policy: { grace: 0 } });
    await run(send([await desk.prepare(people(MANY, MANY / 20))]));
    expect((await desk.head())?.departures.count).toBe(0);
  });

  it("is judged again if that took longer than those who leave are deferred for it", async () => {
    const { clock } = desk.world;
    meanwhile(2, () => clock.sleep(11 * SECOND));
    const sleep = vi.mocked(clock.sleep);
    await run(send([next]));
    const head = (await desk.head()) as ManifestRecord;
    for (const until of new Set(untilOf(head)))
      expect(until * SECOND).toBeGreaterThanOrEqual(clock.now() + head.policy.grace * SECOND);
    expect(sleep.mock.calls.filter(([ms]) => ms === 0).length).toBeGreaterThan(10);
  });

  it("is unavailable, and changes nothing, if it takes too long again and again", async () => {
    const { clock } = desk.world;
    const sleep = clock.sleep.bind(clock);
    vi.spyOn(clock, "sleep").mockImplementation((ms, nap) => sleep(ms === 0 ? 301 * SECOND : ms, nap));
    const before = ledger();
    expect(refused(await clock.run(send([next]), 86_400 * SECOND))).toMatchObject({ code: "unavailable" });
    expect([(await desk.head())?.generation, ledger()]).toEqual([1, before]);
  });

  it("that the guard refuses leaves nothing behind, neither ledger nor blobs", async () => {
    const few = await desk.prepare(people(1));
    const tables = (): unknown =>
      ["guard_ledgers", "guard_spans", "blobs", "generations"].map((table) =>
        desk.world.registry().sql(`SELECT count(*) AS n FROM ${table}`),
      );
    const before = [tables(), ledger()];
    expect(refused(await run(send([few])))).toMatchObject({ code: "guard" });
    expect([tables(), ledger()]).toEqual(before);
  });
});

describe("between the judgement of a large commit and its transaction", () => {
  it("a single change waits, and is made after it", async () => {
    const order: string[] = [];
    let change: Promise<unknown> = Promise.resolve();
    meanwhile(2, async () => {
      const changes = await desk.changes({ newcomer: 0 });
      change = desk.core.patch(changes, "tester", null).then((answer) => {
        order.push(`change ${accepted(answer).result.generation}`);
      });
    });
    const commit = send([next]).then((answer) => void order.push(`commit ${numberOf(answer)}`));
    await run(commit);
    await run(change);
    expect(order).toEqual(["commit 2", "change 3"]);
    expect((await desk.head())?.counts.active).toBe(MANY + 1);
  });

  it("a single change waits for ten seconds at most, and the commit ends with a conflict and has the next turn", async () => {
    const { clock } = desk.world;
    let change: Promise<unknown> = Promise.resolve();
    let late: ManifestRecord | null = null;
    meanwhile(2, async () => {
      change = desk.core.patch(await desk.changes({ newcomer: 0 }), "tester", null);
      await clock.sleep(9.9 * SECOND);
      late = await desk.head();
      await clock.sleep(SECOND);
    });
    expect(refused(await run(send([next])))).toMatchObject({ code: "conflict", domain: D, head: 2 });
    expect(late).toMatchObject({ generation: 1 });
    await run(change);
    expect((await desk.head())?.counts.active).toBe(MANY + 1);
  });

  it("a single change of another domain need not wait, and the ledger fits the later number", async () => {
    await desk.publish(people(3), { domain: OTHER });
    meanwhile(2, async () => {
      const changes = await desk.changes({ newcomer: 0 }, { domain: OTHER });
      await desk.core.patch(changes, "tester", null);
    });
    const answer = await run(send([next]));
    expect(numberOf(answer)).toBe(4);
    // All that left at 4 is back at 5, and gone at 6: generation 1 lost it once, generation 5 too.
    const lists = (): string => JSON.stringify(desk.world.registry().sql("SELECT * FROM guard_ledgers"));
    expect(lists()).not.toBe("");
    vi.restoreAllMocks();
    expect(numberOf(await run(send([await desk.prepare(people(MANY))])))).toBe(5);
    const gone = await desk.prepare(people(MANY, MANY / 20));
    expect(numberOf(await run(send([gone])))).toBe(6);
    // Together with these it is more than generations 1 and 5 may lose, whose names are the same.
    const more = await desk.prepare(people(MANY, MANY / 10));
    const twin = await new Desk().open();
    await twin.publish(people(MANY));
    const steps = [people(MANY, MANY / 20), people(MANY), people(MANY, MANY / 20)];
    for (const list of steps) {
      const commit = await twin.prepare(list);
      accepted(await twin.world.clock.run(twin.core.commit({ domains: [commit] }, "tester", null)));
    }
    const same = await twin.prepare(people(MANY, MANY / 10));
    const says = async (of: Desk, commit: DomainCommit): Promise<unknown> => {
      const result = await of.world.clock.run(of.core.commit({ domains: [commit] }, "tester", null));
      return result.ok ? "accepted" : result.error.message.replace(/\d+/g, "N");
    };
    expect(await says(desk, more)).toBe(await says(twin, same));
  });

  it("time passes, and the guard protects the list before it for a day from when it was replaced", async () => {
    const { clock } = desk.world;
    await desk.publish(people(3), { domain: OTHER });
    meanwhile(2, async () => {
      await desk.publish(people(4), { domain: OTHER });
      await clock.sleep(8 * SECOND);
    });
    expect(numberOf(await run(send([next])))).toBe(4);
    const rows = desk.world.registry().sql("SELECT lists FROM guard_ledgers WHERE domain = ?", D);
    const superseded = Math.ceil(clock.now() / SECOND);
    expect(decodeLists(rows[0]?.lists as Uint8Array)).toEqual([
      { generation: 1, accepted: MANY, lost: MANY / 20, superseded },
      { generation: 4, accepted: MANY, lost: 0, superseded: null },
    ]);
  });

  it("another list makes it a conflict, and not a damage or a refusal by what it was judged by", async () => {
    const few = await desk.prepare(people(1));
    meanwhile(2, async () => void (await desk.rollback({ to: 1, expect: 1 })));
    expect(refused(await run(send([few])))).toMatchObject({ code: "conflict", head: 2 });
  });

  it.each<[string, () => Promise<void>, { head: number; served: boolean }]>([
    [
      "a rollback",
      async () => void accepted(await desk.rollback({ to: 1, expect: 1 })),
      { head: 2, served: true },
    ],
    ["a deletion", async () => void (await desk.remove()), { head: 2, served: false }],
    [
      "a change of the mode",
      async () => void accepted(await desk.core.setMode(D, { mode: "defer" }, "tester", null)),
      { head: 2, served: true },
    ],
  ])("%s makes it a conflict, and stays as it is", async (_, between, { head, served }) => {
    meanwhile(2, between);
    expect(refused(await run(send([next])))).toMatchObject({ code: "conflict", domain: D, head });
    const manifest = (await desk.head()) as ManifestRecord;
    expect([manifest.generation, manifest.deletedUntil === null]).toEqual([head, served]);
  });

  it("a restart cuts it off: nothing is committed, and the same commit is made again afterwards", async () => {
    const registry = desk.world.registry();
    const before = ledger();
    meanwhile(2, () => registry.restart());
    await expect(run(send([next]))).rejects.toThrow("this object was reset");
    vi.restoreAllMocks();
    const core = registry.core({ partition: 0, partitions: 1 });
    expect([accepted(await core.head(D)) !== null, ledger()]).toEqual([true, before]);
    expect(numberOf(await run(core.commit({ domains: [next] }, "tester", null)))).toBe(2);
  });

  it("shards that are lost are missing again", async () => {
    const { ids } = next.shards as { readonly ids: readonly string[] };
    meanwhile(2, () => void desk.world.registry().sql("DELETE FROM blobs WHERE id = ?", ids[0] as string));
    expect(refused(await run(send([next])))).toMatchObject({ missing: { [D]: [ids[0]] } });
    expect((await desk.head())?.generation).toBe(1);
  });

  it("a tombstone that is forgotten makes that it is judged again", async () => {
    const first = { ...(await desk.prepare(people(MANY, 7))), expect: null };
    await desk.remove();
    meanwhile(2, () => {
      for (const table of ["heads", "generations"])
        desk.world.registry().sql(`DELETE FROM ${table} WHERE domain = ?`, D);
    });
    expect(numberOf(await run(send([first], "tester", { force: true })))).toBe(3);
    expect((await desk.head())?.counts.active).toBe(MANY);
  });

  it("an alias that comes to point at it is seen", async () => {
    await desk.publish(people(2), { domain: OTHER });
    const alias = { ...next, policy: { alias: OTHER } };
    const empty = await desk.prepare([], { domain: OTHER, policy: { alias: D } });
    // It is no alias, and becomes the target of one while it is judged: that is allowed, and both are what they say.
    meanwhile(2, async () => void (await desk.commit([empty], { force: true })));
    expect(numberOf(await run(send([next])))).toBe(4);
    expect(refused(await run(send([{ ...alias, expect: 4 }])))).toMatchObject({ code: "bad_request" });
  });
});

describe("a rollback of many names", () => {
  type Rolled = Awaited<ReturnType<Desk["rollback"]>>;
  const back = (more = {}): Promise<Rolled> => desk.rollback({ to: 1, expect: 2, ...more });

  beforeEach(async () => {
    numberOf(await run(send([next])));
  });

  it("lets others have their turn while it is judged, and becomes what it becomes in one step", async () => {
    const whole = await new Desk().open();
    await whole.publish(people(MANY));
    vi.spyOn(whole.world.clock, "sleep").mockImplementation(() => Promise.resolve());
    accepted(
      await whole.core.commit({ domains: [await whole.prepare(people(MANY, MANY / 20))] }, "tester", null),
    );
    const { clock, keyFor } = whole.world;
    const { storage } = whole.world.registry();
    const records = new Records(storage, { hashing: stablelibHashing, keyFor });
    const context = { storage, records, keyFor, hashing: stablelibHashing, now: clock.now(), reach: null };
    const rollback = rollbackOf(D, { to: 1, expect: 2 }, "tester");
    storage.transaction(() => rollback.make(context, atOnce(rollback.judge(context, 10 * SECOND))));
    const sleep = vi.spyOn(desk.world.clock, "sleep").mockImplementation(() => Promise.resolve());
    accepted(await run(back()));
    // Each name is looked at five times.
    expect(sleep.mock.calls.length).toBeGreaterThan((5 * MANY) / COMMITTED_IN_A_ROW);
    const contents = ({ world }: Desk): unknown =>
      world.registry().sql("SELECT bytes FROM blobs ORDER BY id").length;
    expect(contents(desk)).toBe(contents(whole));
    expect((await desk.head())?.counts).toEqual((await whole.head())?.counts);
    expect((await desk.head())?.departures.count).toBe((await whole.head())?.departures.count);
  });

  it("defers who leaves for the whole grace, counted from when it is the head", async () => {
    const { clock } = desk.world;
    meanwhile(2, () => clock.sleep(8 * SECOND));
    accepted(await run(back()));
    const head = (await desk.head()) as ManifestRecord;
    const left = untilOf(head).filter((until) => until * SECOND > clock.now());
    expect(left.length).toBeGreaterThanOrEqual(MANY / 20);
    for (const until of new Set(left))
      expect(until * SECOND).toBeGreaterThanOrEqual(clock.now() + head.policy.grace * SECOND);
  });

  it("makes a single change wait, which is made on its list", async () => {
    let change: Promise<unknown> = Promise.resolve();
    meanwhile(2, async () => {
      change = desk.core.patch(await desk.changes({ newcomer: 0 }), "tester", null);
    });
    expect(accepted(await run(back())).result.generation).toBe(3);
    await run(change);
    expect(await desk.head()).toMatchObject({ generation: 4, counts: { active: MANY + 1 } });
  });

  it("removes again who is removed with --now while it is judged, although that makes no new head", async () => {
    const { clock } = desk.world;
    // In the list to restore, not in the head, and deferred no more.
    await clock.advance(2 * 3_600 * SECOND);
    let change: Promise<unknown> = Promise.resolve();
    meanwhile(2, async () => {
      await clock.sleep(11 * SECOND);
      vi.restoreAllMocks();
      // It is judged again, and for longer than a single change waits.
      meanwhile(2, async () => {
        change = desk.core.patch(await desk.changes({ u5: UNLISTED }, { atOnce: true }), "tester", null);
        await clock.sleep(11 * SECOND);
      });
    });
    expect(accepted(await run(back())).result.generation).toBe(3);
    await change;
    expect((await desk.head())?.counts.active).toBe(MANY - 1);
  });

  it.each<[string, () => Promise<unknown>, number]>([
    [
      "a single change that has waited for ten seconds",
      async () => {
        const change = desk.core.patch(await desk.changes({ newcomer: 0 }), "tester", null);
        await desk.world.clock.sleep(11 * SECOND);
        await change;
      },
      3,
    ],
    ["a deletion", () => desk.remove(), 3],
    ["a change of the mode", () => desk.core.setMode(D, { mode: "defer" }, "tester", null), 3],
  ])("is a conflict after %s, which stays as it is", async (_, between, head) => {
    meanwhile(2, async () => {
      vi.restoreAllMocks();
      await between();
    });
    expect(refused(await run(back()))).toMatchObject({ code: "conflict", domain: D, head });
    expect((await desk.head())?.generation).toBe(head);
  });

  it("is not found, and no damage, if the list to restore is pruned while it is judged", async () => {
    meanwhile(2, () => void desk.world.registry().sql("DELETE FROM generations WHERE number = 1"));
    expect(refused(await run(back()))).toMatchObject({ code: "not_found", domain: D });
    expect((await desk.head())?.generation).toBe(2);
  });
});

describe("several at a time", () => {
  it("of one domain: one is made, the other is a conflict", async () => {
    const other = await desk.prepare(people(MANY, MANY / 40));
    const answers = await run(Promise.all([send([next], "a"), send([other], "b")]));
    expect(answers.map((answer) => (answer.ok ? "made" : answer.error.code)).sort()).toEqual([
      "conflict",
      "made",
    ]);
    expect((await desk.head())?.generation).toBe(2);
  });

  it("a plan beside it has its turn, and one that it overtook is a conflict", async () => {
    const { expect: head, key_id, canonicaliser } = next;
    const plan = {
      ...{ domain: D, expect: head ?? 0, key_id, canonicaliser, policy: {}, accepted: MANY },
      names: { gone: "", back: "" },
    };
    const first = desk.core.plan({ domains: [plan] }, null, "planner");
    const commit = send([next]);
    const late = desk.core.plan({ domains: [plan] }, null, "planner");
    const [judged, made, overtaken] = await run(Promise.all([first, commit, late]));
    expect(accepted(judged)).toEqual({ refusals: { [D]: null } });
    expect(numberOf(made)).toBe(2);
    expect(refused(overtaken)).toMatchObject({ code: "conflict" });
  });

  it("tokens take turns, and a small commit waits for none of them", async () => {
    const domains = ["a.example", "b.example", "c.example"];
    for (const domain of domains) await desk.publish(people(MANY), { domain });
    const [a, b, c] = (await Promise.all(
      domains.map((domain) => desk.prepare(people(MANY, MANY / 20), { domain })),
    )) as [DomainCommit, DomainCommit, DomainCommit];
    const small = await desk.prepare(people(3), { domain: OTHER });
    const order: string[] = [];
    const note = (what: string, answer: Promise<Answer>): Promise<void> =>
      answer.then((it) => void order.push(`${what} ${it.ok ? "made" : it.error.code}`));
    await run(
      Promise.all([
        note("a of one", send([a], "one")),
        note("b of one", send([b], "one")),
        note("c of two", send([c], "two")),
        note("small of one", send([small], "one")),
      ]),
    );
    expect(order).toEqual(["small of one made", "a of one made", "c of two made", "b of one made"]);
  });

  it("more commits than may wait are unavailable, and plans are counted apart from them", async () => {
    const queue = new FairQueue();
    const never = (): Promise<never> => new Promise(() => undefined);
    for (let i = 0; i < 16; i++) void queue.add("commits", "one", 0, never);
    await expect(queue.add("commits", "one", 0, never)).rejects.toThrow(
      "16 commits of this token are waiting",
    );
    void queue.add("plans", "one", 0, never);
    void queue.add("plans", "one", 0, never);
    await expect(queue.add("plans", "one", 0, never)).rejects.toThrow("2 plans of this token are waiting");
    for (let i = 0; i < 48; i++) void queue.add("commits", `t${i}`, 0, never);
    await expect(queue.add("commits", "last", 0, never)).rejects.toThrow("64 commits are waiting");
  });

  it("a commit counts for the octets of the names that it names, over its domains", async () => {
    const one = await desk.prepare(people(10));
    const domains = [{ ...one, covered: "AAAAAAAB" }, one, { ...one, covered: "AAAAAAABAAAAAAAC" }];
    expect(commitOf({ domains }, "tester").octets).toBe(8 + 16);
  });

  it("what waits and is judged holds 32 MiB at most, over all tokens and kinds; what is alone is always judged", async () => {
    const queue = new FairQueue();
    const most = 32 * 1024 * 1024;
    const ends: (() => void)[] = [];
    const add = (kind: "plans" | "commits", by: string, octets: number): Promise<void> =>
      queue.add(kind, by, octets, () => new Promise<void>((resolve) => ends.push(resolve)));
    const alone = add("plans", "one", most + 1);
    await expect(add("commits", "two", 1)).rejects.toThrow(
      `${most + 1} octets of plans and commits are waiting`,
    );
    ends[0]?.();
    await alone;
    const running = add("plans", "one", most - 2);
    const waiting = add("commits", "two", 1);
    const last = add("plans", "three", 1);
    await expect(add("plans", "four", 1)).rejects.toMatchObject({ error: { code: "unavailable" } });
    ends[1]?.();
    await running;
    const after = add("plans", "four", most - 2);
    for (const [i, each] of [waiting, last, after].entries()) {
      while (ends.length < i + 3) await Promise.resolve();
      ends[i + 2]?.();
      await each;
    }
  });
});

it("a name that a single change took out before the commit was planned stays out", async () => {
  const changes = await desk.changes({ u5: UNLISTED });
  accepted(await run(desk.core.patch(changes, "tester", null)));
  const answer = await run(send([{ ...next, expect: 2 }]));
  expect(refused(answer)).toMatchObject({ code: "patched_names" });
});
