import { describe, expect, it } from "vitest";
import { Breaker, type BreakerState } from "../../src/bridge/edge-source/breaker.ts";
import { BridgeLog } from "../../src/bridge/observability/log.ts";
import { VirtualTime } from "./support/virtual-time.ts";

function make() {
  const time = new VirtualTime();
  const states: BreakerState[] = [];
  const breaker = new Breaker(time, {
    failures: 3,
    maxPause: 1_000,
    onChange: (state) => states.push(state),
  });
  const fail = async (): Promise<boolean> => breaker.run(async () => false);
  const succeed = async (): Promise<boolean> => breaker.run(async () => true);
  return { time, states, breaker, fail, succeed };
}

describe("a breaker", () => {
  it("stays closed while failures do not follow on each other", async () => {
    const { breaker, fail, succeed } = make();
    for (let i = 0; i < 10; i++) {
      await fail();
      await fail();
      await succeed();
    }
    expect(breaker.state).toBe("closed");
  });

  it("opens, tries, and closes", async () => {
    const { time, states, fail, succeed } = make();
    for (let i = 0; i < 3; i++) await fail();
    expect(states).toEqual(["open"]);
    const tried = succeed();
    await time.advance(99);
    expect(states).toEqual(["open"]);
    await time.advance(1);
    expect(await tried).toBe(true);
    expect(states).toEqual(["open", "half-open", "closed"]);
  });

  it("lets one through at a time while it is open", async () => {
    const { time, breaker, fail, succeed } = make();
    for (let i = 0; i < 3; i++) await fail();
    const first = breaker.run(async () => {
      await time.timers.sleep(500);
      return true;
    });
    expect(await succeed()).toBe(false);
    await time.advance(300);
    expect(breaker.state).toBe("half-open");
    expect(await succeed()).toBe(false);
    await time.advance(300);
    expect(await first).toBe(true);
    expect(await succeed()).toBe(true);
  });

  it("waits longer after each try that fails, up to the longest pause", async () => {
    const { time, fail } = make();
    for (let i = 0; i < 3; i++) await fail();
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      const from = time.clock.now();
      let over = false;
      const tried = fail().then(() => {
        over = true;
      });
      while (!over) await time.advance(10);
      await tried;
      waits.push(time.clock.now() - from);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  it("waits as briefly as at first when it opens again", async () => {
    const { time, breaker, fail, succeed } = make();
    for (const attempt of [fail, fail, fail, fail, fail, fail, succeed, fail, fail]) {
      const tried = attempt();
      await time.advance(1_000);
      await tried;
    }
    expect(breaker.state).toBe("closed");
    await fail();
    const tried = succeed();
    await time.advance(100);
    expect(breaker.state).toBe("closed");
    await tried;
  });

  it("does not wait longer because of failures before it opened", async () => {
    const { time, breaker, fail, succeed } = make();
    const late = breaker.run(async () => {
      await time.timers.sleep(90);
      return false;
    });
    for (let i = 0; i < 3; i++) await fail();
    await time.advance(90);
    await late;
    const tried = succeed();
    await time.advance(10);
    expect(breaker.state).toBe("closed");
    await tried;
  });

  it("is logged as open once, however long the edge fails", async () => {
    const lines: string[] = [];
    const log = new BridgeLog({ level: "info", write: (line) => lines.push(line), wall: () => 0 });
    const time = new VirtualTime();
    const breaker = new Breaker(time, {
      failures: 3,
      maxPause: 1_000,
      onChange: (state, before) => log.breaker(state, before),
    });
    for (let outage = 0; outage < 2; outage++) {
      for (let i = 0; i < 60; i++) {
        const tried = breaker.run(async () => false);
        await time.advance(1_000);
        await tried;
      }
      const tried = breaker.run(async () => true);
      await time.advance(1_000);
      await tried;
    }
    expect(lines.map((line) => (JSON.parse(line) as { state: string }).state)).toEqual([
      "open",
      "closed",
      "open",
      "closed",
    ]);
  });

  it("is not blocked by a try that throws", async () => {
    const { time, breaker, fail, succeed } = make();
    for (let i = 0; i < 3; i++) await fail();
    const thrown = breaker
      .run(() => Promise.reject(new Error("broken")))
      .catch((error: Error) => error.message);
    await time.advance(1_000);
    expect(await thrown).toBe("broken");
    expect(await succeed()).toBe(true);
    expect(breaker.state).toBe("closed");
  });
});
