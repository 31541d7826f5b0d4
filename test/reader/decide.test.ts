/* What is decided from which state, at the boundaries of each rule. */
import { describe, expect, it } from "vitest";
import { encodeDepartures, fingerprint, manifestKey, tailOf } from "../../src/directory/index.ts";
import { keyFor, patternTable } from "../directory/helpers.ts";
import { confirmed, D, Desk, GRACE, INCARNATION, WINDOW } from "./support/desk.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;

describe("recipients without a list", () => {
  it("are decided at once: postmaster is accepted, and an address without a domain is malformed", async () => {
    const desk = new Desk();
    expect(await desk.check("postmaster")).toMatchObject({
      verdict: "deliverable",
      matched: "postmaster",
      max_age: 30,
      domain: null,
    });
    expect(await desk.check("no at sign")).toMatchObject({ verdict: "malformed", max_age: 30 });
    expect(desk.takeReads()).toEqual([]);
    expect(desk.answered.map(([, domain]) => domain)).toEqual([null, null]);
  });

  it("with an address literal are not served, once that is confirmed", async () => {
    const desk = new Desk();
    expect(await desk.check("a@[192.0.2.1]")).toMatchObject({
      verdict: "not-served",
      domain: null,
      incarnation: INCARNATION,
      confirmed_age: 0,
      contact_age: 0,
      max_age: 30,
    });
  });
});

describe("a refusal", () => {
  it("holds for what is left of the window, in whole seconds", async () => {
    const desk = await confirmed();
    await desk.time.advance(1);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({
      verdict: "unknown",
      action: "reject",
      generation: 5,
      incarnation: INCARNATION,
      mode: "enforce",
      confirmed_age: 1,
      contact_age: 1,
      max_age: 29,
    });
  });

  it("needs a confirmation within the window: at its last millisecond, and not after it", async () => {
    const desk = await confirmed();
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW - 1);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ action: "reject", max_age: 0 });
    await desk.time.advance(1);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({
      verdict: "unavailable",
      detail: "the Registry did not confirm in time",
    });
  });

  it("is not given from a manifest older than the head, whose newer one cannot be read", async () => {
    const desk = await confirmed();
    const kept = desk.log.manifests.get(D) as Uint8Array;
    desk.publish({ generation: 9, names: ["bob"] });
    desk.kv.delete(manifestKey(D));
    desk.log.manifests.set(D, kept);
    await desk.time.advance(WINDOW);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({
      verdict: "unavailable",
      detail: "the newest list could not be read",
    });
    // The old one may still accept, unconfirmed.
    expect(await desk.check(`alice@${D}`)).toMatchObject({
      verdict: "deliverable",
      generation: 5,
      confirmed_age: null,
      max_age: 0,
    });
  });
});

describe("a check whose confirmation fails", () => {
  it("does not read the list again", async () => {
    const desk = await confirmed();
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW + 1);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    expect(desk.takeReads()).toEqual([manifestKey(D)]);
  });
});

describe("an accept", () => {
  it("that is confirmed holds for what is left of the window", async () => {
    const desk = await confirmed();
    await desk.time.advance(10_000);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ confirmed_age: 10, max_age: 20, contact_age: 10 });
  });

  it("without contact ends with accept-grace, at its last millisecond", async () => {
    const desk = await confirmed();
    desk.log.fate = "fails";
    await desk.time.advance(GRACE);
    expect(await desk.check(`alice@${D}`)).toMatchObject({
      action: "accept",
      max_age: 0,
      confirmed_age: null,
      contact_age: GRACE / 1000,
    });
    await desk.time.advance(1);
    expect(await desk.check(`alice@${D}`)).toMatchObject({
      verdict: "unavailable",
      detail: "there was no contact with the Registry for too long",
    });
  });

  it("seeks contact before it relies on one that is more than a day old, once an hour", async () => {
    const desk = await confirmed();
    desk.log.fate = "fails";
    await desk.time.advance(DAY);
    await desk.check(`alice@${D}`);
    expect(desk.answered.at(-1)?.[0].contact_age).toBe(DAY / 1000);
    await desk.idle();
    desk.takeQuestions();
    await desk.time.advance(HOUR);
    // The failed refresh is an hour old, at its last millisecond: no need to ask again before the answer.
    const asked = desk.time.now();
    await desk.check(`alice@${D}`);
    expect(desk.time.now()).toBe(asked);
    await desk.idle();
    await desk.time.advance(HOUR + 1);
    desk.log.takes = 50;
    const before = desk.time.now();
    await desk.check(`alice@${D}`);
    expect(desk.time.now() - before).toBe(50);
  });

  it("does not wait for contact that is a day old or less", async () => {
    const desk = await confirmed();
    desk.log.takes = 50;
    await desk.time.advance(DAY);
    desk.kv.delete(manifestKey(D));
    const before = desk.time.now();
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    expect(desk.time.now() - before).toBeLessThanOrEqual(50);
  });
});

