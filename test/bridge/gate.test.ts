import { describe, expect, it } from "vitest";
import { Gate } from "../../src/bridge/gate.ts";
import { settle } from "./support/virtual-time.ts";

describe("a gate", () => {
  it("lets in as many as there is room for, and the rest in order as others leave", async () => {
    const gate = new Gate(2, 10);
    const order: number[] = [];
    const leaves: (() => void)[] = [];
    for (let i = 0; i < 5; i++) {
      void gate.enter().then((leave) => {
        order.push(i);
        if (leave) leaves.push(leave);
      });
    }
    await settle();
    expect(order).toEqual([0, 1]);
    while (leaves.length > 0) {
      leaves.shift()?.();
      await settle();
      expect(gate.inside).toBeLessThanOrEqual(2);
    }
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(gate.inside).toBe(0);
  });

  it("sends away whoever would wait behind too many", async () => {
    const gate = new Gate(1, 1);
    const leave = await gate.enter();
    const second = gate.enter();
    expect(await gate.enter()).toBeNull();
    leave?.();
    expect(await second).not.toBeNull();
  });
});
