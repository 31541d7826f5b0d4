import { beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_POLICY, manifestKey } from "../../src/directory/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { MINUTE, must, SECOND, WINDOW, World } from "../../testing/world.ts";

const D = "exported.example";

describe("a domain that exists only in KV", () => {
  let world: World;
  let isolate: IsolateHost;

  beforeEach(async () => {
    world = new World();
    isolate = world.isolate();
    await must(isolate.call("/v1/registry", { method: "POST" }));
    world.export(D, 1, ["alice"]);
  });

  it("is accepted and refused from KV, and its refusals say so", async () => {
    expect(await isolate.check(`alice@${D}`)).toMatchObject({
      verdict: "deliverable",
      origin: "kv",
      confirmed_age: null,
    });
    await isolate.idle();
    const refusal = await isolate.check(`nobody@${D}`);
    expect(refusal).toMatchObject({
      verdict: "unknown",
      action: "reject",
      origin: "kv",
      confirmed_age: null,
    });
    expect(refusal.max_age).toBeLessThanOrEqual(WINDOW / SECOND);
    expect(await isolate.check("alice@elsewhere.example")).toMatchObject({ verdict: "not-served" });
  });

  it("is refused from a manifest that is read again each window, and follows what was put since", async () => {
    for (let i = 0; i < 20; i++) {
      expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", generation: 1 });
      await isolate.idle();
      await world.clock.advance(10 * SECOND);
    }
    world.export(D, 2, ["alice", "bob"]);
    await world.clock.advance(WINDOW + SECOND);
    expect(await isolate.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable", generation: 2 });
    await world.clock.advance(WINDOW + SECOND);
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", generation: 2 });
  });

  it("is answered from the bytes that were read last, even if another export had the same number", async () => {
    await isolate.check(`nobody@${D}`);
    await isolate.idle();
    await world.clock.advance(MINUTE);
    world.export(D, 1, ["alice", "bob"]);
    await world.clock.advance(WINDOW + SECOND);
    expect(await isolate.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable", generation: 1 });
    world.export(D, 7, ["alice", "carol"]);
    await world.clock.advance(WINDOW + SECOND);
    expect(await isolate.check(`bob@${D}`)).toMatchObject({ verdict: "unknown", generation: 7 });
    await isolate.idle();
    world.export(D, 2, ["alice", "bob"]);
    await world.clock.advance(WINDOW + SECOND);
    expect(await isolate.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable", generation: 2 });
  });

  it("is never refused while the Registry does not confirm that it has no head", async () => {
    world.registry().fault = () => ({ kind: "error" });
    const cold = world.isolate("cold");
    for (let i = 0; i < 5; i++) {
      expect(await cold.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
      expect(await cold.check(`alice@${D}`)).toMatchObject({ action: "accept" });
      await cold.idle();
      await world.clock.advance(40 * SECOND);
    }
  });

  it("is never refused, and costs at most a few reads a second, while KV does not answer", async () => {
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    await isolate.idle();
    world.kv.fault = () => ({ kind: "error" });
    await world.clock.advance(MINUTE);
    let [kv, registry] = [0, 0];
    const begun = world.clock.now();
    for (let i = 0; i < 500; i++) {
      const answer = await isolate.check(`nobody${i}@${D}`);
      expect(answer.action).toBe("defer");
      expect(await isolate.check(`alice@${D}`)).toMatchObject({ action: "accept" });
      await isolate.idle();
      kv += answer.cost.meter.kv;
      registry += answer.cost.meter.registry;
      await world.clock.advance(10);
    }
    const seconds = (world.clock.now() - begun) / SECOND;
    expect(kv).toBeLessThanOrEqual(3 * seconds + 3);
    expect(registry).toBeLessThanOrEqual(3 * seconds + 3);
  });

  it("is never not served while the roster of exports cannot be read", async () => {
    for (const kind of ["error", "hang"] as const) {
      const cold = world.isolate(`cold ${kind}`);
      world.kv.fault = ({ keys }) => (keys.includes("roster/kv") ? { kind } : undefined);
      await cold.check(`alice@elsewhere.example`);
      await cold.idle();
      for (let i = 0; i < 5; i++) {
        expect((await cold.check(`alice@${D}`)).action).not.toBe("reject");
        expect((await cold.check("alice@elsewhere.example")).action).toBe("defer");
        await cold.idle();
        await world.clock.advance(20 * SECOND);
      }
      world.kv.fault = () => undefined;
      await world.clock.advance(2 * SECOND);
      expect(await cold.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    }
  });

  /** Keys that an isolate reads during a check. */
  const readBy = async (location: string, ask: () => Promise<unknown>): Promise<string[]> => {
    const before = world.kv.operations.length;
    await ask();
    return world.kv.operations
      .slice(before)
      .filter((operation) => operation.location === location)
      .flatMap(({ keys }) => keys);
  };

  it("is refused by a cold isolate once it has read the roster of exports", async () => {
    const cold = world.isolate("cold");
    const keys = await readBy("cold", async () => {
      expect(await cold.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", origin: "kv" });
    });
    expect(keys).toEqual([`domain/${D}`, "roster/kv"]);
  });

  it("is not served in no isolate that could have read the roster of exports for a minute", async () => {
    const idle = world.isolate("idle");
    expect(await idle.check("alice@new.example")).toMatchObject({ verdict: "not-served" });
    await idle.idle();
    await world.clock.advance(SECOND);
    world.export("new.example", 1, ["alice"]);
    await world.clock.advance(MINUTE - 2 * SECOND);
    expect((await idle.check("alice@new.example")).verdict).toBe("not-served");
    await world.clock.advance(2 * SECOND);
    expect(await idle.check("alice@new.example")).toMatchObject({ verdict: "deliverable", origin: "kv" });
  });

  it("makes a warm isolate read the roster of exports in the background, and no check wait for it", async () => {
    const strangers = async (): Promise<number> => {
      const answer = await isolate.check("alice@elsewhere.example");
      expect(answer).toMatchObject({ verdict: "not-served" });
      const { kv } = answer.cost;
      await isolate.idle();
      return kv;
    };
    await strangers();
    let reads = 0;
    for (let i = 0; i < 100; i++) {
      await world.clock.advance(5 * SECOND);
      reads += (await readBy("here", async () => expect(await strangers()).toBe(0))).length;
    }
    expect(reads).toBeGreaterThan(5);
    expect(reads).toBeLessThanOrEqual((500 * SECOND) / (45 * SECOND) + 1);
  });

  it.each([
    ["cannot be read", { kind: "error" }],
    ["is damaged", { kind: "damaged", damage: (bytes: Uint8Array) => bytes.subarray(1) }],
  ] as const)("is looked up in a roster that is kept for ten minutes if it %s", async (_, fault) => {
    const stranger = async () => {
      const answer = await isolate.check("alice@elsewhere.example");
      await isolate.idle();
      return answer;
    };
    expect(await stranger()).toMatchObject({ verdict: "not-served" });
    world.kv.fault = ({ keys }) => (keys.includes("roster/kv") ? fault : undefined);
    for (let minutes = 0; minutes < 9; minutes++) {
      await world.clock.advance(MINUTE);
      expect(await stranger()).toMatchObject({ verdict: "not-served" });
    }
    await world.clock.advance(2 * MINUTE);
    for (let i = 0; i < 5; i++) {
      const answer = await stranger();
      expect(answer).toMatchObject({ action: "defer", detail: expect.stringContaining("exported") });
      await world.clock.advance(100);
    }
    world.kv.fault = () => undefined;
    await world.clock.advance(2 * SECOND);
    expect(await stranger()).toMatchObject({ verdict: "not-served" });
  });

  it("stays known for ten minutes, however long the Registry takes meanwhile", async () => {
    expect(await isolate.check("alice@elsewhere.example")).toMatchObject({ verdict: "not-served" });
    await isolate.idle();
    await world.clock.advance(2 * MINUTE);
    world.kv.fault = ({ keys }) => (keys.includes("roster/kv") ? { kind: "error" } : undefined);
    // Longer than the pause after a failed read.
    world.registry().fault = () => ({ kind: "slow", ms: 1_400 });
    expect(await isolate.check("alice@elsewhere.example")).toMatchObject({ verdict: "not-served" });
  });

  it.each(["with its manifest", "and its manifest stays"])(
    "is no longer accepted once it is taken back (%s), whichever recipient is checked first",
    async (how) => {
      const gone = "gone.example";
      world.export(gone, 1, ["alice"]);
      world.exportRoster({ [D]: 1, [gone]: 1 });
      await world.publish(isolate, "listed.example", ["alice"]);
      const minute = async () => {
        // Starts with a refusal, whose confirmation serves all of them, so that nothing runs after the answers.
        const verdicts: string[] = [];
        for (const recipient of ["nobody@listed.example", `nobody@${gone}`, `alice@${gone}`]) {
          verdicts.push((await isolate.check(recipient)).verdict);
        }
        await isolate.idle();
        await world.clock.advance(MINUTE);
        return verdicts;
      };
      expect(await minute()).toEqual(["unknown", "unknown", "deliverable"]);
      world.exportRoster({ [D]: 1 });
      if (how === "with its manifest") world.kv.set(manifestKey(gone), null);
      for (let i = 0; i < 3; i++) await minute();
      expect(await minute()).toEqual(["unknown", "not-served", "not-served"]);
    },
  );

  it("is not refused by an isolate that could not read the roster for ten minutes, and is accepted for accept-grace", async () => {
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    world.kv.fault = ({ keys }) => (keys.includes("roster/kv") ? { kind: "error" } : undefined);
    const minutes = async (count: number) => {
      for (let i = 0; i < count; i++) {
        await world.clock.advance(MINUTE);
        await isolate.check(`alice@${D}`);
        await isolate.idle();
      }
    };
    await minutes(8);
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    await minutes(4);
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    // It can no longer be read.
    world.kv.fault = () => ({ kind: "error" });
    await world.clock.advance(world.settings.acceptGrace - MINUTE);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    await isolate.idle();
    await world.clock.advance(2 * MINUTE);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({
      action: "defer",
      detail: "KV has not shown the export for too long",
    });
  });

  it("costs one read for all unserved domains of a batch", async () => {
    const cold = world.isolate("cold");
    await cold.check(`alice@${D}`);
    await cold.idle();
    await world.clock.advance(MINUTE);
    const recipients = Array.from({ length: 500 }, (_, i) => `alice@x${i}.example`);
    const keys = await readBy("cold", async () => {
      const { body } = await cold.call("/v1/rcpt", { json: recipients });
      const { results } = body as { results: { verdict: string }[] };
      expect(new Set(results.map(({ verdict }) => verdict))).toEqual(new Set(["not-served"]));
    });
    expect(keys).toEqual(["roster/kv"]);
  });

  it("belongs to the Registry from its first commit on, and an export of it is a conflict", async () => {
    await isolate.check(`alice@${D}`);
    await isolate.idle();
    const generation = await world.publish(isolate, D, ["bob"]);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({
      verdict: "unknown",
      origin: "registry",
      generation,
    });
    expect(await isolate.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable", origin: "registry" });
    await world.clock.advance(MINUTE);
    expect(world.differences()).toEqual([]);
    world.export(D, 900, ["alice"]);
    const shown = (await must(isolate.call(`/v1/domains/${D}`))).body as { kv: unknown };
    expect(shown.kv).toEqual({ state: "conflict", generation: 900 });
    const cold = world.isolate("cold");
    await cold.check(`nobody@${D}`);
    expect(await cold.check(`bob@${D}`)).toMatchObject({
      verdict: "deliverable",
      origin: "registry",
      generation,
    });
    expect(await cold.check(`alice@${D}`)).toMatchObject({
      verdict: "unknown",
      origin: "registry",
      generation,
    });
    // A reader has missed it, so it is written again later.
    await world.clock.advance(6 * MINUTE);
    await world.isolate("later").check(`bob@${D}`);
    const later = world.isolate("latest");
    await later.check(`nobody@${D}`);
    await world.clock.advance(MINUTE);
    expect(world.differences()).toEqual([]);
  });

  it("is deferred, not refused, if it is an alias of a list of the Registry", async () => {
    await world.publish(isolate, "target.example", ["bob"]);
    world.export(D, 2, [], {
      policy: { ...DEFAULT_POLICY, alias: "target.example" },
    });
    const cold = world.isolate("cold");
    expect(await cold.check(`bob@${D}`)).toMatchObject({ action: "accept" });
    await cold.idle();
    expect(await cold.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    expect(world.kv.newest(manifestKey(D))).not.toBeNull();
  });
});
