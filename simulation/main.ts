/**
 * `npm run simulate -- [--seed N] [--checks M] [--world W] [--record FILE]`: worlds of seeds N, N+1, ... until M
 * checks were made. A seed is one world of W checks; the same seed always gives the same run.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { CHECKS_OF_A_WORLD } from "./plan/make.ts";
import type { RunRecord } from "./record.ts";
import { report } from "./report.ts";
import { headline, shrink } from "./shrink.ts";
import { runWorlds } from "./worlds.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    checks: { type: "string", default: "1" },
    world: { type: "string", default: String(CHECKS_OF_A_WORLD) },
    /** 0: a violation is only named. */
    shrink: { type: "string", default: "1" },
    /** File that the tally is written to as JSON, for document.ts. */
    record: { type: "string" },
  },
});

function numberOf(name: "seed" | "checks" | "world" | "shrink"): number {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new RangeError(`--${name} takes a whole number, not ${values[name]}`);
}

const [seed, world] = [numberOf("seed"), numberOf("world")];
const isShown = process.stderr.isTTY;
// Faults of the edge's own are counted as deferrals; its log would only repeat them.
console.error = () => undefined;
const begun = Date.now();
const { tally, next, found } = await runWorlds(seed, numberOf("checks"), world, (at, checks) => {
  if (isShown) process.stderr.write(`\rseed ${at}, ${checks} checks `);
});
if (isShown) process.stderr.write("\r\x1b[K");
if (found !== null) {
  process.exitCode = 1;
  console.log(headline(next, found.violation));
  if (numberOf("shrink") > 0) console.log(await shrink(found.plan, found.violation));
}
console.log(report(tally, seed, next - 1));
if (values.record !== undefined) {
  const record: RunRecord = { first: seed, last: next - 1, world, ...tally.record() };
  writeFileSync(values.record, `${JSON.stringify(record, null, 2)}\n`);
}
console.log(`elapsed ${((Date.now() - begun) / 1000).toFixed(1)} s`);
