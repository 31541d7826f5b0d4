import { describe, expect, it } from "vitest";
import { firstOf } from "../../src/runtime/first-of.ts";
import { retry } from "../../src/runtime/retry.ts";

describe("retry", () => {
  const run = async (failures: number, most: number) => {
    const pauses: number[] = [];
    let attempts = 0;
    const outcome = await retry(
      { sleep: async (ms) => void pauses.push(ms) },
      (error, attempt) => (attempt < most && String(error) === "Error: busy" ? 10 * attempt : null),
      async () => {
        if (++attempts <= failures) throw new Error(attempts === 9 ? "broken" : "busy");
        return attempts;
      },
    ).catch(String);
    return { outcome, pauses };
  };

  it("pauses after each failure, until the work succeeds", async () => {
    expect(await run(0, 4)).toEqual({ outcome: 1, pauses: [] });
    expect(await run(2, 4)).toEqual({ outcome: 3, pauses: [10, 20] });
  });

  it("gives up with the last error", async () => {
    expect(await run(9, 3)).toEqual({ outcome: "Error: busy", pauses: [10, 20] });
    expect(await run(9, 99)).toMatchObject({ outcome: "Error: broken" });
  });
});

describe("the first of work and time", () => {
  /** Timers whose time comes when the test says so. */
  const timers = () => {
    const made: { ms: number; ring: () => void; signal: AbortSignal | undefined }[] = [];
    const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve) => made.push({ ms, ring: resolve, signal }));
    return { sleep, made };
  };

  it("is the work that ends in time, and its timer is cancelled", async () => {
    const { sleep, made } = timers();
    expect(await firstOf({ sleep }, 50, async () => "done")).toBe("done");
    await expect(firstOf({ sleep }, 50, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(made.map(({ ms, signal }) => [ms, signal?.aborted])).toEqual([
      [50, true],
      [50, true],
    ]);
  });

  it("is null for work that takes longer", async () => {
    const { sleep, made } = timers();
    const waiting = firstOf({ sleep }, 50, () => new Promise<string>(() => undefined));
    made[0]?.ring();
    expect(await waiting).toBeNull();
  });
});
