/**
 * Once faults have stopped: names leave by mistake, some of them are asked for in two places, and the brake holds them,
 * whatever else left and whatever happens meanwhile.
 */
import { Random } from "../../testing/random.ts";
import { isHeld } from "../model/generation.ts";
import { domainIn, people } from "../plan/meeting.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../plan/plan.ts";
import { publish } from "../world/publisher.ts";
import { check } from "./checking.ts";
import { publisherOf } from "./clients.ts";
import type { Scene } from "./scene.ts";

/** A list, and how many of its first names leave in each commit; those of the last steps by mistake. */
interface Mistake {
  readonly names: number;
  /** Properly. */
  readonly before: readonly number[];
  readonly steps: readonly number[];
  /** What happens before all are counted. */
  readonly afterwards?: "a longer grace" | "a restart";
}

const MISTAKES: readonly Mistake[] = [
  { names: 1_100, before: [1_000], steps: [40] },
  { names: 1_100, before: [1_000], steps: [8, 8, 8] },
  { names: 130, before: [], steps: [100], afterwards: "a longer grace" },
  { names: 60, before: [], steps: [24], afterwards: "a restart" },
];

const GRACE = HOUR / SECOND;
const LONGER_GRACE = (30 * DAY) / SECOND;
/** More than ten of those who left by mistake, and fewer than a fiftieth of all who left and than a quarter of them. */
const ASKED = 15;
/** A row a minute counts them. */
const COUNTED = MINUTE + 2 * SECOND;

export async function probeMistake(scene: Scene): Promise<void> {
  const { plan, time, model } = scene;
  const { setup } = plan;
  const random = new Random(plan.seed, "mistake");
  const partition = random.between(0, setup.partitions - 1);
  const domain = domainIn(partition, setup.partitions, "mistake.example");
  const { names, before, steps, afterwards } = random.pick(MISTAKES);
  // The release before this one counts nobody.
  scene.registry(partition).release = "today";
  const publishWithout = async (left: number, grace = GRACE): Promise<void> => {
    const list = people(names, (i) => i < left);
    const publication = { domain, change: "set", forces: true, list, grace } as const;
    await time.run(publish(publisherOf(scene, random), publication));
    await time.advance(SECOND);
  };
  let left = 0;
  await publishWithout(left);
  if (model.history(domain).head === undefined) {
    // A Registry that was lost has to be initialised first.
    scene.tally.event("no Registry for a mistake");
    return;
  }
  const leave = (count: number): Promise<void> => {
    left += count;
    return publishWithout(left);
  };
  for (const count of before) await leave(count);
  const starts = left;
  for (const count of steps) await leave(count);
  if (afterwards === "a longer grace") await publishWithout(left, LONGER_GRACE);

  const ask = async (bases: readonly string[]): Promise<void> => {
    const host = scene.isolate(random.pick(setup.locations), {}, random);
    host.bursts++;
    const about = async (base: string): Promise<void> => {
      const name = { base, form: "plain" } as const;
      model.noteAsked(domain, name);
      if (scene.violations.length === 0) await check(scene, host, { domain, name });
    };
    // A refusal is of the newest list, and the next one brings what was counted to the Registry.
    await about("s1");
    for (const base of bases) await about(base);
    await time.advance(host.settings.window + SECOND);
    await about("s2");
    await time.advance(COUNTED);
    host.die();
  };
  // Of each step as many.
  const step = (left - starts) / steps.length;
  const asked = Array.from({ length: ASKED }, (_, i) => {
    const place = Math.floor(i / steps.length);
    return `u${starts + (i % steps.length) * step + place}`;
  });
  await ask(asked.slice(0, 7));
  if (afterwards === "a restart") scene.registry(partition).restart();
  await ask(asked.slice(7));
  if (scene.violations.length > 0) return;
  const { head } = model.history(domain);
  if (head === undefined || !isHeld(head)) {
    const words = `${ASKED} of ${left - starts} that left ${domain} by mistake were asked for`;
    scene.violation("a mistake is held", `${words}, and the brake holds nobody`);
    return;
  }
  scene.tally.event("mistake held");
  const release = { domain, change: "release", forces: false } as const;
  await time.run(publish(publisherOf(scene, random), release));
  await ask(asked);
}
