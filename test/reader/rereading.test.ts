/* What the reader reads again, and what it does not, and from what it never answers again. */
import { describe, expect, it } from "vitest";
import { blobId, blobKey, manifestKey } from "../../src/directory/index.ts";
import { queryOf } from "../../src/reader/index.ts";
import { confirmed, D, Desk, GRACE, WINDOW } from "./support/desk.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;

describe("a list of the Registry", () => {
  it("is not read again while its log is confirmed", async () => {
    const desk = await confirmed();
    for (let i = 0; i < 10; i++) {
      await desk.time.advance(WINDOW / 2);
      await desk.check(`alice@${D}`);
      await desk.idle();
    }
    expect(desk.takeReads().filter((key) => key === manifestKey(D))).toEqual([]);
    expect(desk.takeQuestions()).toHaveLength(10);
  });

  it("is read again when the window has passed since it was read, and its log is not confirmed", async () => {
    const desk = await confirmed();
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW);
    await desk.check(`alice@${D}`);
    await desk.idle();
    expect(desk.takeReads()).not.toContain(manifestKey(D));
    await desk.time.advance(1);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    expect(desk.takeReads()).toContain(manifestKey(D));
  });

  it("that the log is ahead of is read again, and the newer one answers", async () => {
    const desk = await confirmed();
    desk.publish({ generation: 8, names: ["bob"] });
    await desk.time.advance(WINDOW);
    await desk.check(`nobody@${D}`);
    expect(await desk.check(`bob@${D}`)).toMatchObject({
      verdict: "deliverable",
      generation: 8,
      confirmed_age: 0,
    });
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "unknown" });
  });

  it("that is ahead of the log makes the reader ask, before it refuses", async () => {
    const desk = await confirmed();
    // KV shows the next generation before the log was asked for it.
    const { bytes } = desk.manifest({ generation: 8, names: ["bob"] });
    desk.reader.cache.delete(desk.reader.cache.peek(D) as never);
    desk.kv.set(manifestKey(D), bytes);
    desk.log.heads.set(D, 8);
    desk.log.asOf = 8;
    expect(await desk.check(`alice@${D}`)).toMatchObject({
      verdict: "unknown",
      generation: 8,
      confirmed_age: 0,
    });
    expect(desk.takeQuestions()).toHaveLength(1);
  });

  it("that is ahead of a log which does not confirm it refuses nobody", async () => {
    const desk = await confirmed();
    // The exports are known too.
    await desk.check("a@[192.0.2.1]");
    desk.takeQuestions();
    const { bytes } = desk.manifest({ generation: 8, names: ["bob"] });
    desk.reader.cache.delete(desk.reader.cache.peek(D) as never);
    desk.kv.set(manifestKey(D), bytes);
    expect(await desk.check(`alice@${D}`)).toMatchObject({
      verdict: "unavailable",
      domain: D,
      detail: "the Registry did not confirm in time",
    });
    // It asked as often as a check may.
    expect(desk.takeQuestions()).toHaveLength(3);
    expect(await desk.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable", confirmed_age: null });
  });

  it("is never answered from again once a newer one was, not even after an eviction", async () => {
    const desk = await confirmed();
    const old = desk.kv.get(manifestKey(D)) as Uint8Array;
    desk.publish({ generation: 8, names: ["bob"] });
    await desk.time.advance(WINDOW);
    await desk.check(`nobody@${D}`);
    expect(await desk.check(`bob@${D}`)).toMatchObject({ generation: 8 });
    desk.reader.cache.delete(desk.reader.cache.peek(D) as never);
    desk.kv.set(manifestKey(D), old);
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "unavailable" });
  });
});

describe("a part of a list", () => {
  it("is read again for a newer list that has it again, if the one between had not", async () => {
    const desk = new Desk();
    desk.publish({ generation: 5, names: ["alice"], bits: 0 });
    const first = desk.kv.get(manifestKey(D)) as Uint8Array;
    const { shards } = desk.publish({ generation: 6, names: ["alice", "bob"], bits: 0 });
    // KV is behind, so the reader learns of the second one after it has a part of the first one.
    desk.kv.set(manifestKey(D), first);
    desk.kv.delete(blobKey(D, blobId(shards, 0)));
    desk.log.takes = 50;
    const answer = desk.reader.check(desk.context(), queryOf(`nobody@${D}`));
    await desk.time.advance(75);
    expect(desk.reader.cache.peek(D)?.manifest.generation).toBe(5);
    await desk.time.advance(50);
    expect(desk.reader.cache.peek(D)?.manifest.generation).toBe(6);
    // Meanwhile another change passes through the same isolate, and undoes the last one.
    desk.publish({ generation: 7, names: ["alice"], bits: 0 });
    desk.reader.noteChange(0, { incarnation: desk.log.incarnation, number: 7 }, { [D]: 7 });
    expect(await desk.time.run(Promise.resolve(answer))).toMatchObject({
      verdict: "unknown",
      generation: 7,
    });
  });
});

