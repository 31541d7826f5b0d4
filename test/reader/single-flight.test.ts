import { beforeEach, describe, expect, it } from "vitest";
import { OperationLimitError, type ReaderContext } from "../../src/reader/index.ts";
import { SingleFlight, type Work } from "../../src/reader/single-flight.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";

let time: VirtualTime;
let flight: SingleFlight;

beforeEach(() => {
  time = new VirtualTime();
  flight = new SingleFlight(time, time);
});

/** A request, as far as a single flight uses it. */
const request = (timeLeft = 60_000): ReaderContext =>
  ({ pending: new Map(), deadline: time.now() + timeLeft }) as unknown as ReaderContext;

/** Work that takes a while, counts its runs, and notes how they ended. */
class Job implements Work {
  readonly name = "job";
  readonly target?: number;
  runs = 0;
  settled = false;
  readonly ends: unknown[] = [];
  readonly #takes: number;
  readonly #fails: unknown;

  constructor(takes = 100, { target, fails }: { target?: number; fails?: unknown } = {}) {
    this.#takes = takes;
    this.#fails = fails;
    if (target !== undefined) this.target = target;
  }

  isSettled = (): boolean => this.settled;

  run = async (): Promise<void> => {
    this.runs++;
    await time.sleep(this.#takes);
    if (this.#fails !== undefined) throw this.#fails;
    this.settled = true;
  };

  ended = (error?: unknown): void => {
    this.ends.push(error);
  };
}

describe("work", () => {
  it("is done once for requests that ask at the same time; each waits until it is settled", async () => {
    const job = new Job(100);
    const begun = time.now();
    const all = [request(), request(), request()].map(async (context) => {
      await flight.run(context, job);
      expect(job.settled).toBe(true);
      return time.now() - begun;
    });
    const took = await time.run(Promise.all(all));
    expect(job.runs).toBe(1);
    expect(job.ends).toEqual([undefined]);
    expect(took[0]).toBe(100);
    expect(Math.max(...took)).toBeLessThanOrEqual(115);
  });

  it("is one promise within a request, and forgotten when it is done", async () => {
    const job = new Job(100);
    const context = request();
    const begun = time.now();
    const both = [0, 1].map(async () => {
      await flight.run(context, job);
      return time.now() - begun;
    });
    expect(context.pending.size).toBe(1);
    // The second one does not poll, so it is not late by a part of the interval.
    expect(await time.run(Promise.all(both))).toEqual([100, 100]);
    expect(job.runs).toBe(1);
    expect(context.pending.size).toBe(0);
  });

  it("is running until it is done", async () => {
    const done = flight.run(request(), new Job(100));
    expect(flight.isRunning("job")).toBe(true);
    expect(flight.isRunning("other")).toBe(false);
    await time.run(done);
    expect(flight.isRunning("job")).toBe(false);
  });

  it("may be done again later", async () => {
    const job = new Job(100);
    await time.run(flight.run(request(), job));
    await time.run(flight.run(request(), job));
    expect(job.runs).toBe(2);
  });

  it("that fails is paused for a second, and never rejects", async () => {
    const job = new Job(100, { fails: new Error("no") });
    await time.run(flight.run(request(), job));
    expect(job.ends).toEqual([new Error("no")]);
    expect(flight.isRunning("job")).toBe(false);
    await time.advance(999);
    expect(flight.isPaused("job")).toBe(true);
    await time.run(flight.run(request(), job));
    expect(job.runs).toBe(1);
    await time.advance(1);
    expect(flight.isPaused("job")).toBe(false);
    await time.run(flight.run(request(), job));
    expect(job.runs).toBe(2);
  });

  it("may have no use for its end", async () => {
    const work = { name: "plain", isSettled: () => false, run: async () => undefined };
    await time.run(flight.run(request(), work));
    expect(flight.isPaused("plain")).toBe(false);
    const failing = { ...work, run: () => Promise.reject(new Error("no")) };
    await time.run(flight.run(request(), failing));
    expect(flight.isPaused("plain")).toBe(true);
  });

  it("that ends because its request may do no more is not paused", async () => {
    const job = new Job(100, { fails: new OperationLimitError() });
    await time.run(flight.run(request(), job));
    expect(job.ends).toEqual([]);
    expect(flight.isPaused("job")).toBe(false);
    expect(flight.isRunning("job")).toBe(false);
  });

  it("that takes longer than three seconds fails", async () => {
    const job = new Job(60_000);
    const begun = time.now();
    await time.run(flight.run(request(), job));
    expect(time.now() - begun).toBe(3_000);
    expect(job.ends).toMatchObject([{ name: "TimeoutError" }]);
    expect(flight.isPaused("job")).toBe(true);
  });

  it("whose request died is done by another one after five seconds", async () => {
    const dead = new Job();
    dead.run = () => new Promise(() => undefined);
    const stuck = { ...time, sleep: () => new Promise<void>(() => undefined) };
    const frozen = new SingleFlight(time, stuck as unknown as VirtualTime);
    void frozen.run(request(), dead);
    await time.advance(4_999);
    expect(frozen.isRunning("job")).toBe(true);
    await time.advance(1);
    expect(frozen.isRunning("job")).toBe(false);
  });
});

describe("a request that waits for another one's work", () => {
  it("gives up at its deadline, or after three seconds", async () => {
    for (const [timeLeft, waits] of [
      [200, 210],
      [60_000, 3_000],
    ] as const) {
      time = new VirtualTime();
      flight = new SingleFlight(time, time);
      const job = new Job(2_990);
      job.isSettled = () => false;
      void flight.run(request(), job);
      const begun = time.now();
      await time.run(flight.run(request(timeLeft), job));
      expect(time.now() - begun).toBeLessThanOrEqual(waits + 15);
      expect(job.runs).toBe(1);
    }
  });

  it("gives up at the moment of its deadline", async () => {
    void flight.run(request(), new Job(1_000));
    const begun = time.now();
    await time.run(flight.run(request(150), new Job(1_000)));
    expect(time.now() - begun).toBe(150);
  });

  it("need not say whether the result is there: the end of the work tells it", async () => {
    let runs = 0;
    const run = async (): Promise<void> => {
      runs++;
      await time.sleep(100);
    };
    const first = flight.run(request(), { name: "plain", run });
    const begun = time.now();
    await time.run(Promise.all([first, flight.run(request(), { name: "plain", run })]));
    expect(runs).toBe(1);
    expect(time.now() - begun).toBeGreaterThanOrEqual(100);
    expect(time.now() - begun).toBeLessThanOrEqual(115);
  });

  it("returns if the work ended without a result for it", async () => {
    const failing = new Job(100, { fails: new Error("no") });
    void flight.run(request(), failing);
    const waiting = new Job(100);
    await time.run(flight.run(request(), waiting));
    expect(waiting.runs).toBe(0);
  });

  it("does the work itself if it was started for a lower number", async () => {
    const lower = new Job(100, { target: 1 });
    const higher = new Job(100, { target: 2 });
    const first = flight.run(request(), lower);
    await time.run(Promise.all([first, flight.run(request(), higher)]));
    expect([lower.runs, higher.runs]).toEqual([1, 1]);
  });

  it("does not do it again if it was started for the same number or a higher one", async () => {
    for (const target of [2, 3]) {
      const running = new Job(100, { target, fails: new Error("no") });
      const first = flight.run(request(), running);
      const waiting = new Job(100, { target: 2 });
      await time.run(Promise.all([first, flight.run(request(), waiting)]));
      expect(waiting.runs).toBe(0);
      await time.advance(1_000);
    }
  });

  it("takes the result of work for the same number, whatever it is", async () => {
    const first = flight.run(request(), new Job(100, { target: 2 }));
    const waiting = new Job(100, { target: 2 });
    await time.run(Promise.all([first, flight.run(request(), waiting)]));
    expect(waiting.runs).toBe(0);
  });

  it("starts nothing after its deadline, even where the work was for a lower number", async () => {
    const first = flight.run(request(), new Job(300, { target: 1 }));
    const waiting = new Job(100, { target: 2 });
    await time.run(Promise.all([first, flight.run(request(300), waiting)]));
    expect(waiting.runs).toBe(0);
  });

  it("does the work once for all that need the higher number", async () => {
    const lower = new Job(100, { target: 1 });
    const higher = new Job(100, { target: 2 });
    const all = [flight.run(request(), lower), ...[1, 2, 3].map(() => flight.run(request(), higher))];
    await time.run(Promise.all(all));
    expect(higher.runs).toBe(1);
  });
});

describe("pauses", () => {
  it("are by target, so that a failure for one number does not hold up another", async () => {
    await time.run(flight.run(request(), new Job(1, { target: 1, fails: new Error("no") })));
    const job = new Job(1, { target: 2 });
    await time.run(flight.run(request(), job));
    expect(job.runs).toBe(1);
  });

  it("are bounded: past ten thousand all are dropped", () => {
    for (let i = 0; i < 10_000; i++) flight.pause(`p${i}`, 1_000);
    expect(flight.isPaused("p0")).toBe(true);
    flight.pause("one more", 1_000);
    expect(flight.isPaused("p0")).toBe(false);
    expect(flight.isPaused("one more")).toBe(true);
  });
});
