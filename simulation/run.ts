import { Random } from "../testing/random.ts";
import type { Plan, Step } from "./plan/plan.ts";
import { beginBridge, publisherOf } from "./scene/clients.ts";
import { damageStorage, repairStorage } from "./scene/damage.ts";
import { finish } from "./scene/finish.ts";
import { trouble } from "./scene/replicas.ts";
import { Scene, type Violation } from "./scene/scene.ts";
import { createToken, revoke } from "./scene/tokens.ts";
import { askBridge, askIsolate, askStrangers } from "./scene/traffic.ts";
import { patch } from "./world/patcher.ts";
import { publish } from "./world/publisher.ts";

/** What came of one world. */
export interface Outcome {
  readonly scene: Scene;
  readonly violation: Violation | null;
}

export interface RunOptions {
  /** Keeps what happened, in words. */
  readonly traces?: boolean;
  /** Steps that are left out, by id. */
  readonly without?: ReadonlySet<number>;
}

/** Runs a plan until its end, or until the first violation. */
export async function runWorld(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const scene = new Scene(plan, options.traces ?? false);
  const { time } = scene;
  try {
    for (const step of plan.steps) {
      if (options.without?.has(step.id)) continue;
      time.after(step.at, () => take(scene, step));
    }
    const { pause } = plan;
    if (pause !== null)
      time.after(pause.at, () => trouble(scene, new Random(plan.seed, "pause"), pause.trouble));
    for (let at = 0; at < plan.length && scene.violations.length === 0; at += 1_000) {
      await time.advance(Math.min(1_000, plan.length - at));
    }
    if (scene.violations.length === 0) await finish(scene);
  } finally {
    scene.close();
  }
  scene.tally.worlds = 1;
  scene.tally.commits = scene.model.commits;
  return { scene, violation: scene.violations[0] ?? null };
}

type StepOf<Kind extends Step["kind"]> = Extract<Step, { kind: Kind }>;

/** What each kind of step does. The work that it starts continues in the background. */
const TAKE: {
  readonly [Kind in Step["kind"]]: (scene: Scene, step: StepOf<Kind>, random: Random) => void;
} = {
  isolate: (scene, { location, cacheBytes, window, focus }, random) => {
    const host = scene.isolate(location, { cacheBytes, window }, random);
    if (focus !== undefined) scene.isolates.keep(host, focus);
  },
  death: (scene, { focus }, random) => scene.killOne(random, focus),
  restart: (scene, { partition }) => {
    scene.registry(partition).restart();
    scene.tally.fault("registry restarts");
  },
  episode: (scene, { episode }) => {
    const lasts = episode.to - episode.from;
    const from = scene.time.now();
    scene.faults.begin(scene.plan.seed, { ...episode, from, to: from + lasts });
    const place = episode.location ?? "every place";
    scene.trace(() => `begins, for ${Math.round(lasts / 1000)} s at ${place}: ${episode.kind}`);
  },
  publish: (scene, step, random) => {
    scene.trace(() => `a publisher means to change ${step.domain}: ${step.change}`);
    scene.go(publish(publisherOf(scene, random), step));
  },
  patch: (scene, step, random) => {
    scene.trace(() => `a publisher means to change mailboxes of ${step.domain}`);
    scene.go(patch(publisherOf(scene, random), step));
  },
  checks: (scene, step, random) => askIsolate(scene, random, step.count, step.how, step),
  strangers: (scene, step, random) => askStrangers(scene, random, step),
  bridge: (scene, step, random) => beginBridge(scene, random, step),
  host: (scene, { focus, trouble: it }, random) => trouble(scene, random, it, focus),
  route: (scene, { focus, to }) => {
    const host = scene.isolates.focused(to);
    if (host !== null) scene.isolates.keep(host, focus);
  },
  "bridge checks": (scene, step, random) => askBridge(scene, random, step.count, step, step.again),
  token: (scene, { role }, random) => scene.go(createToken(scene, random, role)),
  revocation: (scene, _, random) => scene.go(revoke(scene, random)),
  damage: (scene, step, random) => damageStorage(scene, random, step),
  repair: (scene, { domain }, random) => scene.go(repairStorage(scene, random, domain)),
  loss: (scene, { partition }) => {
    scene.lose(partition);
    scene.tally.fault("registry lost");
  },
  initialise: (scene, { partition }) => scene.allowInitialising(partition),
  rollout: (scene, { partition, release }) => {
    scene.registry(partition).release = release;
    scene.trace(() => `Registry ${partition} is of the ${release} release`);
  },
};

function take(scene: Scene, step: Step): void {
  if (scene.violations.length > 0 || scene.faults.isOver) return;
  const work = TAKE[step.kind] as (scene: Scene, step: Step, random: Random) => void;
  work(scene, step, new Random(scene.plan.seed, "step", step.id));
}
