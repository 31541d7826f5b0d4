import { describe, expect, it } from "vitest";
import type { Question, QuestionAnswer } from "../../src/api/index.ts";
import { rosterKey } from "../../src/directory/index.ts";
import { LogView } from "../../src/reader/log-view.ts";
import type { Checked, IsolateHost } from "../../testing/isolate-host.ts";
import { HOUR, MINUTE, SECOND, WINDOW, World } from "../../testing/world.ts";

const D = "example.com";
const OTHER = "other.example";
const PLACE = { partition: 0, partitions: 1 };

/** Two domains, and a Registry that lists up to a given number to isolates that start. */
async function published(mostHeads = 500): Promise<World> {
  const world = new World({ mostHeads });
  const publisher = world.isolate("publisher");
  await world.publish(publisher, D, ["alice", "carol"], { policy: { grace: 0 } });
  await world.publish(publisher, OTHER, ["alice"]);
  await world.clock.advance(5 * MINUTE);
  return world;
}

/** Freezes KV: it keeps showing what it shows now. */
const copyNothing = (world: World): void => {
  world.kv.fault = ({ kind }) => (kind === "put" ? { kind: "lost" } : undefined);
};

/** What an isolate read and asked since a moment. */
function watch(world: World, location: string): { keys(): string[]; questions(): Question[] } {
  const [reads, calls] = [world.kv.operations.length, world.registry().calls.length];
  return {
    keys: () =>
      world.kv.operations
        .slice(reads)
        .filter((it) => it.location === location)
        .flatMap((it) => it.keys),
    questions: () =>
      world
        .registry()
        .calls.slice(calls)
        .filter((it) => it.location === location && it.method === "question")
        // Its counts are sent with the question, and are not part of it.
        .map((it) => {
          const { counts, ...question } = it.args[0] as Question;
          return question;
        }),
  };
}

/** The answer of a cold isolate, and the operations it took. */
async function ask(world: World, recipient: string): Promise<Checked & ReturnType<typeof watch>> {
  const location = `cold ${world.isolates.length}`;
  const isolate = world.isolate(location);
  const watched = watch(world, location);
  const answer = await isolate.check(recipient);
  const [keys, questions] = [watched.keys(), watched.questions()];
  await isolate.idle();
  return { ...answer, keys: () => keys, questions: () => questions };
}

describe("a cold isolate of a small deployment", () => {
  it("refuses after one KV read and one question to the Registry, and reads no roster", async () => {
    const world = await published();
    const answer = await ask(world, `nobody@${D}`);
    expect(answer).toMatchObject({ verdict: "unknown", action: "reject" });
    expect(answer.keys()).toEqual([`domain/${D}`]);
    expect(answer.questions()).toEqual([{ since: null, want: null, most: 500 }]);
  });

  it("calls a domain not served after one KV read and one question", async () => {
    const world = await published();
    const answer = await ask(world, "alice@elsewhere.example");
    expect(answer).toMatchObject({ verdict: "not-served", action: "reject" });
    expect(answer.keys()).toEqual(["domain/elsewhere.example"]);
    expect(answer.questions()).toHaveLength(1);
  });

  it("knows immediately of a list that is newer than KV's", async () => {
    const world = await published();
    copyNothing(world);
    await world.publish(world.isolate("publisher"), D, ["alice", "bob"]);
    expect(await ask(world, `nobody@${D}`)).toMatchObject({ verdict: "unknown", generation: 3 });
    expect(await ask(world, `bob@${D}`)).toMatchObject({ verdict: "deliverable", generation: 3 });
  });
});

