import { beforeAll, describe, expect, it } from "vitest";
import type { Checked, IsolateHost } from "../../testing/isolate-host.ts";
import type { KvFault, KvOperation } from "../../testing/kv.ts";
import { people } from "../../testing/lists.ts";
import type { RegistryFault } from "../../testing/registry-host.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW, World } from "../../testing/world.ts";

const SMALL = "small.example";
const BIG = "big.example";

/** How long one check may take. */
const PATIENCE = 5 * SECOND;

/** One of each kind: listed, unlisted, and recently removed. */
const RIGHT: Readonly<Record<string, string>> = {
  [`alice@${SMALL}`]: "deliverable",
  [`nobody@${SMALL}`]: "unknown",
  [`gone@${SMALL}`]: "departed",
  [`u9000@${BIG}`]: "deliverable",
  [`nobody@${BIG}`]: "unknown",
  [`u7@${BIG}`]: "departed",
  "alice@elsewhere.example": "not-served",
};
const RECIPIENTS = Object.keys(RIGHT);

const KV_STEPS: Readonly<Record<string, (key: string) => boolean>> = {
  manifest: (key) => key.startsWith("domain/"),
  // Shards and departures have the same kind of key, and different sizes.
  "shard or departures": (key) => key.startsWith("shard/"),
  roster: (key) => key.startsWith("roster/"),
  everything: () => true,
};

const KV_FAULTS: Readonly<Record<string, KvFault>> = {
  fails: { kind: "error" },
  hangs: { kind: "hang" },
  "is slow": { kind: "slow", ms: SECOND },
  "is gone": { kind: "damaged", damage: () => null },
  "has a bit turned over": {
    kind: "damaged",
    damage: (bytes) => {
      const at = bytes.length >> 1;
      bytes[at] = (bytes[at] as number) ^ 16;
      return bytes;
    },
  },
  "is cut short": { kind: "damaged", damage: (bytes) => bytes.subarray(0, bytes.length - 1) },
  "is empty": { kind: "damaged", damage: () => new Uint8Array(0) },
};

const REGISTRY_FAULTS: Readonly<Record<string, RegistryFault>> = {
  fails: { kind: "error" },
  hangs: { kind: "hang" },
  "is slow": { kind: "slow", ms: SECOND },
  "loses its answer": { kind: "lost" },
  "answers late": { kind: "late", ms: 10 * SECOND },
  "answers twice": { kind: "repeated" },
};

/** A refusal must be right, and based on what the Registry confirmed within the window. */
function expectLawful(world: World, answer: Checked): void {
  expect(answer.cost.took).toBeLessThan(PATIENCE);
  if (answer.action === "defer") return;
  expect(answer.verdict).toBe(RIGHT[answer.recipient]);
  if (answer.action !== "reject") return;
  expect(answer.confirmed_age).not.toBeNull();
  expect((answer.confirmed_age as number) + answer.max_age).toBeLessThanOrEqual(
    world.settings.window / SECOND,
  );
}

