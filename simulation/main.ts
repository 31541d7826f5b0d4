/**
 * `npm run simulate -- [--seed N] [--checks M] [--world W]`: worlds of seeds N, N+1, ... until M checks were made.
 * A seed is one world of W checks; the same seed always gives the same run.
 */

import { Tally } from "./basics/tally.ts";
import { CHECKS_OF_A_WORLD, makePlan } from "./plan/make.ts";
import { report } from "./report.ts";
import { runWorld } from "./run.ts";
import { headline, shrink } from "./shrink.ts";

interface Options {
  readonly seed: number;
  readonly checks: number;
  readonly world: number;
  /** 0: a violation is only named. */
  readonly shrink: number;
}

function readOptions(args: readonly string[]): Options {
  const values = { seed: 1, checks: 1, world: CHECKS_OF_A_WORLD, shrink: 1 };
  for (let i = 0; i < args.length; i += 2) {
    const name = (args[i] as string).replace(/^--/, "");
    const value = Number(args[i + 1]);
    if (!Object.hasOwn(values, name) || !Number.isSafeInteger(value) || value < 0) {
      throw new RangeError("usage: simulate [--seed N] [--checks M] [--world CHECKS] [--shrink 0]");
    }
    values[name as keyof typeof values] = value;
  }
  return values;
}

async function main(): Promise<number> {
  const { seed, checks, world, shrink: shrinks } = readOptions(process.argv.slice(2));
  // Faults of the edge's own are counted as deferrals; its log would only repeat them.
  console.error = () => undefined;
  const begun = Date.now();
  const tally = new Tally();
  let status = 0;
  let at = seed;
  do {
    const plan = makePlan(at, world);
    const { scene, violation } = await runWorld(plan);
    tally.add(scene.tally);
    if (violation !== null) {
      status = 1;
      console.log(headline(at, violation));
      if (shrinks > 0) console.log(await shrink(plan, violation));
      break;
    }
    at++;
    if (process.stderr.isTTY) process.stderr.write(`\rseed ${at}, ${tally.checks} checks `);
  } while (tally.checks < checks);
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  console.log(report(tally, seed, at - 1));
  console.log(`elapsed ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  return status;
}

process.exitCode = await main();