describe("a cold isolate of a large deployment", () => {
  it("starts from KV's roster, and asks the Registry for the difference", async () => {
    const world = await published(1);
    const answer = await ask(world, `nobody@${D}`);
    expect(answer).toMatchObject({ verdict: "unknown", action: "reject" });
    expect(answer.keys()).toEqual([`domain/${D}`, "roster/0"]);
    expect(answer.questions()).toEqual([
      { since: null, want: null, most: 1 },
      { since: { incarnation: expect.any(Number), number: 2 }, want: null },
    ]);
  });

  it("learns what the roster does not show yet", async () => {
    const world = await published(1);
    copyNothing(world);
    const publisher = world.isolate("publisher");
    await world.publish(publisher, D, ["alice", "bob"]);
    await world.publish(publisher, "new.example", ["alice"]);
    // In KV's list, which may be accepted from, bob is missing and carol is still there.
    expect(await ask(world, `bob@${D}`)).toMatchObject({ verdict: "deliverable", generation: 3 });
    expect(await ask(world, `carol@${D}`)).toMatchObject({ action: "accept", confirmed_age: null });
    expect(await ask(world, `nobody@${D}`)).toMatchObject({ verdict: "unknown", generation: 3 });
    expect(await ask(world, "nobody@new.example")).toMatchObject({ verdict: "unknown", generation: 4 });
  });

  it.each(["missing", "damaged", "unreadable", "of another Registry"])(
    "asks for everything if the roster is %s",
    async (how) => {
      const world = await published(1);
      const roster = world.kv.newest(rosterKey("0")) as Uint8Array;
      if (how === "missing") world.kv.set(rosterKey("0"), null);
      if (how === "damaged") world.kv.set(rosterKey("0"), roster.subarray(1));
      if (how === "of another Registry") {
        const another = new World({ partitions: 2 });
        await another.publish(another.isolate(), "example.net", ["alice"]);
        await another.clock.advance(MINUTE);
        world.kv.set(rosterKey("0"), another.kv.newest(rosterKey("0")) as Uint8Array);
      }
      if (how === "unreadable")
        world.kv.fault = ({ keys }) => (keys.includes(rosterKey("0")) ? { kind: "error" } : undefined);
      const answer = await ask(world, `nobody@${D}`);
      expect(answer).toMatchObject({ verdict: "unknown", action: "reject" });
      expect(answer.questions()).toEqual([
        { since: null, want: null, most: 1 },
        { since: null, want: null },
      ]);
    },
  );

  it("ignores an answer that lists nothing and arrives after the roster", async () => {
    const world = await published(1);
    copyNothing(world);
    await world.publish(world.isolate("publisher"), D, ["alice", "bob"]);
    world.registry().fault = ({ args }) =>
      (args[0] as Question).most === undefined ? undefined : { kind: "late", ms: 2 * SECOND };
    const answer = await ask(world, `bob@${D}`);
    expect(answer).toMatchObject({ verdict: "deliverable", generation: 3 });
    expect(answer.questions()).toMatchObject([
      { since: null, most: 1 },
      { since: { number: 2 }, want: null },
      { since: { number: 3 }, want: D },
    ]);
  });
});

describe("a cold isolate whose Registry does not answer", () => {
  it.each(["error", "hang", "lost"] as const)(
    "accepts because of the heartbeat in KV's roster, and refuses nothing (%s)",
    async (kind) => {
      for (const mostHeads of [0, 500]) {
        const world = await published(mostHeads);
        world.registry().fault = () => ({ kind });
        const isolate = world.isolate("cold");
        const refusal = await isolate.check(`nobody@${D}`);
        expect(refusal).toMatchObject({ action: "defer" });
        expect(refusal.cost.took).toBeLessThan(3.2 * SECOND);
        expect(isolate.reader.views.at(0).lastContact).toBeGreaterThan(world.clock.now() - HOUR);
        expect(isolate.reader.views.at(0).isComplete).toBe(true);
        for (let i = 0; i < 5; i++) {
          expect(await isolate.check(`alice@${D}`)).toMatchObject({ action: "accept", confirmed_age: null });
          expect(await isolate.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
          expect(await isolate.check("x@elsewhere.example")).toMatchObject({ action: "defer" });
          await isolate.idle();
          await world.clock.advance(20 * SECOND);
        }
        world.registry().fault = () => undefined;
        await world.clock.advance(2 * SECOND);
        expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
      }
    },
  );

  it("accepts no longer if the heartbeat is older than accept-grace", async () => {
    const world = await published();
    world.kv.fault = ({ location }) => (location === "registry" ? { kind: "error" } : undefined);
    world.registry().fault = () => ({ kind: "error" });
    await world.clock.advance(2 * HOUR);
    const isolate = world.isolate("cold", { acceptGrace: HOUR });
    await isolate.check(`nobody@${D}`);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ action: "defer" });
  });

  it("is confirmed by an answer that takes longer than the KV read", async () => {
    const world = await published();
    world.registry().fault = () => ({ kind: "late", ms: 2 * SECOND });
    const answer = await ask(world, `nobody@${D}`);
    expect(answer).toMatchObject({ verdict: "unknown", action: "reject", confirmed_age: 3 });
    expect(answer.keys()).toEqual([`domain/${D}`, "roster/0"]);
  });

  it("lets a warm isolate look for a heartbeat only after an hour without contact", async () => {
    const world = await published();
    const isolate = world.isolate("warm");
    await isolate.check(`nobody@${D}`);
    await world.clock.advance(3 * HOUR);
    const answered = watch(world, "warm");
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    await isolate.idle();
    expect(answered.keys()).not.toContain("roster/0");
    world.registry().fault = () => ({ kind: "error" });
    await world.clock.advance(HOUR / 2);
    const early = watch(world, "warm");
    await isolate.check(`nobody@${D}`);
    await isolate.idle();
    expect(early.keys()).not.toContain("roster/0");
    await world.clock.advance(HOUR);
    const late = watch(world, "warm");
    await isolate.check(`nobody@${D}`);
    await isolate.idle();
    expect(late.keys()).toContain("roster/0");
  });
});

