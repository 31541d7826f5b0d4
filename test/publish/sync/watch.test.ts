import { describe, expect, it } from "vitest";
import { DEBOUNCE_MS, pauseAfterRun, Wakeup, watch } from "../../../src/publish/index.ts";
import { settle, VirtualTime } from "../../bridge/support/virtual-time.ts";

const INTERVAL = 900_000;

/** A watch under virtual time, whose runs are noted. */
function watching(chance = 0.5, intervalMs = INTERVAL) {
  const time = new VirtualTime();
  const stop = new AbortController();
  const wakeup = new Wakeup();
  const runs: number[] = [];
  const state = { isFailing: false, isOver: false, during: async (): Promise<void> => undefined };
  const ended = watch(
    { sleep: time.timers.sleep, chance: () => chance },
    {
      intervalMs,
      wakeup,
      stop: stop.signal,
      run: async () => {
        runs.push(time.clock.now());
        await state.during();
        return state.isFailing;
      },
    },
  ).then(() => {
    state.isOver = true;
  });
  return { time, stop, wakeup, runs, state, ended };
}

describe("the pause after a run", () => {
  it("is the interval, after failures 30 s and then twice as long each time, up to the interval", () => {
    const pauses = Array.from({ length: 9 }, (_, failed) => pauseAfterRun(INTERVAL, failed, 0.5) / 1000);
    expect(pauses).toEqual([900, 30, 60, 120, 240, 480, 900, 900, 900]);
    expect(pauseAfterRun(INTERVAL, 10_000, 0.5)).toBe(INTERVAL);
    expect(pauseAfterRun(10_000, 1, 0.5)).toBe(10_000);
  });

  it("differs by up to a tenth either way", () => {
    expect(pauseAfterRun(1000, 0, 0)).toBeCloseTo(900);
    expect(pauseAfterRun(1000, 0, 1)).toBeCloseTo(1100);
  });
});

describe("watch", () => {
  it("runs at once and after each interval, until it is stopped between two runs", async () => {
    const { time, stop, runs, state, ended } = watching();
    await time.advance(2 * INTERVAL + 1);
    expect(runs).toEqual([0, INTERVAL, 2 * INTERVAL]);
    stop.abort();
    await ended;
    expect(time.pending).toBe(0);
    expect(state.isOver).toBe(true);
  });

  it("tries sooner after failures, and starts over after a success", async () => {
    const { time, stop, runs, state } = watching();
    state.isFailing = true;
    await time.advance(30_000 + 60_000 + 120_000);
    expect(runs).toEqual([0, 30_000, 90_000, 210_000]);
    state.isFailing = false;
    await time.advance(240_000 + INTERVAL);
    expect(runs.slice(4)).toEqual([450_000, 450_000 + INTERVAL]);
    state.isFailing = true;
    await time.advance(INTERVAL + 30_000);
    expect(runs.at(-1)).toBe(450_000 + 2 * INTERVAL + 30_000);
    stop.abort();
  });

  it("runs soon after it is woken, once for many events, and then after a whole interval", async () => {
    const { time, stop, wakeup, runs } = watching();
    await time.advance(10_000);
    wakeup.wake();
    await settle();
    wakeup.wake();
    await time.advance(DEBOUNCE_MS - 1);
    wakeup.wake();
    expect(runs).toEqual([0]);
    await time.advance(1);
    expect(runs).toEqual([0, 10_000 + DEBOUNCE_MS]);
    await time.advance(INTERVAL);
    expect(runs).toEqual([0, 10_000 + DEBOUNCE_MS, 10_000 + DEBOUNCE_MS + INTERVAL]);
    stop.abort();
  });

  it("runs again if it is woken during a run, and events without end make a run every two seconds at most", async () => {
    const { time, stop, wakeup, runs, state } = watching();
    state.during = async () => wakeup.wake();
    wakeup.wake();
    await time.advance(10 * DEBOUNCE_MS);
    expect(runs).toEqual(Array.from({ length: 11 }, (_, i) => i * DEBOUNCE_MS));
    stop.abort();
  });

  it("ends after the present run if it is stopped within it", async () => {
    const { time, stop, runs, state, ended } = watching();
    let finish = (): void => undefined;
    state.during = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    await time.advance(INTERVAL);
    expect(runs).toEqual([0, INTERVAL]);
    stop.abort();
    await settle();
    expect(state.isOver).toBe(false);
    finish();
    await ended;
    expect(runs).toHaveLength(2);
  });
});
