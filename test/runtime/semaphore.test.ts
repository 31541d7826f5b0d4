import { describe, expect, it } from "vitest";
import { type Release, Semaphore } from "../../src/runtime/semaphore.ts";
import { settle } from "../bridge/support/virtual-time.ts";

describe("a semaphore", () => {
  it("hands out its permits, and the rest in order as permits are released", async () => {
    const semaphore = new Semaphore(2);
    const order: number[] = [];
    const releases: Release[] = [];
    for (let i = 0; i < 5; i++) {
      void semaphore.acquire().then((release) => {
        order.push(i);
        releases.push(release);
      });
    }
    await settle();
    expect(order).toEqual([0, 1]);
    while (releases.length > 0) {
      releases.shift()?.();
      await settle();
      expect(semaphore.inUse).toBeLessThanOrEqual(2);
    }
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(semaphore.inUse).toBe(0);
  });

  it("lets any number wait without a bound", async () => {
    const semaphore = new Semaphore(1);
    const all = Array.from({ length: 1_000 }, async () => (await semaphore.acquire())());
    await Promise.all(all);
    expect(semaphore.inUse).toBe(0);
  });
});
