/* The reader as its host sees it: one request at a time, a batch, and what runs behind the answers. */
import { describe, expect, it } from "vitest";
import { manifestKey } from "../../src/directory/index.ts";
import { OperationLimitError, queryOf, type ReaderContext } from "../../src/reader/index.ts";
import { confirmed, D, Desk, WINDOW } from "./support/desk.ts";

describe("a check", () => {
  it("settles at once where everything is there", async () => {
    const desk = await confirmed();
    const answer = desk.reader.check(desk.context(), queryOf(`alice@${D}`));
    expect(answer).not.toBeInstanceOf(Promise);
    expect(desk.answered.at(-1)).toEqual([answer, D]);
  });

  it("is counted once, under its domain only where that has a list", async () => {
    const desk = await confirmed();
    desk.answered.length = 0;
    await desk.check(`alice@${D}`);
    await desk.check("a@other.example");
    await desk.check("postmaster");
    desk.reader.noteChange(0, { incarnation: desk.log.incarnation, number: 6 }, { "new.example": 6 });
    desk.log.fate = "fails";
    await desk.check("a@new.example");
    expect(desk.answered.map(([{ verdict }, domain]) => [verdict, domain])).toEqual([
      ["deliverable", D],
      ["not-served", null],
      ["deliverable", null],
      ["unavailable", "new.example"],
    ]);
  });

  it("ends after 4.5 s at most, while the work continues for others", async () => {
    const desk = new Desk();
    desk.publish();
    desk.kvFate = "hangs";
    desk.log.fate = "hangs";
    const begun = desk.time.now();
    const context = desk.context();
    const pending = desk.reader.check(context, queryOf(`alice@${D}`));
    const answer = await desk.time.run(Promise.resolve(pending));
    expect(answer).toMatchObject({ verdict: "unavailable" });
    expect(desk.time.now() - begun).toBeLessThanOrEqual(4_500);
  });

  it("ends at the deadline of its request", async () => {
    const desk = new Desk();
    desk.publish();
    desk.log.fate = "hangs";
    const begun = desk.time.now();
    const pending = desk.reader.check(desk.context(begun + 700), queryOf(`nobody@${D}`));
    expect(await desk.time.run(Promise.resolve(pending))).toMatchObject({
      verdict: "unavailable",
      detail: "the directory could not be read in time",
    });
    expect(desk.time.now() - begun).toBe(700);
    expect(desk.background.length).toBeGreaterThan(0);
  });

  it("after the deadline starts nothing", async () => {
    const desk = new Desk();
    desk.publish();
    const pending = desk.reader.check(desk.context(desk.time.now()), queryOf(`nobody@${D}`));
    expect(await desk.time.run(Promise.resolve(pending))).toMatchObject({ verdict: "unavailable" });
    expect(desk.takeReads()).toEqual([]);
  });
});

