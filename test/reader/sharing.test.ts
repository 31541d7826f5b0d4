/* Several requests at a time: one does the work, and each of the others gets what it needs, and no less. */
import { describe, expect, it } from "vitest";
import { type Answer, blobId, blobKey, manifestKey } from "../../src/directory/index.ts";
import { queryOf } from "../../src/reader/index.ts";
import { confirmed, D, Desk, INCARNATION, WINDOW } from "./support/desk.ts";

/** Begins a check as a request of its own. */
const begin = (desk: Desk, recipient: string): Promise<Answer> =>
  Promise.resolve(desk.reader.check(desk.context(), queryOf(recipient)));

const countOf = (desk: Desk, key: string): number => desk.takeReads().filter((read) => read === key).length;

describe("requests that need the same manifest", () => {
  it("wait for one reading of it", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check("a@[192.0.2.1]");
    desk.takeReads();
    desk.kvTakes = 100;
    const begun = desk.time.now();
    const answers = await desk.time.run(Promise.all([1, 2, 3].map(() => begin(desk, `alice@${D}`))));
    expect(answers.map(({ verdict }) => verdict)).toEqual(["deliverable", "deliverable", "deliverable"]);
    expect(desk.time.now() - begun).toBeLessThanOrEqual(115);
    expect(countOf(desk, manifestKey(D))).toBe(1);
  });

  it("do not take an older one for it: the Registry is still being asked", async () => {
    const desk = new Desk();
    desk.publish();
    const old = desk.kv.get(manifestKey(D)) as Uint8Array;
    desk.publish({ generation: 8, names: ["bob"] });
    await desk.check("a@[192.0.2.1]");
    desk.kv.set(manifestKey(D), old);
    desk.log.takes = 200;
    desk.kvTakes = 50;
    const answers = await desk.time.run(Promise.all([1, 2].map(() => begin(desk, `bob@${D}`))));
    expect(answers.map(({ verdict, generation }) => [verdict, generation])).toEqual([
      ["deliverable", 8],
      ["deliverable", 8],
    ]);
  });

  it("that is cached but lapsed wait for a new reading of it", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW + 1);
    desk.takeReads();
    desk.kvTakes = 100;
    const begun = desk.time.now();
    await desk.time.run(Promise.all([1, 2].map(() => begin(desk, `alice@${D}`))));
    expect(countOf(desk, manifestKey(D))).toBe(1);
    expect(desk.time.now() - begun).toBeGreaterThanOrEqual(100);
    expect(desk.time.now() - begun).toBeLessThanOrEqual(130);
  });

  it("that is cached but lapsed all answer from the new reading", async () => {
    const desk = await confirmed();
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW + 1);
    await desk.check(`alice@${D}`);
    await desk.idle();
    desk.kv.set(manifestKey(D), desk.manifest({ generation: 8, names: ["bob"] }).bytes);
    await desk.time.advance(WINDOW + 1);
    desk.kvTakes = 100;
    const answers = await desk.time.run(Promise.all([1, 2, 3].map(() => begin(desk, `bob@${D}`))));
    expect(answers.map(({ verdict, generation }) => [verdict, generation])).toEqual(
      Array(3).fill(["deliverable", 8]),
    );
  });

  it("take what work for a lower number found if it is new enough, without another reading", async () => {
    const desk = new Desk();
    desk.publish();
    desk.kvTakes = 200;
    // Nothing is known yet, so this one needs any generation.
    const first = begin(desk, `alice@${D}`);
    await desk.time.advance(50);
    desk.kvTakes = 0;
    await begin(desk, "a@[192.0.2.1]");
    // Now the head is known.
    const second = begin(desk, `alice@${D}`);
    const answers = await desk.time.run(Promise.all([first, second]));
    expect(answers.map(({ verdict }) => verdict)).toEqual(["deliverable", "deliverable"]);
    expect(countOf(desk, manifestKey(D))).toBe(1);
  });

  it("for different numbers do not stop at the lower one", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check("a@[192.0.2.1]");
    desk.kvTakes = 200;
    const first = begin(desk, `alice@${D}`);
    await desk.time.advance(50);
    desk.publish({ generation: 8, names: ["bob"] });
    desk.reader.noteChange(0, { incarnation: INCARNATION, number: 8 }, { [D]: 8 });
    const second = begin(desk, `bob@${D}`);
    const [, answer] = await desk.time.run(Promise.all([first, second]));
    expect(answer).toMatchObject({ verdict: "deliverable", generation: 8 });
  });
});

