import { describe, expect, it } from "vitest";
import { HandOver } from "../../src/bridge/hand-over.ts";
import type { Give, HandedOver } from "../../src/bridge/listeners/giving.ts";
import { settle } from "./support/virtual-time.ts";

/** A bridge with two connections, and a new process, whose every step is in the test's hand. */
function rig() {
  const said: string[] = [];
  const steps: Record<string, (value?: unknown) => void> = {};
  const fail: Record<string, (error: Error) => void> = {};
  const step = <T>(name: string): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      steps[name] = resolve as (value?: unknown) => void;
      fail[name] = reject;
    });
  let given: Give = () => Promise.resolve();
  const successor = () => ({
    pid: 7,
    ended: step<Error>("ended"),
    ready: step<void>("ready"),
    give: (connection: HandedOver) =>
      Promise.resolve((connection as unknown as string) === "lost" ? new Error("not taken") : null),
    abort: () => said.push("aborted"),
    done: () => step<Error | null>("done"),
  });
  const handOver = new HandOver({
    server: {
      descriptors: () => [],
      handOver: (give) => {
        given = give;
        said.push("giving");
        return step<number | null>("given");
      },
    },
    log: {
      replaced: (pid, { connections, closed }) => said.push(`replaced ${pid} ${connections} ${closed}`),
      replaceFailed: (why) => said.push(`failed: ${why}`),
      nobodyListens: (why) => said.push(`nobody: ${why}`),
    },
    lost: ({ message }) => said.push(`lost: ${message}`),
    endWork: async () => {
      said.push("work ended");
    },
  });
  const give = (connection: string): Promise<void> => given(connection as unknown as HandedOver);
  return { said, steps, fail, give, handOver, replace: () => handOver.to(successor) };
}

const died = new Error("it died");

describe("a hand-over", () => {
  it("gives connections, ends this process's work and says how many the other one has", async () => {
    const { said, steps, give, replace } = rig();
    const replaced = replace();
    expect(said).toEqual([]);
    steps.ready?.();
    await settle();
    for (const each of ["one", "lost", "two"]) await give(each);
    steps.given?.(3);
    await settle();
    expect(said).toEqual(["giving", "lost: not taken"]);
    steps.done?.(null);
    expect(await replaced).toBe("replaced");
    expect(said.slice(2)).toEqual(["work ended", "replaced 7 2 3"]);
    expect(await replace()).toBe("ending");
  });

  it("is given up if the other process does not listen, or ends while it is given connections", async () => {
    const { said, steps, fail, replace } = rig();
    const first = replace();
    fail.ready?.(died);
    expect(await first).toBe("continues");
    const second = replace();
    steps.ready?.();
    await settle();
    steps.ended?.(died);
    steps.given?.(null);
    expect(await second).toBe("continues");
    expect(said).toEqual(["failed: it died", "giving", "failed: it died"]);
    // It can be tried again.
    const third = replace();
    steps.ready?.();
    await settle();
    steps.given?.(0);
    await settle();
    steps.done?.(null);
    expect(await third).toBe("replaced");
  });

  it("says that nobody listens if the other process ends when this one has closed its listeners", async () => {
    const { said, steps, replace } = rig();
    const replaced = replace();
    steps.ready?.();
    await settle();
    steps.given?.(0);
    await settle();
    steps.done?.(died);
    expect(await replaced).toBe("nobody-listens");
    expect(said).toEqual(["giving", "work ended", "nobody: it died"]);
    expect(await replace()).toBe("ending");
  });

  it("that a stop interrupts ends both processes, and says nothing of a failure", async () => {
    for (const at of ["ready", "given", "done"]) {
      const { said, steps, handOver, replace } = rig();
      const replaced = replace();
      for (const name of ["ready", "given", "done"]) {
        if (name === at) {
          handOver.stop();
          steps.ended?.(died);
        }
        steps[name]?.(name === "given" ? (at === "given" ? null : 0) : name === "done" ? died : undefined);
        await settle();
      }
      expect(await replaced).toBe("ending");
      expect(said.filter((each) => /failed|nobody|replaced/.test(each))).toEqual([]);
      expect(said).toContain("aborted");
      expect(said.includes("giving")).toBe(at !== "ready");
      expect(await replace()).toBe("ending");
    }
  });
});