describe("a batch", () => {
  it("is answered in order", async () => {
    const desk = new Desk();
    desk.publish({ names: ["u3", "u50"] });
    const queries = Array.from({ length: 100 }, (_, i) => queryOf(`u${i}@${D}`));
    const answers = await desk.time.run(desk.reader.checkAll(desk.context(), queries));
    expect(answers.map(({ recipient }) => recipient)).toEqual(queries.map(({ text }) => text));
    const accepted = answers.flatMap(({ verdict }, i) => (verdict === "deliverable" ? [i] : []));
    expect(accepted).toEqual([3, 50]);
  });

  it("of nothing is answered with nothing", async () => {
    expect(await new Desk().reader.checkAll(new Desk().context(), [])).toEqual([]);
  });

  it("keeps 32 checks waiting at a time", async () => {
    const desk = new Desk();
    desk.log.fate = "refuses";
    for (let i = 0; i < 40; i++)
      desk.reader.noteChange(0, { incarnation: 1, number: 1 }, { [`d${i}.example`]: 1 });
    desk.kvFate = "hangs";
    const queries = Array.from({ length: 40 }, (_, i) => queryOf(`a@d${i}.example`));
    const all = desk.reader.checkAll(desk.context(), queries);
    await desk.time.advance(0);
    expect(desk.takeReads().length).toBe(32);
    await desk.time.run(all);
  });

  it("loses one check to an internal error, and reports it", async () => {
    const desk = await confirmed();
    const broken = {
      text: "x",
      recipient: { kind: "mailbox", domain: D, local: 7 },
      minGeneration: 0,
      isNamed: false,
    };
    const queries = [queryOf(`alice@${D}`), broken as never, queryOf(`nobody@${D}`)];
    const answers = await desk.time.run(desk.reader.checkAll(desk.context(), queries));
    expect(answers.map(({ verdict }) => verdict)).toEqual(["deliverable", "unavailable", "unknown"]);
    expect(answers[1]?.detail).toBe("internal error; no verdict");
    expect(desk.faults.map(([kind, domain]) => [kind, domain])).toEqual([["internal_error", null]]);
    expect(desk.faults[0]?.[2]).toContain("    at ");
  });

  it("that has used its operations defers the rest, without a fault or a pause for other requests", async () => {
    const desk = new Desk();
    desk.publish();
    const spent: ReaderContext = {
      ...desk.context(),
      kv: {
        get: () => Promise.reject(new OperationLimitError()),
        getTexts: () => Promise.reject(new OperationLimitError()),
      },
      log: () => ({
        changes: () => Promise.reject(new OperationLimitError()),
        blob: () => Promise.reject(new OperationLimitError()),
      }),
    };
    const answers = await desk.time.run(
      desk.reader.checkAll(spent, [queryOf(`alice@${D}`), queryOf("a@[192.0.2.1]")]),
    );
    expect(answers.map(({ verdict }) => verdict)).toEqual(["unavailable", "unavailable"]);
    expect(answers[1]?.detail).toBe("the Registry did not confirm in time");
    expect(desk.faults).toEqual([]);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
  });
});

describe("an error that no rule foresees", () => {
  it("fails its check at once, and is reported", async () => {
    const desk = new Desk();
    desk.publish();
    const whole = desk.context();
    let uses = 0;
    const broken: ReaderContext = {
      ...whole,
      get pending() {
        if (uses++ === 0) throw new RangeError("no such place");
        return whole.pending;
      },
    };
    const [answer] = await desk.reader.checkAll(broken, [queryOf(`alice@${D}`)]);
    expect(answer).toMatchObject({ verdict: "unavailable", detail: "internal error; no verdict" });
    expect(desk.takeFaults()).toEqual(["internal_error"]);
  });
});

