/** Damage in a Registry's storage: nothing is made from it, and nobody is refused because of it (law 5). */
import { type Mutant, mutant, registry } from "./patch.ts";

export const DAMAGE_MUTANTS: readonly Mutant[] = [
  mutant(
    "a Registry signs what it has not verified",
    "the list that a generation continues is opened with its MAC",
    registry(
      "generations/verified-reads.ts",
      "record = readVerified(bytes, domain, this.#proof.keyFor);",
      "record = readVerified(bytes, domain, (of, epoch) => ({ ...this.#proof.keyFor(of, epoch), id: '' }));",
    ),
  ),
  mutant(
    "a domain whose head is lost is not served",
    "who gets all heads gets those that were lost too",
    registry(
      "object/registry.ts",
      "return noteLostHeads(this.#options, start) ? list() : answer;",
      "return answer;",
    ),
  ),
  mutant(
    "a lost head is no change",
    "who asks for changes gets the heads that were lost among them",
    registry(
      "object/registry.ts",
      "if (start >= asOf || (isAll && !answer.full)) return answer;",
      "if (start >= asOf || !answer.full) return answer;",
    ),
  ),
  mutant(
    "an older list in place of a damaged one refuses at once",
    "whom the damaged list accepted nobody can name",
    registry("names/list-grace.ts", "deletedUntil === null && !isLost && ", "deletedUntil === null && "),
  ),
];
