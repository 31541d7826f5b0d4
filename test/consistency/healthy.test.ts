import { describe, expect, it } from "vitest";
import type { Question } from "../../src/api/index.ts";
import { rosterKey } from "../../src/directory/index.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW, World } from "../../testing/world.ts";

const D = "example.com";
const OTHER = "other.example";

/** An isolate that lapsed while a newer list was published, which KV does not show it for minutes. */
async function lapsed(partners: readonly string[] = ["alice"]) {
  const world = new World();
  const [here, far] = [world.isolate("here"), world.isolate("far")];
  await world.publish(here, D, partners);
  await world.publish(here, OTHER, ["bob"]);
  await world.clock.advance(11 * MINUTE);
  await far.check(`nobody@${D}`);
  await far.check(`nobody@${OTHER}`);
  await far.idle();
  await world.clock.advance(2 * WINDOW);
  world.kv.propagation = (location) => (location === "far" ? 3 * MINUTE : 0);
  const newest = await world.publish(here, D, [...partners, "carol"]);
  /** Reading a manifest takes longer than asking the Registry. */
  world.kv.fault = ({ kind, keys: [key], location }) =>
    kind === "get" && location === "far" && key === `domain/${D}` ? { kind: "slow", ms: 200 } : undefined;
  return { world, here, far, newest };
}

describe("with everything healthy", () => {
  it("a check reads the newer list if another check's refresh reports it while the older one is being read", async () => {
    // At any moment: before, during and just after a read that several checks wait for.
    for (let moment = 170; moment < 215; moment += 3) {
      const { world, far } = await lapsed();
      const waiting = Array.from({ length: 5 }, (_, i) => far.beginCheck(`mallory${i}@${D}`));
      await world.clock.advance(3);
      waiting.push(far.beginCheck(`trudy@${D}`));
      await world.clock.advance(moment);
      waiting.push(far.beginCheck(`mallory@${OTHER}`));
      const answers = await world.clock.run(Promise.all(waiting));
      expect([moment, new Set(answers.map(({ verdict }) => verdict))]).toEqual([
        moment,
        new Set(["unknown"]),
      ]);
    }
  });

  it("many concurrent checks read a changed list once or twice", async () => {
    const { world, far } = await lapsed();
    const begun = world.kv.operations.length;
    const first = Array.from({ length: 30 }, (_, i) => far.beginCheck(`m${i}@${D}`));
    await world.clock.advance(20);
    const other = far.beginCheck(`mallory@${OTHER}`);
    await world.clock.advance(60);
    const late = Array.from({ length: 30 }, (_, i) => far.beginCheck(`t${i}@${D}`));
    const answers = await world.clock.run(Promise.all([...first, other, ...late]));
    expect(new Set(answers.map(({ verdict }) => verdict))).toEqual(new Set(["unknown"]));
    const reads = world.kv.operations
      .slice(begun)
      .filter(({ location, keys }) => location === "far" && keys[0] === `domain/${D}`);
    expect(reads.length).toBeLessThanOrEqual(2);
  });

  it("a check does not use a background read that was started for an older generation than it needs", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice"]);
    await world.clock.advance(11 * MINUTE);
    await far.check(`nobody@${D}`);
    await far.idle();
    world.kv.propagation = () => 3 * MINUTE;
    await world.publish(here, D, ["alice", "carol"]);
    await world.clock.advance(WINDOW / 2);
    // After this answer, the newer list is requested from the Registry, which takes long to answer.
    world.registry().fault = ({ method, args: [question] }) =>
      method === "question" && (question as Question).want !== null ? { kind: "late", ms: 400 } : undefined;
    expect(await far.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
    await world.clock.advance(100);
    world.registry().fault = () => undefined;
    const newest = await world.publish(here, D, ["alice", "carol", "dave"]);
    // Meanwhile another check's question reports the newest one.
    await far.check(`mallory@${OTHER}`, { floor: { [OTHER]: newest } });
    const answer = await far.check(`mallory@${D}`);
    expect(answer).toMatchObject({ verdict: "unknown", generation: newest });
  });

  it("a check reads the list of a new log, even if it has just read one with the same number", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    const first = await world.publish(here, D, people(9_000), { bits: 1 });
    await world.clock.advance(11 * MINUTE);
    // One of its two shards is in memory from now on.
    await far.check(`nobody@${D}`);
    await far.idle();
    world.replaceRegistry();
    world.kv.set(rosterKey("0"), null);
    world.kv.propagation = (location) => (location === "far" ? 3 * MINUTE : 0);
    await world.clock.advance(MINUTE);
    const elsewhere = world.isolate("here");
    expect(await world.publish(elsewhere, D, people(9_000, 10), { bits: 1, expect: null })).toBe(first);
    await world.publish(elsewhere, OTHER, ["dave"]);
    // The list of the lost log is read, then one of its shards. Meanwhile another check's question reports the new log.
    world.kv.fault = ({ kind, keys: [key], location }) =>
      kind === "get" && location === "far" && key?.startsWith("shard/")
        ? { kind: "slow", ms: 400 }
        : undefined;
    const waiting = people(20, 1_000).map((local) => far.beginCheck(`${local}@${D}`));
    await world.clock.advance(50);
    waiting.push(far.beginCheck(`dave@${OTHER}`), far.beginCheck(`mallory@${OTHER}`));
    const answers = await world.clock.run(Promise.all(waiting));
    expect(new Set(answers.map(({ detail, verdict }) => detail ?? verdict))).toEqual(
      new Set(["deliverable", "unknown"]),
    );
  });

  it("a check asks the Registry first if the last contact is older than accept-grace", async () => {
    const world = new World({ acceptGrace: 2 * HOUR });
    const here = world.isolate();
    await world.publish(here, D, ["alice"]);
    await here.check(`nobody@${D}`);
    await here.idle();
    await world.clock.advance(DAY);
    expect(await here.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
  });

  it("a check defers if the Registry does not answer that question", async () => {
    const world = new World({ acceptGrace: 2 * HOUR });
    const here = world.isolate();
    await world.publish(here, D, ["alice"]);
    await here.check(`nobody@${D}`);
    await here.idle();
    world.registry().fault = () => ({ kind: "error" });
    world.kv.fault = ({ keys: [key] }) => (key?.startsWith("roster/") ? { kind: "error" } : undefined);
    await world.clock.advance(DAY);
    const answer = await here.check(`alice@${D}`);
    expect(answer).toMatchObject({ verdict: "unavailable", action: "defer" });
    expect(answer.cost.took).toBeLessThan(4 * SECOND);
  });
});