describe("a list of a Registry that replaced a lost one", () => {
  it("is fetched for its own number, whatever number the lost log had", async () => {
    const desk = await confirmed({ generation: 46 });
    const incarnation = desk.log.incarnation + 1;
    desk.log.incarnation = incarnation;
    desk.log.asOf = 24;
    // A change of another domain passes: the log is new, and nothing is known of this domain.
    desk.reader.noteChange(0, { incarnation, number: 20 }, { "other.example": 20 });
    await desk.time.advance(WINDOW + 1);
    desk.publish({ incarnation, generation: 24, bits: 1 });
    // KV is late.
    const late = desk.manifest({ incarnation, generation: 16, bits: 1 });
    desk.kv.set(manifestKey(D), late.bytes);
    desk.kvTakes = 30;
    desk.log.takes = 20;
    // Another check learns of the new head while this one reads a part of the list.
    void desk.check("a@[192.0.2.1]");
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", generation: 24 });
  });
});

describe("aliases of domains that are not served", () => {
  it("read their targets each, however many there are, while the log is known", async () => {
    const desk = new Desk({ mostHeads: 500 });
    const aliases = Array.from({ length: 20 }, (_, i) => `alias${i}.example`);
    for (const domain of aliases) desk.publish({ domain, names: [], policy: { alias: `to-${domain}` } });
    await desk.check("a@[192.0.2.1]");
    await desk.idle();
    desk.takeReads();
    for (const domain of aliases)
      expect(await desk.check(`alice@${domain}`)).toMatchObject({
        verdict: "unavailable",
        detail: "the newest list could not be read",
      });
    expect(desk.takeReads().filter((key) => key.includes("to-"))).toHaveLength(20);
  });
});

describe("verdicts that are neither accepts nor refusals", () => {
  it("need no contact", async () => {
    const desk = new Desk({ acceptGrace: 0 });
    const until = desk.time.now() + 30 * DAY;
    desk.publish({ names: [], deletedUntil: until });
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.log.fate = "fails";
    await desk.time.advance(DAY);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "departed", max_age: 0 });
  });

  it("of a tombstone are its own, whatever alias it had", async () => {
    const desk = new Desk();
    desk.publish({ domain: "target.example", generation: 6, names: ["alice"] });
    desk.publish({
      generation: 7,
      names: [],
      deletedUntil: desk.time.now() + DAY,
      policy: { alias: "target.example" },
    });
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "departed", generation: 7 });
  });
});

describe("an accept", () => {
  it("that is confirmed needs no grace", async () => {
    const desk = await confirmed({}, { acceptGrace: 0 });
    await desk.time.advance(10_000);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "accept", confirmed_age: 10 });
  });

  it("relies on contact of up to a day without a question", async () => {
    const desk = await confirmed();
    desk.log.takes = 50;
    await desk.time.advance(DAY);
    // The manifest is read again, which takes no time here; a question would take 50 ms.
    const asked = desk.time.now();
    await desk.check(`alice@${D}`);
    expect(desk.time.now()).toBe(asked);
  });

  it("asks first if its contact is older than a day, and answers with the new one", async () => {
    const desk = await confirmed();
    await desk.time.advance(DAY + 1);
    expect(await desk.check(`alice@${D}`)).toMatchObject({
      action: "accept",
      contact_age: 0,
      confirmed_age: 0,
    });
  });

  it("does not ask again within an hour of a question that failed", async () => {
    const desk = await confirmed();
    desk.log.fate = "fails";
    await desk.time.advance(2 * DAY);
    await desk.check(`alice@${D}`);
    await desk.idle();
    const refreshedAt = desk.reader.views.at(0).refreshedAt;
    desk.log.takes = 50;
    await desk.time.advance(refreshedAt + HOUR - desk.time.now());
    let asked = desk.time.now();
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    expect(desk.time.now()).toBe(asked);
    // The background refresh failed once more, so the next hour starts with it.
    await desk.idle();
    await desk.time.advance(HOUR + 1);
    asked = desk.time.now();
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    expect(desk.time.now() - asked).toBe(50);
  });

  it("through an alias rests on the contact of either list", async () => {
    const desk = new Desk();
    desk.publish({ domain: "target.example", generation: 6, names: ["alice"] });
    desk.publish({ generation: 7, names: [], policy: { alias: "target.example" } });
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.log.fate = "fails";
    await desk.time.advance(GRACE);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    await desk.time.advance(1);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "defer" });
  });
});