describe("requests that need the same blob", () => {
  it("wait for one reading of it", async () => {
    const desk = new Desk();
    const content = desk.publish({ bits: 0 });
    await desk.check("a@[192.0.2.1]");
    await desk.check("alice@[192.0.2.1]");
    desk.takeReads();
    desk.kvTakes = 100;
    const begun = desk.time.now();
    const answers = await desk.time.run(Promise.all([1, 2, 3].map(() => begin(desk, `alice@${D}`))));
    expect(answers.map(({ verdict }) => verdict)).toEqual(["deliverable", "deliverable", "deliverable"]);
    expect(countOf(desk, blobKey(D, blobId(content.shards, 0)))).toBe(1);
    // The manifest and the blob, one after the other, and an interval of polling after each.
    expect(desk.time.now() - begun).toBeLessThanOrEqual(230);
  });

  it("of departures too", async () => {
    const desk = new Desk();
    const { content } = desk.withDepartures(["zoe"], desk.time.now() + 3_600_000);
    await desk.check(`alice@${D}`);
    desk.takeReads();
    desk.kvTakes = 100;
    const begun = desk.time.now();
    const answers = await desk.time.run(Promise.all([1, 2].map(() => begin(desk, `zoe@${D}`))));
    expect(answers.map(({ verdict }) => verdict)).toEqual(["departed", "departed"]);
    expect(countOf(desk, blobKey(D, blobId(content.departures, 0)))).toBe(1);
    expect(desk.time.now() - begun).toBeLessThanOrEqual(115);
  });

  it("answer from the list that replaced theirs meanwhile", async () => {
    const desk = new Desk();
    desk.publish({ bits: 0 });
    await desk.check("a@[192.0.2.1]");
    desk.kvTakes = 300;
    const waiting = [1, 2].map(() => begin(desk, `bob@${D}`));
    await desk.time.advance(350);
    // The manifest is cached, and its blob is being read.
    const { bytes } = desk.manifest({ generation: 9, names: ["alice", "bob"] });
    desk.reader.cache.put(desk.open(bytes), desk.time.now());
    const answers = await desk.time.run(Promise.all(waiting));
    expect(answers.map(({ action, generation }) => [action, generation])).toEqual([
      ["accept", 9],
      ["accept", 9],
    ]);
  });
});

describe("requests that need a confirmation", () => {
  it("wait for one question", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.takeQuestions();
    desk.log.takes = 100;
    await desk.time.advance(WINDOW);
    const begun = desk.time.now();
    const answers = await desk.time.run(Promise.all([1, 2, 3].map(() => begin(desk, `nobody@${D}`))));
    expect(answers.map(({ verdict }) => verdict)).toEqual(["unknown", "unknown", "unknown"]);
    expect(desk.takeQuestions()).toHaveLength(1);
    expect(desk.time.now() - begun).toBeLessThanOrEqual(115);
  });

  it("go on when another answer confirms, although their own question still waits", async () => {
    const desk = await confirmed();
    await desk.time.advance(WINDOW);
    desk.log.takes = 2_000;
    const asking = begin(desk, `nobody@${D}`);
    const waiting = begin(desk, `nobody@${D}`);
    await desk.time.advance(10);
    desk.reader.views
      .at(0)
      .apply(
        { incarnation: INCARNATION, asOf: 5, full: false, heads: [], revoked: [], wanted: null },
        desk.time.now(),
        { incarnation: INCARNATION, number: 5 },
      );
    const begun = desk.time.now();
    expect(await desk.time.run(waiting)).toMatchObject({ verdict: "unknown" });
    expect(desk.time.now() - begun).toBeLessThanOrEqual(15);
    await desk.time.run(asking);
  });

  it("ask again where a change passed through while the question was under way", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.takeQuestions();
    desk.log.takes = 100;
    await desk.time.advance(WINDOW);
    const pending = begin(desk, `nobody@${D}`);
    await desk.time.advance(50);
    // The answer under way was made before the change.
    desk.log.freeze();
    desk.publish({ generation: 8, names: ["bob"] });
    desk.reader.noteChange(0, { incarnation: INCARNATION, number: 8 }, { [D]: 8 });
    expect(await desk.time.run(pending)).toMatchObject({ verdict: "unknown", generation: 8 });
    expect(desk.takeQuestions().length).toBeGreaterThanOrEqual(2);
  });
});
