import { describe, expect, it } from "vitest";
import { interleave, spreadOf } from "../../bench/rig/rounds.ts";

describe("spreadOf", () => {
  it("uses the middle of an odd number, and the mean of the middle two of an even one", () => {
    expect(spreadOf([3, 1, 2])).toEqual({ value: 2, lowest: 1, highest: 3 });
    expect(spreadOf([4, 1, 2, 10])).toEqual({ value: 3, lowest: 1, highest: 10 });
  });
});

describe("interleave", () => {
  it("alternates between the sides, theirs first and last", async () => {
    const order: string[] = [];
    const side = (name: string) => async () => {
      order.push(name);
      return 1;
    };
    await interleave(2, side("theirs"), side("ours"));
    expect(order).toEqual(["theirs", "ours", "theirs", "ours", "theirs"]);
  });

  it("compares each of ours with its own neighbours, so that a machine that slows down does not matter", async () => {
    let speed = 16;
    // Every turn the machine has half of what it had; ours is half as fast as theirs would be at the same moment.
    const theirs = async () => {
      const now = speed;
      speed /= 2;
      return now;
    };
    const { ratio, ours } = await interleave(2, theirs, async () => (await theirs()) / 2);
    expect(ours).toEqual({ value: 2.5, lowest: 1, highest: 4 });
    expect(ratio).toEqual({ value: 0.4, lowest: 0.4, highest: 0.4 });
  });
});
