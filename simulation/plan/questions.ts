import type { Random } from "../../testing/random.ts";
import type { Add, Step } from "./plan.ts";

/** Who is asked, and when: most of all behind a change. */
export function addChecks(
  random: Random,
  length: number,
  checks: number,
  scale: number,
  steps: readonly Step[],
  add: Add,
): void {
  const changes = steps.filter((step) => step.kind === "publish").map((step) => step.at);
  const bridges = random.between(1, 3);
  for (let i = 0; i < bridges; i++) {
    add(random.next() * length * 0.4, { kind: "bridge", location: random.pick(["ams", "bom"]) });
  }
  // Most come close behind a change, and about when the windows of what was before it end.
  const moment = (): number =>
    random.chance(0.6) ? random.pick(changes) + random.next() ** 2 * 90_000 : random.next() * length;
  for (let left = checks; left > 0; ) {
    const count = Math.min(left, random.chance(0.3) ? random.between(1, 4) : random.between(10, 160));
    left -= count;
    const how = random.chance(0.08) ? "http" : random.chance(0.2) ? "batch" : "one by one";
    add(Math.min(length, moment()), { kind: "checks", count, how });
  }
  const visits = Math.ceil(checks / 150);
  for (let i = 0; i < visits; i++) {
    add(Math.min(length, moment()), { kind: "bridge checks", count: random.between(1, 20) });
  }
  for (let i = random.between(0, 4); i > 0; i--) {
    const what = random.pick(["domains", "names"] as const);
    const count = Math.ceil(scale * random.between(50, 800));
    add(random.next() * length, { kind: "strangers", count, what, isCold: random.chance(0.6) });
  }
}
