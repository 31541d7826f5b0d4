import { Random } from "../testing/random.ts";
import type { Plan, Step } from "./plan/plan.ts";
import { beginBridge, createToken, publisherOf, revoke } from "./scene/clients.ts";
import { finish } from "./scene/finish.ts";
import { Scene, type Violation } from "./scene/scene.ts";
import { askBridge, askIsolate, askStrangers } from "./scene/traffic.ts";
import { takeBackExport } from "./world/export.ts";
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

/** Runs one step. The work that it starts continues in the background. */
function take(scene: Scene, step: Step): void {
  if (scene.violations.length > 0 || scene.faults.isOver) return;
  const random = new Random(scene.plan.seed, "step", step.id);
  const { time, faults } = scene;
  switch (step.kind) {
    case "isolate":
      begin(scene, step, random);
      return;
    case "death":
      scene.killOne(random, step.focus);
      return;
    case "restart":
      scene.registry(step.partition).restart();
      scene.tally.fault("registry restarts");
      return;
    case "episode": {
      const { episode } = step;
      const now = time.now();
      faults.begin(scene.plan.seed, { ...episode, from: now, to: now + episode.to - episode.from });
      scene.trace(
        () =>
          `begins, for ${Math.round((episode.to - episode.from) / 1000)} s at ${episode.location ?? "every place"}: ${episode.kind}`,
      );
      return;
    }
    case "publish":
      scene.trace(() => `a publisher means to change ${step.domain}: ${step.change}`);
      scene.go(publish(publisherOf(scene, random), step));
      return;
    case "checks":
      askIsolate(scene, random, step.count, step.how, step);
      return;
    case "strangers":
      askStrangers(scene, random, step);
      return;
    case "bridge":
      beginBridge(scene, random, step);
      return;
    case "route": {
      const host = scene.isolates.focused(step.to);
      if (host !== null) scene.isolates.keep(host, step.focus);
      return;
    }
    case "bridge checks":
      askBridge(scene, random, step.count, step, step.again);
      return;
    case "token":
      scene.go(createToken(scene, random, step.role));
      return;
    case "revocation":
      scene.go(revoke(scene, random));
      return;
    case "loss":
      scene.lose(step.partition);
      scene.tally.fault("registry lost");
      return;
    case "initialise":
      scene.allowInitialising(step.partition);
      return;
    case "rollout":
      scene.registry(step.partition).release = step.release;
      scene.trace(() => `Registry ${step.partition} is of the ${step.release} release`);
      return;
    case "export":
      scene.export(step.domain, random);
      return;
    case "export taken back":
      takeBackExport(scene, step.domain, step.deletes);
      return;
  }
}

function begin(scene: Scene, step: Extract<Step, { kind: "isolate" }>, random: Random): void {
  const { location, cacheBytes, window, focus } = step;
  const host = scene.isolate(location, { cacheBytes, window }, random);
  if (focus !== undefined) scene.isolates.keep(host, focus);
}
