import type { Plan } from "./plan/plan.ts";
import type { Violation } from "./scene/scene.ts";

/** Lines of a story; what is longer is cut in the middle. */
const LINES = 120;

/** What happened in a small world, in words. */
export function story(plan: Plan, traces: readonly string[], { assertion, words }: Violation): string[] {
  const { setup } = plan;
  const domains = setup.domains.filter((domain) => `${words} ${traces.at(-1)}`.includes(domain));
  const [isolate] = /(?:isolate|bridge) \d+/.exec(words) ?? [];
  const told = traces.filter((line) => concerns(line, domains, isolate));
  const cut =
    told.length <= LINES
      ? told
      : [...told.slice(0, LINES / 2), `   ... ${told.length - LINES} lines ...`, ...told.slice(-LINES / 2)];
  return [
    `  window ${setup.window / 1000} s, accept-grace ${setup.acceptGrace / 1000} s, departure grace ${setup.grace} s, ${setup.partitions} Registries, locations ${setup.locations.join(" ")}`,
    ...cut.map((line) => `  ${line}`),
    `  so "${assertion}" does not hold: ${words}`,
  ];
}

/** Whether a line has to do with the violation: with its isolate, its domain, or with everybody. */
function concerns(line: string, domains: readonly string[], isolate: string | undefined): boolean {
  const [other] = /(?:isolate|bridge) \d+/.exec(line) ?? [];
  if (other !== undefined && isolate !== undefined && other !== isolate && !line.includes("starts"))
    return false;
  if (domains.length === 0) return true;
  const named = /\bd\d+\.example/.exec(line)?.[0];
  return named === undefined || domains.some((domain) => line.includes(domain));
}