describe("an answer that lists nothing", () => {
  const told: QuestionAnswer = {
    incarnation: 1,
    asOf: 9,
    full: false,
    heads: [],
    revoked: [],
    wanted: { domain: D, manifest: null },
  };
  const roster = {
    partition: "0",
    partitions: 1,
    incarnation: 1,
    asOf: 7,
    heartbeat: 5,
    heads: { [D]: 7 },
    revoked: [],
  };

  it("counts as contact, and confirms nothing", () => {
    const confirmation = new LogView(0, WINDOW);
    confirmation.apply(told, 1_000, null);
    expect(confirmation).toMatchObject({ lastContact: 1_000, position: null, isComplete: false, applied: 0 });
    expect(confirmation.isFresh(1_000)).toBe(false);
  });

  it("does not advance an isolate that learnt something from KV meanwhile", () => {
    const confirmation = new LogView(0, WINDOW);
    confirmation.startFrom(roster);
    confirmation.apply(told, 1_000, null);
    expect(confirmation).toMatchObject({ position: { incarnation: 1, number: 7 }, applied: 0 });
    expect(confirmation.head(D)).toBe(7);
    expect(confirmation.isFresh(1_000)).toBe(false);
    // The same content as an answer to "what changed since" confirms.
    confirmation.apply({ ...told, wanted: null }, 1_000, { incarnation: 1, number: 7 });
    expect(confirmation).toMatchObject({ position: { incarnation: 1, number: 9 }, applied: 1 });
  });

  it("does not count as contact if it is older than a change that went through the isolate", () => {
    const confirmation = new LogView(0, WINDOW);
    confirmation.noteChange({ incarnation: 1, number: 12 }, { [D]: 12 });
    confirmation.apply(told, 1_000, null);
    expect(confirmation.lastContact).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe("the Registry", () => {
  const question = async (world: World, asked: Question): Promise<QuestionAnswer> => {
    const result = await world.registry().core(PLACE).question(asked);
    if (!result.ok) throw new Error(result.error.message);
    return result.value;
  };

  it("lists nothing if there is more than the limit of the question, and says so", async () => {
    const world = await published();
    const all = await question(world, { since: null, want: null });
    expect(all).toMatchObject({ full: true, asOf: 2 });
    expect(all.heads).toHaveLength(2);
    expect(await question(world, { since: null, want: null, most: 2 })).toEqual(all);
    for (const most of [0, 1]) {
      const answer = await question(world, { since: null, want: D, most });
      expect(answer).toMatchObject({ full: false, asOf: 2, heads: [], revoked: [] });
      expect(answer.wanted?.manifest).not.toBeNull();
    }
    // The limit applies only to isolates that know nothing.
    const since = { incarnation: all.incarnation, number: 0 };
    const changed = await question(world, { since, want: null, most: 0 });
    expect(changed.heads).toHaveLength(2);
  });

  it("lists no revocations if there are too many", async () => {
    const world = await published();
    const isolate = world.isolate("publisher");
    for (let i = 0; i < 3; i++) {
      const { id } = await world.createToken(isolate);
      expect((await isolate.call(`/v1/tokens/${id}`, { method: "DELETE" })).status).toBe(200);
    }
    expect((await question(world, { since: null, want: null, most: 3 })).revoked).toHaveLength(3);
    expect(await question(world, { since: null, want: null, most: 2 })).toMatchObject({
      full: false,
      heads: [],
      revoked: [],
    });
  });
});

describe("many checks in a cold isolate", () => {
  const total = async (world: World, isolate: IsolateHost, recipient: (i: number) => string) => {
    const watched = watch(world, "cold");
    const checks = Array.from({ length: 100 }, (_, i) => isolate.beginCheck(recipient(i)));
    const answers = await world.clock.run(Promise.all(checks));
    await isolate.idle();
    expect(isolate.violations).toEqual([]);
    return { answers, reads: watched.keys().length, questions: watched.questions().length };
  };

  it.each([
    [500, 0],
    [0, 1],
  ])("cost as much as one, with a limit of %i", async (mostHeads, more) => {
    const world = await published(mostHeads);
    const isolate = world.isolate("cold");
    const unknown = await total(world, isolate, (i) => `x${i}@${D}`);
    expect(new Set(unknown.answers.map(({ verdict }) => verdict))).toEqual(new Set(["unknown"]));
    expect(unknown).toMatchObject({ reads: 1 + more, questions: 1 + more });
    const strangers = await total(world, isolate, (i) => `a@x${i}.example`);
    expect(new Set(strangers.answers.map(({ verdict }) => verdict))).toEqual(new Set(["not-served"]));
    expect(strangers).toMatchObject({ reads: 0, questions: 0 });
  });
});
