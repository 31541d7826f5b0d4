/**
 * `node simulation/starts.ts SEED...`: worlds from each seed on, until a violation or the checks of a start are made;
 * one line of JSON for each. mutate.ts runs it in a copy of the tree in which a rule is left out.
 */
import { CHECKS_OF_A_START, type Start } from "./record.ts";
import { runWorlds } from "./worlds.ts";

/** Checks of one world: small worlds, and more of them. What meets in a world does not depend on its size. */
const CHECKS_OF_A_SMALL_WORLD = 300;

console.error = () => undefined;
for (const seed of process.argv.slice(2).map(Number)) {
  const { tally, found } = await runWorlds(seed, CHECKS_OF_A_START, CHECKS_OF_A_SMALL_WORLD);
  const start: Start = { seed, checks: tally.checks, assertion: found?.violation.assertion ?? null };
  console.log(JSON.stringify(start));
}