describe("before the served domains are known", () => {
  it("sixteen domains may be read between two refreshes, and served ones always", async () => {
    const desk = new Desk();
    desk.log.fate = "refuses";
    // Learns that the log cannot be asked.
    await desk.check("a@[192.0.2.1]");
    await desk.idle();
    await desk.time.advance(1_000);
    // Each failed refresh allows sixteen more, so no refresh may end meanwhile.
    desk.log.fate = "hangs";
    const first = desk.reader.check(desk.context(), queryOf("a@[192.0.2.1]"));
    desk.takeReads();
    const burst = Array.from({ length: 30 }, (_, i) => `x@invented${i}.example`);
    const context = desk.context();
    const all = desk.reader.checkAll(
      context,
      burst.map((text) => queryOf(text)),
    );
    await desk.time.advance(100);
    expect(desk.takeReads().filter((key) => key.includes("invented"))).toHaveLength(16);
    desk.reader.noteChange(0, { incarnation: desk.log.incarnation, number: 3 }, { "changed.example": 3 });
    const changed = desk.reader.check(desk.context(), queryOf("alice@changed.example"));
    await desk.time.advance(0);
    expect(desk.takeReads()).toContain(manifestKey("changed.example"));
    await desk.time.run(Promise.all([all, first, changed]));
  });

  it("a list that appears in KV is found by the next check", async () => {
    const desk = new Desk();
    desk.log.fate = "refuses";
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "defer" });
    desk.kv.set(manifestKey(D), desk.manifest().bytes);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
  });

  it("lists that are cached do not count as unknown ones", async () => {
    const domains = Array.from({ length: 20 }, (_, i) => `d${i}.example`);
    const cached = new Desk();
    for (const domain of domains)
      cached.kv.set(manifestKey(domain), cached.manifest({ domain, names: ["alice"] }).bytes);
    cached.log.fate = "refuses";
    for (const domain of domains) {
      await cached.check(`alice@${domain}`);
      await cached.idle();
      await cached.time.advance(1_000);
    }
    await cached.time.advance(WINDOW);
    // One check begins the pause, and all lists are read again within it.
    await cached.check("postmaster");
    await cached.idle();
    cached.takeReads();
    for (const domain of domains)
      expect(await cached.check(`alice@${domain}`)).toMatchObject({ verdict: "deliverable" });
    expect(cached.takeReads().filter((key) => key.startsWith(manifestKey("")))).toHaveLength(20);
  });

  it("an address literal reads nothing", async () => {
    const desk = new Desk();
    await desk.check("a@[192.0.2.1]");
    expect(desk.takeReads()).toEqual([]);
  });
});

describe("an address that no list can hold", () => {
  it("is malformed in its domain, with the reason", async () => {
    const desk = await confirmed();
    const answer = await desk.check(`a\u0001b@${D}`);
    expect(answer).toMatchObject({ verdict: "malformed", domain: D, generation: 5 });
    expect(answer.detail).toEqual(expect.stringContaining("character"));
    expect((await desk.check(`nobody@${D}`)).detail).toBeUndefined();
  });
});

describe("a deferral of an asker that has seen more", () => {
  it("names the newest log that is known, the list's or the view's", async () => {
    const desk = await confirmed();
    const newer = desk.log.incarnation + 5;
    const { bytes } = desk.manifest({ incarnation: newer, generation: 2, names: ["alice"] });
    desk.kv.set(manifestKey(D), bytes);
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW + 1);
    expect(await desk.check(`alice@${D}`, { min: 4 })).toMatchObject({
      verdict: "unavailable",
      incarnation: newer,
    });
  });

  it("is paused by partition", async () => {
    const desk = new Desk({ partitions: 2 });
    const [a, b] = ["a", "b", "c", "d", "e", "f"]
      .map((name) => `${name}.example`)
      .sort((x, y) => desk.reader.partitionOf(x) - desk.reader.partitionOf(y))
      .flatMap((domain, i, all) => (i === 0 || i === all.length - 1 ? [domain] : [])) as [string, string];
    expect([desk.reader.partitionOf(a), desk.reader.partitionOf(b)]).toEqual([0, 1]);
    const ask = (domain: string, seen = 99) =>
      desk.time.run(
        Promise.resolve(desk.reader.check(desk.context(), queryOf(`x@${domain}`, { [domain]: seen }))),
      );
    for (const domain of [a, b]) await ask(domain, 0);
    await ask(a);
    desk.takeQuestions();
    await ask(b);
    expect(desk.takeQuestions().length).toBeGreaterThan(0);
    await ask(a);
    expect(desk.takeQuestions()).toHaveLength(0);
  });
});