describe("behind the answers", () => {
  it("one request refreshes from half of the window on, after its answer", async () => {
    const desk = await confirmed();
    await desk.time.advance(WINDOW / 2 - 1);
    await desk.check(`alice@${D}`);
    expect(desk.background).toEqual([]);
    await desk.time.advance(1);
    const context = desk.context();
    for (let i = 0; i < 3; i++) await desk.reader.check(context, queryOf(`alice@${D}`));
    expect(desk.background).toHaveLength(1);
    expect(desk.takeQuestions()).toEqual([]);
    await desk.idle();
    expect(desk.takeQuestions()).toHaveLength(1);
    expect(desk.reader.views.at(0).isDue(desk.time.now())).toBe(false);
  });

  it("of requests at one moment, one asks, and the others do not wait for it", async () => {
    const desk = await confirmed();
    await desk.time.advance(WINDOW / 2);
    desk.log.takes = 100;
    await desk.check(`alice@${D}`);
    await desk.check(`alice@${D}`);
    expect(desk.background).toHaveLength(2);
    let ended = 0;
    for (const work of desk.background) void work.then(() => ended++);
    await desk.time.advance(0);
    expect(ended).toBe(1);
    await desk.idle();
    expect(desk.takeQuestions()).toHaveLength(1);
  });

  it("each partition that a request asked about is refreshed, and the first one for a bare postmaster", async () => {
    const desk = new Desk({ partitions: 5 });
    const domains = ["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => `${name}.example`);
    const asked: number[] = [];
    const request = (): ReaderContext => {
      const context = desk.context();
      return {
        ...context,
        log: (partition) => {
          asked.push(partition);
          return context.log(partition);
        },
      };
    };
    await desk.reader.check(request(), queryOf("postmaster"));
    await desk.idle();
    expect(asked).toEqual([0]);
    for (const domain of domains) desk.publish({ domain });
    await desk.time.run(
      desk.reader.checkAll(
        request(),
        domains.map((domain) => queryOf(`nobody@${domain}`)),
      ),
    );
    await desk.idle();
    await desk.time.advance(WINDOW / 2);
    asked.length = 0;
    const one = request();
    for (const domain of domains) await desk.reader.check(one, queryOf(`nobody@${domain}`));
    await desk.idle();
    const partitions = new Set(domains.map((domain) => desk.reader.partitionOf(domain)));
    expect([...asked].sort()).toEqual([...partitions].sort());
    expect(partitions.size).toBeGreaterThan(1);
  });

  it("nothing is asked while the last question failed a moment ago", async () => {
    const desk = await confirmed();
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW / 2);
    await desk.check(`alice@${D}`);
    await desk.idle();
    expect(desk.takeQuestions()).toHaveLength(1);
    await desk.check(`alice@${D}`);
    expect(desk.background).toEqual([]);
    await desk.time.advance(1_000);
    await desk.check(`alice@${D}`);
    await desk.idle();
    expect(desk.takeQuestions()).toHaveLength(1);
  });

  it("manifests in use that the log is ahead of are read, before a check needs them", async () => {
    const desk = await confirmed();
    desk.publish({ generation: 8, names: ["bob"] });
    await desk.time.advance(WINDOW / 2);
    await desk.check(`alice@${D}`);
    await desk.idle();
    expect(desk.reader.cache.peek(D)?.manifest.generation).toBe(8);
    expect(desk.takeReads().filter((key) => key === manifestKey(D))).toHaveLength(1);
    // KV has it, so the Registry need not send it.
    expect(desk.takeQuestions().map(({ want }) => want)).toEqual([null]);
    // One that is up to date is not read again.
    await desk.time.advance(WINDOW / 2);
    await desk.check(`bob@${D}`);
    await desk.idle();
    expect(desk.takeReads()).not.toContain(manifestKey(D));
  });

  it("a list without a head is left alone", async () => {
    const desk = await confirmed();
    const gone = desk.manifest({ domain: "gone.example" });
    desk.reader.cache.put(desk.open(gone.bytes, "gone.example"), desk.time.now());
    desk.takeReads();
    await desk.time.advance(WINDOW / 2);
    await desk.check(`alice@${D}`);
    await desk.idle();
    expect(desk.takeReads()).not.toContain(manifestKey("gone.example"));
  });

  it("sixteen manifests in use are brought up to date, the most recently used ones", async () => {
    const desk = new Desk({ mostHeads: 500 });
    const domains = Array.from({ length: 18 }, (_, i) => `d${i}.example`);
    domains.forEach((domain, i) => void desk.publish({ domain, generation: 5 + i }));
    for (const domain of domains) await desk.check(`alice@${domain}`);
    await desk.check(`nobody@${domains[17]}`);
    await desk.idle();
    domains.forEach((domain, i) => void desk.publish({ domain, generation: 105 + i }));
    await desk.time.advance(WINDOW / 2);
    await desk.check(`alice@${domains[17]}`);
    desk.takeReads();
    await desk.idle();
    const read = desk.takeReads();
    expect(domains.filter((domain) => !read.includes(manifestKey(domain)))).toEqual([
      "d0.example",
      "d1.example",
    ]);
  });
});
