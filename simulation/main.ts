/**
 * `npm run simulate -- [--seed N] [--checks M] [--world W] [--record FILE]`: worlds of seeds N, N+1, ... until M
 * checks were made. A seed is one world of W checks; the same seed always gives the same run.
 */

import { writeFileSync } from "node:fs";
import { Tally } from "./basics/tally.ts";
import { CHECKS_OF_A_WORLD, makePlan } from "./plan/make.ts";
import type { RunRecord } from "./record.ts";
import { report } from "./report.ts";
import { runWorld } from "./run.ts";
import { headline, shrink } from "./shrink.ts";

interface Options {
  readonly seed: number;
  readonly checks: number;
  readonly world: number;
  /** 0: a violation is only named. */
  readonly shrink: number;
  /** File that the tally is written to as JSON, for document.ts. */
  readonly record: string | null;
}

const USAGE = "usage: simulate [--seed N] [--checks M] [--world CHECKS] [--shrink 0] [--record FILE]";

function readOptions(args: readonly string[]): Options {
  const numbers = { seed: 1, checks: 1, world: CHECKS_OF_A_WORLD, shrink: 1 };
  let file: string | null = null;
  for (let i = 0; i < args.length; i += 2) {
    const name = (args[i] as string).replace(/^--/, "");
    const value = Number(args[i + 1]);
    if (name === "record" && args[i + 1] !== undefined) file = args[i + 1] as string;
    else if (Object.hasOwn(numbers, name) && Number.isSafeInteger(value) && value >= 0)
      numbers[name as keyof typeof numbers] = value;
    else throw new RangeError(USAGE);
  }
  return { ...numbers, record: file };
}

async function main(): Promise<number> {
  const { seed, checks, world, shrink: shrinks, record: file } = readOptions(process.argv.slice(2));
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
  if (file !== null) {
    const record: RunRecord = { first: seed, last: at - 1, world, ...tally.record() };
    writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  }
  console.log(`elapsed ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  return status;
}

process.exitCode = await main();
