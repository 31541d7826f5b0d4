/** Whom a replica accepts without the edge although something newer was heard. */
import { bridge, type Mutant, mutant } from "./patch.ts";

export const OUTAGE_MUTANTS: readonly Mutant[] = [
  mutant(
    "what the edge says after the replica has answered is kept as it came",
    "it ends no list of a domain that the Registry has lost",
    bridge(
      "replica/replica-source.ts",
      "const later = this.#askEdge(query);",
      "const later = this.#edge.ask(query);",
    ),
  ),
  mutant(
    "something newer ends the accepts of a replica",
    "they go on while the edge is away, from the newest list that is here whole",
    bridge(
      "replica/replica.ts",
      "    return this.#outage.accept(host, recipient, domain);\n",
      "    return (await this.#outage.accept(host, recipient, domain)) && null;\n",
    ),
  ),
  mutant(
    "a replica accepts whom the edge did not",
    "a definite other answer ends the accept",
    bridge(
      "replica/outage.ts",
      "if (answer === null || this.answers.isExcluded(domain, recipient)) return null;",
      "if (answer === null) return null;",
    ),
  ),
  mutant(
    "an older list of a replica needs no question to the edge",
    "it goes on only while the edge does not answer",
    bridge(
      "replica/replica-source.ts",
      "this.#replica.isAway(domain) && this.#isNewest(answer, domain);",
      "this.#replica.isAway(domain);",
    ),
  ),
];
