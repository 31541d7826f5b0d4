/** Single changes beside publishes: by themselves, at one moment, and while a list is published. */
import type { Random } from "../../testing/random.ts";
import { type Add, SECOND, type Setup, type Step } from "./plan.ts";

const SHARE = 0.6;

export function addPatches(
  random: Random,
  setup: Setup,
  length: number,
  steps: readonly Step[],
  add: Add,
): void {
  if (!random.chance(SHARE)) return;
  const { domains, partitions } = setup;
  const publishes = steps.flatMap((step) =>
    step.kind === "publish" && domains.includes(step.domain) ? [step] : [],
  );
  for (let times = random.between(4, 40); times > 0; times--) {
    const beside = random.chance(0.5) ? random.pick(publishes) : null;
    const domain = beside?.domain ?? random.pick(domains);
    // A publish takes some hundred milliseconds.
    const at = beside === null ? 5_000 + random.next() * length : beside.at + random.between(-100, 600);
    const patch = (when: number): void => add(when, { kind: "patch", domain, forces: random.chance(0.3) });
    patch(at);
    // Requests that arrive together are one generation.
    if (random.chance(0.4))
      for (let more = random.between(1, 6); more > 0; more--) patch(at + random.between(0, 12));
    if (random.chance(0.2))
      add(at + random.between(0, 150), { kind: "restart", partition: random.between(0, partitions - 1) });
    add(Math.min(length, at + random.next() ** 2 * 40 * SECOND), {
      kind: "checks",
      count: random.between(4, 20),
      how: "one by one",
      domains: [domain],
    });
  }
}
