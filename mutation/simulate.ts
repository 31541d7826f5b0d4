/** Tries survivors of the tests in the simulation. */
import { CHECKS_OF_A_START } from "../simulation/record.ts";
import { textOf, Workplace } from "../simulation/workplace.ts";
import { Random } from "../testing/random.ts";
import type { SimulationOutcome, Survivor } from "./outcomes.ts";
import type { Position } from "./run.ts";

/** Runs at the same time. */
const WORKERS = Number(process.env.ROLLCALL_MUTATION_WORKERS ?? 2);
/** Seeds from which worlds are counted. */
const SEEDS = 1_000_000_000;
/** So many times longer than without a mutant, a run counts as one that does not end. */
const TIMES_LONGER = 5;

/**
 * Simulates worlds of up to 50,000 checks with each survivor in turn.
 * @param seed of the worlds
 * @param report is called with each outcome as it comes
 */
export async function simulateSurvivors(
  survivors: readonly Survivor[],
  seed: number,
  report: (survivor: Survivor, outcome: SimulationOutcome) => void,
): Promise<void> {
  const limit = TIMES_LONGER * (await timeWithoutMutant(seed));
  const waiting = [...survivors];
  const work = async (): Promise<void> => {
    const place = new Workplace();
    try {
      for (let survivor = waiting.shift(); survivor !== undefined; survivor = waiting.shift()) {
        report(survivor, await outcomeOf(place, survivor, seed, limit));
      }
    } finally {
      place.close();
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
}

async function outcomeOf(
  place: Workplace,
  survivor: Survivor,
  seed: number,
  limit: number,
): Promise<SimulationOutcome> {
  const { file, from, to, becomes } = survivor;
  const texts = new Map([[file, replaced(textOf(file), from, to, becomes)]]);
  const first = new Random(seed, `${file}:${from.line}:${from.column} ${becomes}`).between(1, SEEDS);
  try {
    const [start] = await place.simulate(texts, [first], limit);
    return { checks: start?.checks ?? 0, assertion: start?.assertion ?? null };
  } catch {
    // Without a mutant it runs to its end, so it is the mutant that keeps it from that.
    return { checks: 0, assertion: "the simulation runs to its end" };
  }
}

/** Milliseconds that 50,000 checks take. @throws Error if they fail without any mutant */
async function timeWithoutMutant(seed: number): Promise<number> {
  const place = new Workplace();
  try {
    const begun = Date.now();
    const [start] = await place.simulate(new Map(), [new Random(seed, "no mutant").between(1, SEEDS)]);
    if (start?.assertion !== null) throw new Error(`without a mutant: ${start?.assertion}`);
    console.log(`without a mutant: ${CHECKS_OF_A_START} checks in ${Date.now() - begun} ms`);
    return Date.now() - begun;
  } finally {
    place.close();
  }
}

function replaced(text: string, from: Position, to: Position, becomes: string): string {
  const lines = text.split("\n");
  const offsetOf = ({ line, column }: Position): number =>
    lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
  return text.slice(0, offsetOf(from)) + becomes + text.slice(offsetOf(to));
}