describe("a domain that is not known", () => {
  it("is not served where the log is fresh and no export serves it", async () => {
    const desk = await confirmed();
    await desk.time.advance(1_500);
    expect(await desk.check("a@other.example")).toMatchObject({
      verdict: "not-served",
      domain: "other.example",
      generation: null,
      incarnation: INCARNATION,
      confirmed_age: 2,
      contact_age: 2,
      max_age: 28,
    });
    expect(desk.answered.at(-1)?.[1]).toBeNull();
  });

  it("is deferred if the asker's token names it: the Registry may be a new one", async () => {
    const desk = new Desk();
    expect(await desk.check(`a@${D}`, { named: true })).toMatchObject({
      verdict: "unavailable",
      incarnation: INCARNATION,
      detail: `the Registry has no list of ${D}, which this token names: publish one`,
    });
  });

  it("is deferred for an asker that has seen it served, until the log is past that generation", async () => {
    const desk = new Desk();
    expect(await desk.check(`a@${D}`, { min: 11 })).toMatchObject({
      verdict: "unavailable",
      incarnation: INCARNATION,
      detail: "older than what the client has seen",
    });
    await desk.time.advance(WINDOW);
    desk.log.asOf = 11;
    expect(await desk.check(`a@${D}`, { min: 11 })).toMatchObject({ verdict: "not-served" });
  });
});

describe("an asker that has seen a newer generation", () => {
  it("makes the reader ask the Registry, once", async () => {
    const desk = await confirmed();
    desk.publish({ generation: 12, names: ["alice", "bob"] });
    expect(await desk.check(`bob@${D}`, { min: 12 })).toMatchObject({
      verdict: "deliverable",
      generation: 12,
    });
    expect(desk.takeQuestions().length).toBe(1);
  });

  it("is deferred where the Registry does not have it, and others for a second without a question", async () => {
    const desk = await confirmed();
    const answer = {
      verdict: "unavailable",
      detail: "older than what the client has seen",
      incarnation: INCARNATION,
    };
    expect(await desk.check(`alice@${D}`, { min: 12 })).toMatchObject(answer);
    expect(desk.takeQuestions()).toHaveLength(1);
    await desk.time.advance(999);
    expect(await desk.check(`alice@${D}`, { min: 12 })).toMatchObject(answer);
    expect(desk.takeQuestions()).toHaveLength(0);
    await desk.time.advance(1);
    expect(await desk.check(`alice@${D}`, { min: 12 })).toMatchObject(answer);
    expect(desk.takeQuestions()).toHaveLength(1);
    expect(await desk.check(`alice@${D}`, { min: 5 })).toMatchObject({ verdict: "deliverable" });
  });
});

