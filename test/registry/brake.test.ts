/* The brake: names that left and are still asked for too often stay deferred until a person decides. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DomainDescription, GenerationRecord, Question } from "../../src/api/index.ts";
import {
  addToSketch,
  fingerprint,
  fingerprintIn,
  newSketch,
  packSketch,
  sentinels,
  toBase64Url,
} from "../../src/directory/index.ts";
import type { BrakeLine } from "../../src/registry/ports.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { type List, people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const GRACE = HOUR;

let desk: Desk;
let isolate: IsolateHost;

beforeEach(async () => {
  desk = await new Desk().open();
  isolate = desk.world.isolate();
});

const { log: _, ...QUIET } = { log: undefined };

/** Asks an isolate that knows the head about names, and lets it report them. */
async function ask(names: readonly string[], from = isolate): Promise<void> {
  await desk.world.clock.advance(WINDOW);
  for (const name of names) await from.check(`${name}@${D}`);
  await desk.world.clock.advance(WINDOW / 2);
  await from.check(`postmaster@${D}`);
  await from.check(`nobody@${D}`);
  await from.idle();
  // Until the row is written, and every isolate asks again.
  await desk.world.clock.advance(MINUTE + WINDOW);
}

const verdict = async (name: string): Promise<string> => (await isolate.check(`${name}@${D}`)).verdict;
const verdicts = async (names: readonly string[]): Promise<string[]> => {
  const all: string[] = [];
  for (const name of names) all.push(await verdict(name));
  return [...new Set(all)];
};
const brake = async (): Promise<DomainDescription["brake"]> =>
  accepted(await desk.core.domainsNamed([D]))[0]?.brake ?? null;
const lastRecord = async (): Promise<GenerationRecord | undefined> =>
  accepted(await desk.core.generations(D, { after: null, limit: 1 }))?.[0];
const actions = async (): Promise<GenerationRecord["action"][]> =>
  (accepted(await desk.core.generations(D, { after: null, limit: 99 })) ?? []).map(({ action }) => action);
/** The group of names that left last. */
const groupOfLast = async (): Promise<number> => {
  const groups = (await desk.head())?.departures.groups?.groups ?? expect.fail("nobody left");
  return [...groups].sort((a, b) => a.at - b.at).at(-1)?.id ?? 0;
};
const advance = (ms: number): Promise<void> => desk.world.clock.advance(ms);

/** Publishes 60 names, and then without the first `left` of them. */
async function leave(left: number, list: List = people(60)): Promise<string[]> {
  await desk.publish(list);
  await isolate.check(`u59@${D}`);
  await desk.publish(list.slice(left), { force: true });
  return list.slice(0, left) as string[];
}

