/** The replica on a mail host: its token, its polls, what it leaves to the edge. */
import { bridge, edge, type Mutant, mutant, registry } from "./patch.ts";

export const REPLICA_MUTANTS: readonly Mutant[] = [
  mutant(
    "a replica with a revoked token hears of changes",
    "the Registry itself refuses it",
    registry(
      "replica-changes.ts",
      "const isRefused = token !== null && isRevoked(storage, token);",
      "const isRefused = false;",
    ),
  ),
  mutant(
    "a refusal by the Registry is an empty answer",
    "without heads it would confirm old lists",
    edge("routes/changes.ts", "  if (replica.isRevoked) throw unauthorized();\n", ""),
  ),
  mutant(
    "a replica hears of every domain",
    "only of those that its token covers",
    registry(
      "replica-changes.ts",
      'domains === null ? "" : "AND domain IN (SELECT value FROM json_each(?))"',
      'domains === null ? "" : "AND json_array_length(?) >= 0"',
    ),
  ),
  mutant(
    "a poll that failed is repeated at once",
    "the pause doubles up to half a window",
    bridge(
      "replica/poll-schedule.ts",
      "return Math.min(this.#halfWindow(), FIRST_RETRY * 2 ** (failures - 1)) * this.#jitter();",
      "return 100 * failures ** 0;",
    ),
  ),
  mutant(
    "polls come every second",
    "they come every half window",
    bridge(
      "replica/poll-schedule.ts",
      "return Math.max(0, this.#halfWindow() * this.#jitter() - passed);",
      "return FIRST_RETRY;",
    ),
  ),
  mutant(
    "all parts of a list are fetched again",
    "only what the disk lacks",
    bridge(
      "replica/sync-domain.ts",
      ".filter((id) => !present.has(id));",
      '.filter((id) => id !== "" || present.has(id));',
    ),
  ),
  mutant(
    "an unconfirmed accept of a replica needs no question to the edge",
    "the edge may know more",
    bridge(
      "replica/replica-source.ts",
      'return answer.confirmed_age !== null || (answer.action === "accept" && this.#replica.isAway(domain));',
      'return answer.confirmed_age !== null || answer.action === "accept";',
    ),
  ),
];