describe("an alias", () => {
  const T = "target.example";

  async function aliased(): Promise<Desk> {
    const desk = new Desk();
    desk.publish({ domain: T, generation: 7, names: ["bob"] });
    desk.publish({ generation: 6, names: [], policy: { alias: T, text: "ask the office" } });
    await desk.check(`nobody@${D}`);
    await desk.idle();
    return desk;
  }

  it("is answered from its target's list, under its own refusal text and the larger number", async () => {
    const desk = await aliased();
    expect(await desk.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable", generation: 7, domain: D });
    const refusal = await desk.check(`nobody@${D}`);
    expect(refusal).toMatchObject({ verdict: "unknown", generation: 7 });
    expect(refusal.reply).toContain("ask the office");
  });

  it("is in observe mode if one of the two is", async () => {
    const desk = await aliased();
    desk.publish({ domain: T, generation: 8, names: ["bob"], mode: "observe" });
    await desk.time.advance(WINDOW);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({
      verdict: "unknown",
      action: "accept",
      mode: "observe",
    });
  });

  it.each([
    ["observe", "defer", "accept"],
    ["defer", "observe", "accept"],
    ["defer", "enforce", "defer"],
    ["enforce", "defer", "defer"],
  ] as const)("in %s mode, of a target in %s mode, follows the milder one", async (own, target, action) => {
    const desk = await aliased();
    desk.publish({ domain: D, generation: 8, names: [], policy: { alias: T }, mode: own });
    desk.publish({ domain: T, generation: 9, names: ["bob"], mode: target });
    await desk.time.advance(WINDOW);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", action });
    expect(await desk.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable", action: "accept" });
  });

  it("refuses only where both are confirmed", async () => {
    const desk = await aliased();
    desk.publish({ domain: T, generation: 9, names: [] });
    desk.kv.delete(manifestKey(T));
    desk.log.manifests.delete(T);
    await desk.time.advance(WINDOW);
    const answer = await desk.check(`nobody@${D}`);
    expect(answer.action).toBe("defer");
  });

  it("does not refuse from an older list of the target, although its own is confirmed", async () => {
    const desk = await aliased();
    desk.log.heads.set(T, 9);
    desk.log.asOf = 9;
    await desk.time.advance(WINDOW);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "unavailable" });
  });

  it("asks the Registry if the target alone is ahead of the log", async () => {
    const desk = await aliased();
    desk.reader.cache.delete(desk.reader.cache.peek(T) as never);
    desk.publish({ domain: T, generation: 9, names: ["carol"] });
    expect(await desk.check(`bob@${D}`)).toMatchObject({ verdict: "unknown", confirmed_age: 0 });
    expect(desk.takeQuestions().length).toBeGreaterThan(0);
  });

  it("is deferred where the target was deleted or is an alias itself", async () => {
    for (const change of [{ deletedUntil: Date.UTC(2027, 0, 1) }, { policy: { alias: "third.example" } }]) {
      const desk = await aliased();
      desk.publish({ domain: T, generation: 9, names: ["bob"], ...change });
      await desk.time.advance(WINDOW);
      await desk.check(`nobody@${D}`);
      expect(await desk.check(`bob@${D}`)).toMatchObject({ verdict: "unavailable" });
    }
  });
});

describe("a deleted domain", () => {
  it("is deferred until its time, and then not served", async () => {
    const desk = new Desk();
    const until = desk.time.now() + 10_000;
    desk.publish({ names: [], deletedUntil: until });
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "departed", generation: 5 });
    await desk.time.advance(until - desk.time.now());
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "not-served", action: "reject" });
  });
});

describe("a name under a pattern", () => {
  const patterns = { table: patternTable(new Map([["ticket-*", 0]])), departedUntil: 0 };

  it("says which pattern matched, in words", async () => {
    const desk = new Desk();
    desk.publish({ patterns });
    expect(await desk.check(`Ticket-7@${D}`)).toMatchObject({
      verdict: "deliverable",
      matched: "pattern",
      detail: "by the pattern ticket-*",
    });
    expect(await desk.check(`nobody-7@${D}`)).toMatchObject({ verdict: "unknown", matched: null });
    expect(await desk.check(`nobody-7@${D}`)).not.toHaveProperty("detail");
  });
});

describe("a part of a list", () => {
  it("that cannot be read defers, after one attempt", async () => {
    const desk = new Desk();
    desk.publish({ names: ["alice", "bob", "carol", "dave"], bits: 1 });
    for (const key of [...desk.kv.keys()])
      if (!key.startsWith("manifest") && key !== manifestKey(D)) desk.kv.delete(key);
    desk.log.blobs.clear();
    expect(await desk.check(`alice@${D}`)).toMatchObject({
      verdict: "unavailable",
      domain: D,
      detail: "a part of the list could not be read",
    });
    expect(desk.log.blobsAsked).toHaveLength(1);
    expect(desk.takeFaults()).toEqual(["missing_blob"]);
  });

  it("that cannot be read while the Registry is away defers for that reason, after one question", async () => {
    const desk = new Desk();
    desk.publish({ names: ["alice"], bits: 0 });
    for (const key of [...desk.kv.keys()]) if (key !== manifestKey(D)) desk.kv.delete(key);
    desk.log.fate = "fails";
    expect(await desk.check(`alice@${D}`)).toMatchObject({
      verdict: "unavailable",
      detail: "a part of the list could not be read",
    });
    expect(desk.takeQuestions()).toHaveLength(1);
  });
});

