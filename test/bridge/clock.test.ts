import { describe, expect, it } from "vitest";
import { createSteadyClock } from "../../src/bridge/index.ts";

/** Two clocks that a test sets. */
function clocks() {
  const at = { steady: 5_000, wall: 1_750_000_000_000 };
  return {
    at,
    clock: createSteadyClock(
      () => at.steady,
      () => at.wall,
    ),
  };
}

describe("the clock", () => {
  it("follows the monotonic clock", () => {
    const { at, clock } = clocks();
    const from = clock.now();
    at.steady += 1_234.5;
    at.wall += 1_234;
    expect(clock.now() - from).toBe(1_234.5);
  });

  it("counts the time that the machine slept once", () => {
    const { at, clock } = clocks();
    const from = clock.now();
    at.wall += 3_600_000;
    expect(clock.now() - from).toBe(3_600_000);
    expect(clock.now() - from).toBe(3_600_000);
    at.steady += 10;
    at.wall += 10;
    expect(clock.now() - from).toBe(3_600_010);
  });

  it("ignores a wall clock that is set back, and notices a sleep after that", () => {
    const { at, clock } = clocks();
    const from = clock.now();
    at.wall -= 86_400_000;
    expect(clock.now() - from).toBe(0);
    at.wall += 60_000;
    expect(clock.now() - from).toBe(60_000);
  });

  it("gains nothing from the rounding of the wall clock", () => {
    const { at, clock } = clocks();
    const from = clock.now();
    for (let i = 0; i < 10_000; i++) {
      at.steady += 0.3;
      at.wall = Math.round(1_750_000_000_000 + (at.steady - 5_000) + (i % 2 ? 400 : -400));
      clock.now();
    }
    expect(clock.now() - from).toBeCloseTo(3_000, 5);
  });

  it("never goes back, whatever the two clocks do", () => {
    const { at, clock } = clocks();
    let last = clock.now();
    for (const step of [5_000, -9_000, 1, 100_000, -1, -50_000, 2_000]) {
      at.wall += step;
      at.steady += 1;
      const now = clock.now();
      expect(now).toBeGreaterThanOrEqual(last + 1);
      last = now;
    }
  });
});
