/** What an isolate may call confirmed. */
import { type Mutant, mutant, reader, registry } from "./patch.ts";

export const CONFIRMATION_MUTANTS: readonly Mutant[] = [
  mutant(
    "drop the confirmation",
    "a refusal rests on a state that the Registry confirmed",
    reader(
      "decide.ts",
      "    if (!isFresh) return confirmListsOrDefer",
      "    if (false) return confirmListsOrDefer",
    ),
  ),
  mutant(
    "a confirmation never ends",
    "it lasts one window",
    reader(
      "log-view.ts",
      "now >= this.#askedAt && now < this.#askedAt + this.#window;",
      "now >= this.#askedAt;",
    ),
  ),
  mutant(
    "a confirmation lasts a tenth longer",
    "it lasts one window",
    reader("log-view.ts", "now < this.#askedAt + this.#window;", "now < this.#askedAt + 1.1 * this.#window;"),
  ),
  mutant(
    "the window counts from the answer",
    "it counts from before the question",
    reader(
      "log-client.ts",
      "view.apply(answer, askedAt, since);",
      "view.apply(answer, this.#ports.clock.now(), since);",
    ),
  ),
  mutant(
    "the clock is read before the waits",
    "it is read after the last one",
    reader("reader.ts", "let step = first;", "let step = first;\n    const begun = clock.now();"),
    reader("reader.ts", "decide(check, clock.now());", "decide(check, begun);"),
  ),
  mutant(
    "an old generation refuses",
    "answers confirm numbers, never bytes",
    reader(
      "evidence.ts",
      "manifest.generation === view.head(manifest.domain);",
      "manifest.generation <= (view.head(manifest.domain) ?? 0);",
    ),
  ),
  mutant(
    "answers are taken as they come",
    "an answer older than N is dropped, and known merges by maximum",
    reader("log-view.ts", "    if (answer.asOf < Math.max(this.asOf, this.#minNumber)) return;\n", ""),
    reader("log-view.ts", "Math.max(number, this.#heads.get(domain) ?? 0)", "number"),
    reader(
      "log-view.ts",
      "{ incarnation: this.#incarnation, number: this.#asOf };",
      "{ incarnation: this.#incarnation, number: 0 };",
    ),
  ),
  mutant(
    "the list of changes is not taken in",
    "every answer carries the list since N, folded first",
    reader("log-view.ts", "this.#learn(answer.heads, answer.revoked);", "this.#learn([], answer.revoked);"),
  ),
  mutant(
    "an answer of everything leaves what it does not list",
    "a deleted domain that was pruned is known no more",
    reader("log-view.ts", "    if (answer.full) this.#dropUnlisted(answer);\n", ""),
  ),
  mutant(
    "KV's roster confirms",
    "it is a starting point, and never a confirmation",
    reader(
      "log-view.ts",
      "    this.#asOf = roster.asOf;\n",
      "    this.#asOf = roster.asOf;\n    this.#askedAt = roster.heartbeat;\n",
    ),
  ),
  mutant(
    "KV's roster counts as newer than it is",
    "it carries its own number",
    reader("log-view.ts", "    this.#asOf = roster.asOf;\n", "    this.#asOf = roster.asOf + 2;\n"),
  ),
  mutant(
    "an answer that lists nothing joins a roster",
    "what changed after the roster's number is not in it",
    reader("log-view.ts", "    if (listsNothing(since, answer)) {", "    if (false) {"),
  ),
  mutant(
    "an answer that lists nothing is taken for everything",
    "a Registry of too many domains says so",
    registry("changes-since.ts", "full: isAll && !isTooMuch,", "full: isAll,"),
  ),
  mutant(
    "a Registry that gives no answer is not looked for in KV",
    "its last sign of life stands there",
    reader(
      "log-client.ts",
      "if (view.position === null || isSilent) await this.#startFromRoster(",
      "if (false) await this.#startFromRoster(",
    ),
  ),
  mutant(
    "an alias is confirmed without its target",
    "both are confirmed at one number",
    reader("decide.ts", "const isConfirmed = lists.every(", "const isConfirmed = [own].every("),
  ),
  mutant(
    "an alias takes the larger of two unrelated numbers",
    "a mixture of two states is no floor",
    reader(
      "evidence.ts",
      "if (own === list || own.generation !== view.head(own.domain)) return own.generation;",
      "",
    ),
    reader("evidence.ts", "Math.min(list.generation, view.head(list.domain) ?? 0)", "list.generation"),
  ),
  mutant(
    "a new log does not end the old one",
    "another incarnation clears what was known",
    reader("log-view.ts", "    this.#heads = new Map();\n    this.#revoked", "    this.#revoked"),
  ),
  mutant(
    "a generation of an older log counts",
    "numbers of two logs say nothing about each other",
    reader(
      "manifest-order.ts",
      "manifest.incarnation < log.incarnation ? -1 : manifest.generation",
      "manifest.generation",
    ),
    reader(
      "evidence.ts",
      "  manifest.incarnation === view.incarnation &&\n  manifest.generation === view",
      "  manifest.generation === view",
    ),
  ),
  mutant(
    "what is unheard of makes an answer none",
    "today's code meets the next release, and takes what it knows",
    reader(
      "log-view.ts",
      "    if (answer.incarnation < this.#incarnation) return;\n",
      "    if (answer.incarnation < this.#incarnation) return;\n    if (answer.heads.some((head) => head.length !== 2)) return;\n",
    ),
  ),
];