describe("a name that is to be counted", () => {
  const T = "target.example";
  /** What was counted since, each as domain and the second until which the name is deferred. */
  const counted = (desk: Desk): (readonly [domain: string, until: number, isIts: boolean])[] =>
    desk.names
      .splice(0)
      .flat()
      .map(({ domain, group, name }) => [domain, group, isOf(domain, name)]);
  const isOf = (domain: string, digest: Uint8Array): boolean =>
    ["nobody", "dora", "gone"].some(
      (name) => tailOf(fingerprint(keyFor(domain).names, name)) === tailOf(digest),
    );

  it("left the list: also if its grace is over, and whether or not that is confirmed", async () => {
    const desk = new Desk();
    const second = Math.floor(desk.time.now() / 1000) + 10;
    desk.withDepartures(["gone"], 1000 * second);
    expect((await desk.check(`gone@${D}`)).verdict).toBe("departed");
    expect(counted(desk)).toEqual([[D, second, true]]);
    await desk.time.advance(12_000);
    expect((await desk.check(`gone@${D}`)).verdict).toBe("unknown");
    expect(counted(desk)).toEqual([[D, second, true]]);
    desk.log.fate = "fails";
    await desk.time.advance(2 * WINDOW);
    // Not even a verdict: nothing is counted.
    expect((await desk.check(`gone@${D}`)).verdict).toBe("unavailable");
    expect(counted(desk)).toEqual([]);
  });

  it("is none of those that enforce mode refuses, or any mode accepts or defers", async () => {
    const desk = await confirmed();
    for (const name of ["nobody", "alice", "postmaster", "two words"]) await desk.check(`${name}@${D}`);
    expect(counted(desk)).toEqual([]);
  });

  it.each(["observe", "defer"] as const)(
    "would be refused by enforce mode, and is not in %s mode",
    async (mode) => {
      const desk = new Desk();
      desk.publish({ mode });
      for (const name of ["alice", "postmaster"]) await desk.check(`${name}@${D}`);
      expect(counted(desk)).toEqual([]);
      await desk.check(`nobody@${D}`);
      expect(counted(desk)).toEqual([[D, 0, true]]);
      // No list can hold it, so there is no name.
      await desk.check(`a\u0000b@${D}`);
      expect(counted(desk)).toEqual([]);
    },
  );

  it("counts for each list in a softer mode, and a leaver for the list that it left", async () => {
    for (const [own, target, expected] of [
      ["enforce", "enforce", []],
      ["observe", "enforce", [[D, 0, false]]],
      ["enforce", "defer", [[T, 0, true]]],
      [
        "defer",
        "observe",
        [
          [D, 0, false],
          [T, 0, true],
        ],
      ],
    ] as const) {
      const desk = new Desk();
      desk.publish({ domain: T, generation: 5, names: ["alice"], mode: target });
      desk.publish({ generation: 6, names: [], policy: { alias: T }, mode: own });
      await desk.check(`nobody@${D}`);
      // The alias has no key of its own to make a fingerprint with: it is that of the target.
      expect(counted(desk)).toEqual(expected);
    }
    const desk = new Desk();
    const second = Math.floor(desk.time.now() / 1000) + 10;
    desk.publish({ domain: T, generation: 5, names: ["alice"], departures: gone(T, second) });
    desk.publish({ generation: 6, names: [], policy: { alias: T } });
    expect((await desk.check(`gone@${D}`)).verdict).toBe("departed");
    expect(counted(desk)).toEqual([[T, second, true]]);
  });

  it("counts as a leaver and as refused, if it is both", async () => {
    const desk = new Desk();
    const second = Math.floor(desk.time.now() / 1000) - 5;
    desk.publish({ mode: "observe", departures: gone(D, second) });
    expect((await desk.check(`gone@${D}`)).verdict).toBe("unknown");
    expect(counted(desk)).toEqual([
      [D, 0, true],
      [D, second, true],
    ]);
  });
});

/** Departures of one name, in the manifest. */
const gone = (domain: string, second: number) => ({
  bits: 0,
  inline: encodeDepartures(
    {
      tails: Float64Array.of(tailOf(fingerprint(keyFor(domain).names, "gone"))),
      until: Uint32Array.of(second),
    },
    0,
  ),
  ids: new Uint8Array(0),
  count: 1,
});
