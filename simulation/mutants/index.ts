/** Rules of the real code, each left out in turn. Each has to be caught. */
import { BRIDGE_MUTANTS } from "./bridge.ts";
import { CONFIRMATION_MUTANTS } from "./confirmation.ts";
import { COPYING_MUTANTS } from "./copying.ts";
import { ISOLATE_MUTANTS } from "./isolate.ts";
import { MEMORY_MUTANTS } from "./memory.ts";
import type { Mutant } from "./patch.ts";
import { REGISTRY_MUTANTS } from "./registry.ts";

export type { Mutant, Patch } from "./patch.ts";

/** The first world that caught it, where a search from seed 1 takes long: all of them are worlds like any other. */
const SEEDS: Readonly<Record<string, number>> = {
  "the window counts from the answer": 6,
  "answers are taken as they come": 4,
  "an answer of everything leaves what it does not list": 41,
  "an alias is confirmed without its target": 4,
  "an alias takes the larger of two unrelated numbers": 77,
  "a new log does not end the old one": 57,
  "the guard forgets lists when a name returns": 18,
  "a generation of an older log counts": 6,
  "an older log holds the newer one up": 64,
  "max_age of an unconfirmed accept": 7,
  "unknown domains cost a read each": 4,
  "shards are not proved": 45,
  "manifests are not proved": 116,
  "the Registry answers from a field": 7,
  "an empty Registry begins in front of a full KV": 19,
  "the alarm gives up": 3,
  "one part that is put again puts off the others": 202,
  "the bridge's window counts from the answer": 32,
  "the bridge takes an older log for the newest": 212,
  "a cached answer counts below the floor": 5,
  "an answer about somebody else counts": 6,
  "a verdict with any status counts": 6,
  "an export's number is a floor": 12,
};

const ALL: readonly Mutant[] = [
  ...CONFIRMATION_MUTANTS,
  ...ISOLATE_MUTANTS,
  ...MEMORY_MUTANTS,
  ...REGISTRY_MUTANTS,
  ...COPYING_MUTANTS,
  ...BRIDGE_MUTANTS,
];

export const MUTANTS: readonly Mutant[] = ALL.map((mutant) => {
  const seed = SEEDS[mutant.name];
  return seed === undefined ? mutant : { ...mutant, seed };
});
