/** Rules of the real code, each left out in turn. Each has to be caught. */
import { BRAKE_MUTANTS } from "./brake.ts";
import { BRIDGE_MUTANTS } from "./bridge.ts";
import { CONFIRMATION_MUTANTS } from "./confirmation.ts";
import { COPYING_MUTANTS } from "./copying.ts";
import { COVERED_MUTANTS } from "./covered.ts";
import { CROSSING_MUTANTS } from "./crossings.ts";
import { DAMAGE_MUTANTS } from "./damage.ts";
import { ISOLATE_MUTANTS } from "./isolate.ts";
import { MEMORY_MUTANTS } from "./memory.ts";
import { OUTAGE_MUTANTS } from "./outages.ts";
import type { Mutant } from "./patch.ts";
import { PATCH_MUTANTS } from "./patches.ts";
import { PATTERN_MUTANTS } from "./patterns.ts";
import { REGISTRY_MUTANTS } from "./registry.ts";
import { REPLICA_MUTANTS } from "./replica.ts";
import { REPLICA_LIST_MUTANTS } from "./replica-lists.ts";

export const MUTANTS: readonly Mutant[] = [
  ...CONFIRMATION_MUTANTS,
  ...ISOLATE_MUTANTS,
  ...MEMORY_MUTANTS,
  ...REGISTRY_MUTANTS,
  ...BRAKE_MUTANTS,
  ...PATCH_MUTANTS,
  ...PATTERN_MUTANTS,
  ...COVERED_MUTANTS,
  ...COPYING_MUTANTS,
  ...DAMAGE_MUTANTS,
  ...BRIDGE_MUTANTS,
  ...REPLICA_MUTANTS,
  ...REPLICA_LIST_MUTANTS,
  ...OUTAGE_MUTANTS,
  ...CROSSING_MUTANTS,
];

export type { Mutant } from "./patch.ts";
