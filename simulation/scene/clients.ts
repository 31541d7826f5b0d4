/** Clients of the edge: bridges and publishers. */

import { clientOf } from "../../testing/client.ts";
import type { Random } from "../../testing/random.ts";
import type { Step } from "../plan/plan.ts";
import { SimulatedBridge } from "../world/bridge.ts";
import type { SimulatedIsolate } from "../world/isolate.ts";
import type { PublisherParts } from "../world/publisher.ts";
import { beginReplica } from "./replicas.ts";
import type { Scene } from "./scene.ts";

type BridgeStep = Omit<Extract<Step, { kind: "bridge" }>, "id" | "at" | "kind">;

/** With a focus its connection leads to the isolate of that; others ask one by chance. */
export function beginBridge(
  scene: Scene,
  random: Random,
  { location, focus, acceptGrace = random.pick([scene.settings.acceptGrace, 60_000]), covers }: BridgeStep,
): void {
  const name = `bridge ${scene.bridges.length + 1}`;
  const keptTo = (): SimulatedIsolate | null => (focus === undefined ? null : scene.isolates.focused(focus));
  const replica =
    covers === undefined
      ? null
      : beginReplica(scene, random, `replica of ${name}`, location, acceptGrace, covers, keptTo);
  const bridge = new SimulatedBridge({
    name,
    location,
    replica,
    time: scene.time,
    fetch: (via) => scene.network.from(location, via, keptTo),
    focus: focus ?? null,
    token: () => replica?.token?.token ?? scene.adminToken,
    acceptGrace,
    // The bridges of meetings have room for all that they are asked.
    cacheBytes: focus === undefined ? random.pick([65_536, 1_000_000]) : 1_000_000,
    met: (what) => scene.tally.event(what),
  });
  scene.bridges.push(bridge);
  scene.trace(() => `${name} starts at ${location}`);
}

/** A publisher somewhere. */
export function publisherOf(scene: Scene, random: Random): PublisherParts {
  const { setup } = scene.plan;
  const location = random.pick(setup.locations);
  let asked: SimulatedIsolate | null = null;
  let through: SimulatedIsolate | null = null;
  return {
    client: clientOf(
      scene.time,
      scene.network.from(location, (host) => {
        asked = host;
      }),
      scene.adminToken,
    ),
    model: scene.model,
    time: scene.time,
    random,
    crashes: () =>
      scene.faults.meet(scene.time.now(), location, (kind) => kind === "publisher crashes") !== null,
    keyFor: scene.keyFor,
    partitionOf: scene.partitionOf,
    domains: setup.domains,
    grace: setup.grace,
    shapeOf: scene.shapeOf,
    acknowledged: (domain, number) => {
      scene.trace(() => `${domain} ${number} is acknowledged`);
      // A publisher sees its change through the isolate that took it.
      if (through?.isAlive) through.published.set(domain, { number, at: scene.time.now() });
    },
    changed: () => {
      through = asked;
    },
    event: (name) => scene.tally.event(name),
    trace: scene.trace,
  };
}
