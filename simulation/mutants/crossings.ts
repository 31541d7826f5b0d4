/** What one folder writes and another reads: the rule is in one place, and shows through the other. */
import { directory, edge, type Mutant, mutant, registry } from "./patch.ts";

export const CROSSING_MUTANTS: readonly Mutant[] = [
  mutant(
    "a rollback opens no single changes again",
    "the next publish keeps what was open in the list that is the head again",
    registry("commits/rollback.ts", "[...changes.reopened, ...changes.again]", "changes.again"),
  ),
  mutant(
    "a rollback opens single changes again that were settled before",
    "the next publish keeps only what was open then",
    registry("commits/rollback.ts", "settledSince(storage, domain, to)", "settledSince(storage, domain, 0)"),
  ),
  mutant(
    "a replica does not hear of deletions",
    "a tombstone is a head",
    registry("log/replica-changes.ts", "WHERE number > ? $", "WHERE number > ? AND deleted IS NULL $"),
  ),
  mutant(
    "the list-wide grace is written in seconds",
    "readers take it for milliseconds",
    directory(
      "formats/manifest.ts",
      "...(refusesFrom > 0 && { refusesFrom }),",
      "...(refusesFrom > 0 && { refusesFrom: Math.ceil(refusesFrom / 1000) }),",
    ),
  ),
  mutant(
    "what isolates count of who left stays with them",
    "the Registry adds it up, and its brake holds a mistake",
    edge(
      "request-context.ts",
      "registry.question(asked === undefined ? told : { ...told, asked })",
      "registry.question(told)",
    ),
  ),
];