describe("names that left together", () => {
  it("are held if ten distinct ones are asked for, and stay deferred long after their grace", async () => {
    const left = await leave(20);
    await ask(left.slice(0, 10));
    expect(await brake()).toEqual({ held: 20, since: expect.any(Number), left: 20, asked: 10 });
    expect(await actions()).toEqual(["brake", "commit", "commit"]);
    const note = "10 of 20 names that left were asked for";
    expect(await lastRecord()).toMatchObject({ by: "registry", forced: false, note });
    for (const time of [GRACE, DAY, 30 * DAY]) {
      await advance(time);
      expect(await verdicts(left)).toEqual(["departed"]);
      expect(await verdicts(["u20", "u59"])).toEqual(["deliverable"]);
      expect(await verdicts(["nobody", "u99"])).toEqual(["unknown"]);
    }
  });

  it("are held with the patterns that left recently, also after the grace of these", async () => {
    const list = [...people(60), "ticket-*"];
    await desk.publish(list);
    await isolate.check(`u59@${D}`);
    await desk.publish(list.slice(20, 60), { force: true });
    await advance(2 * GRACE);
    await desk.publish([...list.slice(20, 60), "new"]);
    expect(await verdict("ticket-7")).toBe("unknown");
    await ask(list.slice(0, 10));
    expect(await brake()).toMatchObject({ held: 21 });
    expect(await verdicts(["u0", "ticket-7", "ticket-8"])).toEqual(["departed"]);
    await advance(DAY);
    const head = await desk.publish(list.slice(20, 60));
    await advance(30 * DAY);
    expect(await verdicts(["u0", "ticket-7", "ticket-8"])).toEqual(["departed"]);
    accepted(await desk.core.release(D, head, "somebody", null));
    await advance(WINDOW);
    expect(await verdicts(["u0", "ticket-7", "ticket-8"])).toEqual(["unknown"]);
  });

  it("are not held because of names that were asked for and returned since", async () => {
    const list = people(60);
    const left = await leave(12, list);
    await ask(left.slice(0, 8));
    await desk.publish([...left.slice(0, 8), ...list.slice(22)], { force: true });
    await ask(list.slice(12, 16) as string[]);
    // Four of the fourteen that are gone were asked for, and eight that are listed again.
    expect(await brake()).toBeNull();
  });

  it("are not held if nine are", async () => {
    const left = await leave(20);
    await ask(left.slice(0, 9));
    expect(await brake()).toBeNull();
    expect(await actions()).toEqual(["commit", "commit"]);
    await advance(GRACE);
    expect(await verdicts(left)).toEqual(["unknown"]);
  });

  it("count once each, however often they are asked for, and by whatever subaddress", async () => {
    const left = await leave(20);
    const often = Array.from({ length: 200 }, (_, i) => `${left[i % 9]}+list${i}`);
    await ask(often);
    await ask(often, desk.world.isolate("there"));
    expect(await brake()).toBeNull();
    await ask([`${left[9]}+x`], desk.world.isolate("elsewhere"));
    expect(await brake()).toMatchObject({ held: 20, asked: 10 });
  });

  it("are not held because of names that never existed", async () => {
    const left = await leave(20);
    await ask(Array.from({ length: 2_000 }, (_, i) => `guess${i}`));
    await ask(left.slice(0, 9));
    expect(await brake()).toBeNull();
  });

  it("are held after their grace too, for a day, and then are deferred again", async () => {
    const left = await leave(20);
    await advance(GRACE + DAY - 10 * MINUTE);
    expect(await verdict(left[0] as string)).toBe("unknown");
    await ask(left.slice(0, 12));
    expect(await brake()).toMatchObject({ held: 20, left: 20, asked: 12 });
    expect(await verdicts(left)).toEqual(["departed"]);
  });

  it("are not held a day after their grace", async () => {
    const left = await leave(20);
    await advance(GRACE + DAY);
    // Another commit no longer marks them.
    await desk.publish(people(41, 20));
    await ask(left);
    expect(await brake()).toBeNull();
    expect(await verdicts(left)).toEqual(["unknown"]);
  });

  it("are not held a day after their grace, if nothing was committed since", async () => {
    const left = await leave(20);
    await advance(GRACE + DAY);
    await ask(left);
    expect(await brake()).toBeNull();
    expect(await actions()).toEqual(["commit", "commit"]);
  });

  it("stay marked through commits in between", async () => {
    const left = await leave(20);
    await advance(GRACE);
    await desk.publish(people(41, 20));
    expect((await desk.head())?.departures.count).toBe(20);
    await ask(left.slice(0, 10));
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("are held if many small commits made them leave", async () => {
    await desk.publish(people(60));
    for (let i = 1; i <= 12; i++) {
      await desk.publish(people(60 - i, i));
      await advance(MINUTE);
    }
    await ask(people(10));
    expect(await brake()).toEqual({ held: 12, since: expect.any(Number), left: 12, asked: 10 });
  });

  it("are held if many others are held already", async () => {
    await desk.publish(people(1_300));
    await desk.publish(people(300, 1_000), { force: true });
    desk.core.brake(D, new Map([[await groupOfLast(), sketchOf(people(50))]]));
    expect(await brake()).toMatchObject({ held: 1_000 });
    for (let i = 1; i <= 12; i++) {
      await desk.publish(people(300 - i, 1_000 + i));
      await advance(MINUTE);
    }
    await ask(people(12, 1_000));
    expect(await brake()).toMatchObject({ held: 1_012, left: 12 });
  });

  it("are held although many others left whom nobody asks for", async () => {
    await desk.publish(people(1_300));
    await desk.publish(people(300, 1_000), { force: true });
    await advance(23 * HOUR);
    await desk.publish(people(270, 1_030), { force: true });
    const wrong = people(30, 1_000);
    await ask(wrong.slice(0, 12));
    // Of 1,030 in nearly a day, 12 are few; of the 30 who left now, they are many.
    expect(await brake()).toEqual({ held: 1_030, since: expect.any(Number), left: 30, asked: 12 });
  });

  it("are held if they are a fiftieth of very many, and not if they are fewer", async () => {
    await desk.publish(people(2_000));
    await desk.publish(people(500, 1_500), { force: true });
    await ask(people(26));
    expect(await brake()).toBeNull();
    await ask(people(10, 26));
    expect(await brake()).toMatchObject({ held: 1_500, left: 1_500 });
  });

  it("are held by ever more of them, the longer ago they left", async () => {
    await desk.publish(people(1_500), { policy: { grace: 12 * 3_600 } });
    await desk.publish(people(500, 1_000), { force: true });
    const group = await groupOfLast();
    await advance(13 * HOUR);
    // After 13 hours it takes 135 of 1,000, at once 20.
    desk.core.brake(D, new Map([[group, sketchOf(people(110))]]));
    expect(await brake()).toBeNull();
    desk.core.brake(D, new Map([[group, sketchOf(people(160))]]));
    expect(await brake()).toMatchObject({ held: 1_000 });
  });

  it("are not held if there is no grace", async () => {
    await desk.publish(people(60), { policy: { grace: 0 } });
    await desk.publish(people(40, 20), { force: true });
    await ask(people(20));
    expect(await brake()).toBeNull();
    expect(await verdicts(people(20))).toEqual(["unknown"]);
  });

  it("are not held if they were removed one by one with no grace", async () => {
    await desk.publish(people(60));
    const head = await desk.head();
    const key = desk.world.keyFor(D);
    const changes = people(10).map((name) => [fingerprintIn(fingerprint(key.names, name)), -1] as const);
    const patch = {
      domain: D,
      keyId: key.id,
      canonicaliser: 1,
      sentinels: sentinels(key.names, head?.policy ?? expect.fail("no head")),
      force: true,
      idempotency: null,
    };
    accepted(
      await desk.world.clock.run(desk.core.patch({ ...patch, changes, atOnce: true }, "tester", null)),
    );
    await ask(people(10));
    expect(await brake()).toBeNull();
    expect(await verdicts(people(10))).toEqual(["unknown"]);
    // Those that leave with a grace are.
    const others = people(12, 10).map((name) => [fingerprintIn(fingerprint(key.names, name)), -1] as const);
    accepted(
      await desk.world.clock.run(
        desk.core.patch({ ...patch, changes: others, atOnce: false }, "tester", null),
      ),
    );
    await ask(people(12, 10));
    expect(await brake()).toMatchObject({ held: 12, asked: 12 });
    // And then a person may still say of one that it left.
    accepted(
      await desk.world.clock.run(
        desk.core.patch({ ...patch, changes: others.slice(0, 1), atOnce: true }, "tester", null),
      ),
    );
    await advance(WINDOW);
    expect(await verdict("u10")).toBe("unknown");
    expect(await verdicts(people(11, 11))).toEqual(["departed"]);
    expect(await brake()).toMatchObject({ held: 11 });
  });
});

describe("names that are held", () => {
  let left: string[];

  beforeEach(async () => {
    left = await leave(20);
    await ask(left.slice(0, 15));
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("are refused within a window of a person's word, and are not held again", async () => {
    const head = (await desk.head())?.generation as number;
    const { result } = accepted(await desk.core.release(D, head, "somebody", null));
    await advance(WINDOW);
    expect(result).toEqual({ domain: D, generation: head + 1 });
    expect(await verdicts(left)).toEqual(["unknown"]);
    expect(await brake()).toBeNull();
    await ask(left);
    expect(await brake()).toBeNull();
    expect(await verdicts(left)).toEqual(["unknown"]);
    expect(await lastRecord()).toMatchObject({
      action: "release",
      by: "somebody",
      note: "20 names that left are refused",
    });
    const lines = (await desk.trail()).map(({ action, by, subject }) => [action, by, subject]);
    expect(lines.slice(0, 2)).toEqual([
      ["release", "somebody", D],
      ["brake", "registry", D],
    ]);
  });

  it("need the head that the person has seen", async () => {
    const head = (await desk.head())?.generation as number;
    expect(refused(await desk.core.release(D, head - 1, "somebody", null))).toMatchObject({
      code: "conflict",
    });
    const other = "other.example";
    expect(refused(await desk.core.release(other, 1, "somebody", null))).toEqual({
      code: "not_found",
      message: `the brake holds no names of ${other}`,
      domain: other,
    });
    expect(await verdicts(left)).toEqual(["departed"]);
  });

  it("are not released under another master key", async () => {
    const head = (await desk.head())?.generation as number;
    Object.assign(desk.world.settings, { masterKey: new Uint8Array(32) });
    expect(refused(await desk.core.release(D, head, "somebody", null))).toMatchObject({
      code: "conflict",
      message: expect.stringContaining("publish it again"),
      domain: D,
    });
    expect(await actions()).toEqual(["brake", "commit", "commit"]);
  });

  it("are accepted again after a rollback, and the brake is off", async () => {
    const head = (await desk.head())?.generation as number;
    accepted(await desk.rollback({ to: head - 2, expect: head }));
    await advance(WINDOW);
    expect(await verdicts(left)).toEqual(["deliverable"]);
    expect(await brake()).toBeNull();
    expect(refused(await desk.core.release(D, head + 1, "somebody", null))).toMatchObject({
      code: "not_found",
    });
  });

  it("stay so after a rollback that does not bring them back", async () => {
    const head = (await desk.head())?.generation as number;
    accepted(await desk.rollback({ to: head - 1, expect: head }));
    await advance(DAY);
    expect(await verdicts(left)).toEqual(["departed"]);
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("stay so through publishes, except those that come back", async () => {
    await desk.publish([...people(5), ...people(40, 20)]);
    await advance(DAY);
    expect(await verdicts(people(5))).toEqual(["deliverable"]);
    expect(await verdicts(people(15, 5))).toEqual(["departed"]);
    expect(await brake()).toMatchObject({ held: 15, asked: 15, left: 20 });
    await desk.publish(people(60));
    expect(await brake()).toBeNull();
  });

  it("do not hold names that leave later", async () => {
    await desk.publish(people(38, 22));
    await advance(GRACE + WINDOW);
    expect(await verdicts(left)).toEqual(["departed"]);
    expect(await verdicts(["u20", "u21"])).toEqual(["unknown"]);
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("stay so if the grace is switched off", async () => {
    await desk.publish(people(40, 20), { policy: { grace: 0 } });
    await advance(DAY);
    expect(await verdicts(left)).toEqual(["departed"]);
  });

  it("end with the domain, and are held again if it is published again", async () => {
    const end = await desk.remove();
    expect(await brake()).toBeNull();
    expect(refused(await desk.core.release(D, end, "somebody", null))).toMatchObject({ code: "not_found" });
    await desk.publish(people(40, 20));
    await advance(WINDOW);
    expect(await verdicts(left)).toEqual(["departed"]);
    expect(await brake()).toMatchObject({ held: 20, left: 20, asked: 15 });
  });

  it.each([
    ["another key", { epoch: 2 }],
    ["another spelling", { policy: { case: "sensitive" as const } }],
  ])("end with the domain if its next list has %s", async (_, options) => {
    await desk.remove();
    await desk.publish(people(40, 20), { ...options, force: true });
    expect(await brake()).toBeNull();
  });

  it("are held again if the domain was an alias after its end", async () => {
    await desk.publish(["a"], { domain: "other.example" });
    await desk.remove();
    await desk.publish([], { policy: { alias: "other.example" }, force: true });
    await advance(WINDOW);
    expect(await verdicts(["u20", "u0"])).toEqual(["departed"]);
    // Until the grace of the alias ends.
    await advance(GRACE);
    expect(await verdicts(["u20", "u0"])).toEqual(["unknown"]);
    await desk.publish(people(40, 20), { policy: { alias: null }, force: true });
    await advance(WINDOW);
    expect(await verdicts(left)).toEqual(["departed"]);
  });

  it.each([
    ["another key", { epoch: 2 }],
    ["another spelling", { policy: { case: "sensitive" as const } }],
  ])("are not lost to %s: even an override does not help", async (_, options) => {
    const commit = await desk.prepare(people(40, 20), options);
    const refusal = refused(await desk.core.commit({ domains: [commit], force: true }, "tester", null));
    expect(refusal).toMatchObject({ code: "bad_request", domain: D });
    expect(refusal.message).toMatch(/holds 20 names .*`rollcall rollback .*`rollcall brake .* --release`/);
    const head = (await desk.head())?.generation as number;
    accepted(await desk.core.release(D, head, "somebody", null));
    const again = await desk.prepare(people(40, 20), options);
    accepted(await desk.core.commit({ domains: [again], force: true }, "tester", null));
  });

  it("are not lost to an alias", async () => {
    const other = await desk.publish(people(40, 20), { domain: "other.example" });
    expect(other).toBeGreaterThan(0);
    const commit = await desk.prepare([], { policy: { alias: "other.example" } });
    const refusal = refused(await desk.core.commit({ domains: [commit], force: true }, "tester", null));
    expect(refusal).toMatchObject({ code: "bad_request", domain: D });
  });

  it("are held together with those that leave by another mistake", async () => {
    await desk.publish(people(28, 32), { force: true });
    await advance(WINDOW);
    await ask(people(12, 20));
    expect(await brake()).toMatchObject({ held: 32, left: 12, asked: 12 });
    expect((await actions()).filter((it) => it === "brake")).toHaveLength(2);
    await advance(DAY);
    expect(await verdicts(people(32))).toEqual(["departed"]);
  });

  it("are shown with the domain", async () => {
    const { body } = await isolate.call(`/v1/domains/${D}`);
    expect((body as DomainDescription).brake).toEqual({
      held: 20,
      since: expect.any(Number),
      left: 20,
      asked: expect.any(Number),
    });
  });

  it("are forgotten with a tombstone that is pruned", async () => {
    await desk.remove();
    await advance(32 * DAY);
    expect(desk.world.registry().sql("SELECT * FROM brakes")).toEqual([]);
  });
});

/** A question that reports names that left, as an isolate or a replica sends it. */
function report(names: readonly string[], group: number, more: Partial<Question> = {}): Question {
  const sketch = newSketch();
  for (const name of names) addToSketch(sketch, fingerprint(desk.world.keyFor(D).names, name));
  return { since: null, want: null, asked: [[D, group, toBase64Url(packSketch(sketch))]], ...more };
}

describe("what is reported", () => {
  const tell = async (question: Question): Promise<void> => {
    accepted(await desk.core.question(question));
    await advance(MINUTE);
  };

  it("adds up over reporters, and over a restart of the Registry", async () => {
    const left = await leave(20);
    const group = await groupOfLast();
    await tell(report(left.slice(0, 5), group));
    desk.world.registry().restart();
    const core = desk.world.registry().core({ partition: 0, partitions: 1 });
    accepted(await core.question(report(left.slice(4, 10), group)));
    await advance(MINUTE);
    expect(accepted(await core.domainsNamed([D]))[0]?.brake).toMatchObject({ held: 20, asked: 10 });
  });

  it("is forgotten after a day", async () => {
    await leave(20);
    const group = await groupOfLast();
    await tell(report(people(6), group));
    await advance(DAY);
    await tell(report(people(9, 5), group));
    expect(await brake()).toBeNull();
  });

  it("changes nothing if nobody left at that time, the domain is none, or the sketch is none", async () => {
    await leave(20);
    const group = await groupOfLast();
    await tell(report(people(20), group + 1));
    await tell({ ...report([], group), asked: [["other.example", group, "AAE"]] });
    await tell({ ...report([], group), asked: [[D, group, "not a sketch"]] });
    expect(await brake()).toBeNull();
    await tell(report(people(20), group));
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("never counts more names than left", async () => {
    await leave(12);
    await tell(report(people(500), await groupOfLast()));
    expect(await brake()).toMatchObject({ held: 12, left: 12, asked: 12 });
  });

  it("counts from a replica, unless its token is revoked", async () => {
    await leave(20);
    const group = await groupOfLast();
    const replica = { token: "stolen", domains: [D], after: null };
    accepted(await desk.core.revokeToken("stolen", null, "tester"));
    accepted(await desk.core.keepToken(tokenOf("stolen"), "tester"));
    accepted(await desk.core.revokeToken("stolen", null, "tester"));
    await tell(report(people(20), group, { replica }));
    expect(await brake()).toBeNull();
    await tell(report(people(20), group, { replica: { ...replica, token: "good" } }));
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("waits while the Registry is paused", async () => {
    const left = await leave(20);
    Object.assign(desk.world.settings, { paused: true });
    desk.core.brake(D, new Map([[await groupOfLast(), sketchOf(left)]]));
    expect(await brake()).toBeNull();
    Object.assign(desk.world.settings, { paused: false });
    desk.core.brake(D, new Map([[await groupOfLast(), sketchOf(left)]]));
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("is logged if it has a result, and if the names cannot be held", async () => {
    const lines: BrakeLine[] = [];
    Object.assign(desk.world.ports, { log: (line: BrakeLine) => lines.push(line) });
    const left = await leave(20);
    const asked = new Map([[await groupOfLast(), sketchOf(left.slice(0, 11))]]);
    const { masterKey } = desk.world.settings;
    Object.assign(desk.world.settings, { masterKey: new Uint8Array(32) });
    desk.core.brake(D, asked);
    Object.assign(desk.world.settings, { masterKey });
    desk.core.brake(D, asked);
    desk.core.brake("other.example", asked);
    await desk.publish(people(20), { domain: "ended.example" });
    await desk.remove("ended.example");
    desk.core.brake("ended.example", asked);
    // Nobody left then.
    desk.core.brake(D, new Map([[0, sketchOf(left)]]));
    Object.assign(desk.world.ports, QUIET);
    expect(lines).toEqual([
      {
        event: "brake",
        domain: D,
        detail: expect.stringContaining("cannot be held: example.com: the list is"),
      },
      {
        event: "brake",
        domain: D,
        detail: "11 of 20 names that left were asked for: names that left are held",
      },
    ]);
    expect(await brake()).toMatchObject({ held: 20, asked: 11 });
  });

  it("costs one row a minute, whatever else is counted", async () => {
    await leave(20);
    const group = await groupOfLast();
    for (let second = 0; second < 120; second++) {
      accepted(
        await desk.core.question({ ...report(people(5), group), counts: [[D, "enforce", "unknown", 1]] }),
      );
      await advance(SECOND);
    }
    const rows = desk.world.registry().sql("SELECT refused FROM counters");
    expect(rows.length).toBeLessThanOrEqual(2);
    // What is known of this hour is not written again.
    expect(desk.world.registry().sql("SELECT * FROM asked_leavers")).toHaveLength(1);
    expect(rows.map(({ refused: it }) => it)).toEqual(rows.map(() => null));
    expect(accepted(await desk.core.counted()).find(([domain]) => domain === D)?.[4]).toBe(120);
  });
});

const sketchOf = (names: readonly string[]): Uint8Array => {
  const sketch = newSketch();
  for (const name of names) addToSketch(sketch, fingerprint(desk.world.keyFor(D).names, name));
  return sketch;
};

const tokenOf = (id: string) => ({
  id,
  role: "replica" as const,
  domains: [D],
  expires: null,
  created: 0,
  revoked: null,
  note: null,
  key_id: "0123456789abcdef",
});