describe.each([
  ["small", 500],
  ["large", 0],
] as const)("a fault, in a %s deployment,", (_, mostHeads) => {
  let world: World;

  /** A small domain with an inline list, and a large one with blobs for shards and departures. */
  beforeAll(async () => {
    world = new World({ mostHeads });
    const publisher = world.isolate("publisher");
    await world.publish(publisher, SMALL, ["alice", "bob", "gone", ...people(20)], {
      policy: { grace: DAY / SECOND },
    });
    await world.publish(publisher, SMALL, ["alice", "bob", ...people(20)]);
    await world.publish(publisher, BIG, people(14_000), { policy: { grace: DAY / SECOND }, bits: 1 });
    await world.publish(publisher, BIG, people(11_500, 2_500), { bits: 1 });
    await world.clock.advance(5 * MINUTE);
    expect(world.differences()).toEqual([]);
    const head = world.headOf(BIG);
    expect(head?.shards.bits).toBeGreaterThan(0);
    expect(head?.departures.inline).toBeNull();
  });

  const withFaults = async (
    kv: (operation: KvOperation) => KvFault | undefined,
    registry: (method: string) => RegistryFault | undefined,
    check: (isolate: IsolateHost) => Promise<void>,
  ): Promise<void> => {
    const isolate = world.isolate(`cold ${world.isolates.length}`);
    world.kv.fault = (operation) => (operation.location === "registry" ? undefined : kv(operation));
    world.registry().fault = ({ method }) => registry(method);
    try {
      await check(isolate);
      await isolate.idle();
      expect(isolate.violations).toEqual([]);
    } finally {
      world.kv.fault = () => undefined;
      world.registry().fault = () => undefined;
    }
  };

  const kvCases = Object.keys(KV_STEPS).flatMap((step) =>
    Object.keys(KV_FAULTS).map((fault) => [step, fault] as const),
  );

  it.each(kvCases)(
    "of KV, whose %s %s, changes no answer for long and refuses no mailbox",
    async (step, fault) => {
      const isHit = KV_STEPS[step] as (key: string) => boolean;
      const kv = ({ keys }: KvOperation): KvFault | undefined =>
        keys.some(isHit) ? KV_FAULTS[fault] : undefined;
      for (const recipient of RECIPIENTS) {
        await withFaults(
          kv,
          () => undefined,
          async (isolate) => {
            expectLawful(world, await isolate.check(recipient));
            await world.clock.advance(2 * SECOND);
            await isolate.check(recipient);
            await world.clock.advance(2 * SECOND);
            const settled = await isolate.check(recipient);
            expectLawful(world, settled);
            expect(settled.verdict).toBe(RIGHT[recipient]);
          },
        );
      }
    },
  );

  const registryCases = Object.keys(REGISTRY_FAULTS).flatMap((fault) =>
    ["question", "blob", "everything"].map((method) => [method, fault] as const),
  );

  it.each(registryCases)(
    "of the Registry, where %s %s, refuses no mailbox and accepts mail",
    async (method, fault) => {
      const registry = (called: string): RegistryFault | undefined =>
        method === "everything" || method === called ? REGISTRY_FAULTS[fault] : undefined;
      for (const recipient of RECIPIENTS) {
        await withFaults(
          () => undefined,
          registry,
          async (isolate) => {
            for (let i = 0; i < 3; i++) {
              const answer = await isolate.check(recipient);
              expectLawful(world, answer);
              if (RIGHT[recipient] === "deliverable") expect(answer.action).toBe("accept");
              await world.clock.advance(2 * SECOND);
            }
          },
        );
      }
    },
  );

  it.each(
    kvCases.flatMap(([step, fault]) =>
      ["fails", "hangs", "loses its answer"].map((broken) => [step, fault, broken] as const),
    ),
  )("of KV, whose %s %s, while the Registry %s, refuses no mailbox", async (step, fault, broken) => {
    const isHit = KV_STEPS[step] as (key: string) => boolean;
    const kv = ({ keys }: KvOperation): KvFault | undefined =>
      keys.some(isHit) ? KV_FAULTS[fault] : undefined;
    for (const recipient of RECIPIENTS) {
      await withFaults(
        kv,
        () => REGISTRY_FAULTS[broken],
        async (isolate) => {
          for (let i = 0; i < 2; i++) {
            const answer = await isolate.check(recipient);
            expectLawful(world, answer);
            expect(answer.action).not.toBe("reject");
            await world.clock.advance(2 * SECOND);
          }
        },
      );
    }
  });

  it("of a shard that hangs in KV is covered by the Registry, however old the shard is", async () => {
    await world.clock.advance(HOUR);
    const kv = ({ keys }: KvOperation): KvFault | undefined =>
      keys.some(KV_STEPS["shard or departures"] as (key: string) => boolean) ? { kind: "hang" } : undefined;
    await withFaults(
      kv,
      () => undefined,
      async (isolate) => {
        expect(await isolate.check(`u9000@${BIG}`)).toMatchObject({ verdict: "deliverable" });
      },
    );
  });

  it("of everything at once leaves a warm isolate accepting from memory", async () => {
    const isolate = world.isolate("warm");
    for (const recipient of RECIPIENTS) {
      expect((await isolate.check(recipient)).verdict).toBe(RIGHT[recipient]);
      await isolate.idle();
    }
    for (const kind of ["error", "hang"] as const) {
      world.kv.fault = () => ({ kind });
      world.registry().fault = () => ({ kind });
      await world.clock.advance(WINDOW);
      for (const recipient of RECIPIENTS) {
        const answer = await isolate.check(recipient);
        expectLawful(world, answer);
        expect(answer.action).toBe(RIGHT[recipient] === "deliverable" ? "accept" : "defer");
        await isolate.idle();
      }
    }
    world.kv.fault = () => undefined;
    world.registry().fault = () => undefined;
    await world.clock.advance(2 * SECOND);
    for (const recipient of RECIPIENTS)
      expect((await isolate.check(recipient)).verdict).toBe(RIGHT[recipient]);
  });
});

