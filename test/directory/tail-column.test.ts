import { describe, expect, it } from "vitest";
import { decodeTails, encodeTails, MAX_TAILS, TailColumn } from "../../src/directory/names/tail-column.ts";
import { atOnce } from "../../src/directory/steps.ts";
import { bytesOf, faultOf, unaligned } from "./helpers.ts";

describe("a column of tails", () => {
  it("grows, and gives its tails in ascending order", () => {
    const column = new TailColumn();
    const tails = Array.from({ length: 1_000 }, (_, i) => (i * 7_919) % 1_000);
    for (const tail of tails) expect(column.push(tail)).toBe(true);
    expect(column.length).toBe(1_000);
    expect([...atOnce(column.sorted())]).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  });

  it("takes no more than its limit", () => {
    const column = new TailColumn(3);
    expect([5, 4, 3, 2].map((tail) => column.push(tail))).toEqual([true, true, true, false]);
    expect([...atOnce(column.sorted())]).toEqual([3, 4, 5]);
    expect(MAX_TAILS).toBe(2_500_000);
  });
});

describe("tails that are sorted in steps", () => {
  const random = (i: number): number => (i * 2_654_435_761) % 2 ** 32;
  it.each([
    [0, random],
    [8_192, random],
    [8_193, random],
    [3 * 8_192 + 1, random],
    [100_000, random],
    [100_000, (i: number) => i % 7],
    [100_000, (i: number) => -i],
  ])("are in order, however many and whatever they are: %i", (count, tailOf) => {
    const tails = Float64Array.from({ length: count }, (_, i) => tailOf(i));
    const column = new TailColumn();
    for (const tail of tails) column.push(tail);
    const steps = column.sorted();
    const done: number[] = [];
    let step = steps.next();
    for (; !step.done; step = steps.next()) done.push(step.value);
    expect(step.value).toEqual(tails.sort());
    expect(Math.max(0, ...done)).toBeLessThanOrEqual(8_192);
    expect(done.length).toBeGreaterThanOrEqual(Math.ceil(count / 8_192));
  });
});

describe("tails as bytes", () => {
  const tails = Float64Array.of(0, 1, 2 ** 32 + 5, 2 ** 32 + 5, 2 ** 48 - 1);
  const bytes = bytesOf("000000000000 000000000001 000100000005 000100000005 ffffffffffff");

  it("take 6 each, big-endian", () => {
    expect(encodeTails(tails)).toEqual(bytes);
    expect(decodeTails(bytes)).toEqual(tails);
    expect(decodeTails(unaligned(bytes))).toEqual(tails);
    expect(decodeTails(new Uint8Array(0))).toEqual(new Float64Array(0));
  });

  it("are damaged if they are cut or not in order", () => {
    expect(faultOf(() => decodeTails(bytes.slice(0, -1)))).toBe("damaged");
    expect(faultOf(() => decodeTails(bytesOf("000000000001 000000000000")))).toBe("damaged");
    expect(faultOf(() => decodeTails(bytesOf("000100000000 000000000001")))).toBe("damaged");
  });
});