describe("accept-grace", () => {
  const begin = async (): Promise<{ world: World; isolate: IsolateHost }> => {
    const world = new World({ acceptGrace: 6 * HOUR });
    const isolate = world.isolate();
    await world.publish(isolate, SMALL, ["alice"]);
    await world.clock.advance(MINUTE);
    await isolate.check(`nobody@${SMALL}`);
    await isolate.idle();
    return { world, isolate };
  };

  /** Hours for which `isolate` continues to accept. */
  const hoursOfAccepting = async (world: World, isolate: IsolateHost): Promise<number> => {
    for (let hours = 0; hours < 48; hours++) {
      const answer = await isolate.check(`alice@${SMALL}`);
      await isolate.idle();
      if (answer.action !== "accept") {
        expect(answer.action).toBe("defer");
        return hours;
      }
      await world.clock.advance(HOUR);
    }
    return 48;
  };

  it("lets a warm isolate accept without the Registry until it is over, from KV", async () => {
    const { world, isolate } = await begin();
    world.registry().fault = () => ({ kind: "error" });
    world.kv.fault = ({ location }) => (location === "registry" ? { kind: "error" } : undefined);
    expect(await hoursOfAccepting(world, isolate)).toBe(6);
  });

  it("is not used up in a warm isolate that cannot reach a Registry with a heartbeat in KV", async () => {
    const { world, isolate } = await begin();
    world.registry().fault = () => ({ kind: "error" });
    expect(await hoursOfAccepting(world, isolate)).toBe(48);
    expect(await isolate.check(`nobody@${SMALL}`)).toMatchObject({ action: "defer" });
  });

  it("lets a warm isolate accept without anything until it is over, from memory", async () => {
    const { world, isolate } = await begin();
    world.registry().fault = () => ({ kind: "hang" });
    world.kv.fault = () => ({ kind: "error" });
    expect(await hoursOfAccepting(world, isolate)).toBe(6);
  });

  it("counts from the Registry's last heartbeat in an isolate that never reached it", async () => {
    const { world } = await begin();
    await world.clock.advance(2 * HOUR);
    world.registry().fault = () => ({ kind: "error" });
    world.kv.fault = ({ location }) => (location === "registry" ? { kind: "error" } : undefined);
    const late = world.isolate("late");
    const hours = await hoursOfAccepting(world, late);
    expect(hours).toBeGreaterThanOrEqual(5);
    expect(hours).toBeLessThanOrEqual(6);
  });

  it("is not used up by a publish after which the Registry is away", async () => {
    const world = new World({ acceptGrace: 6 * HOUR });
    const isolate = world.isolate();
    await world.publish(isolate, SMALL, ["alice"]);
    // This isolate hears of the Registry only from answers.
    await isolate.check(`nobody@${SMALL}`);
    await world.publish(isolate, SMALL, ["alice", "bob"]);
    await world.clock.advance(MINUTE);
    world.registry().fault = () => ({ kind: "error" });
    expect(await isolate.check(`nobody@${SMALL}`)).toMatchObject({ action: "defer" });
    await isolate.idle();
    expect(await hoursOfAccepting(world, isolate)).toBeGreaterThanOrEqual(5);
  });
});
