/** What an isolate may call confirmed. */
import { type Mutant, mutant, reader, registry } from "./patch.ts";

export const CONFIRMATION_MUTANTS: readonly Mutant[] = [
  mutant(
    "refusals need no confirmation",
    "a refusal rests on a state that the Registry confirmed",
    reader(
      "decide.ts",
      "if (!isConfirmed) return confirmListsOrDefer",
      "if (false) return confirmListsOrDefer",
    ),
  ),
  mutant(
    "a confirmation never expires",
    "it lasts one window",
    reader(
      "log-view.ts",
      "now >= this.#askedAt && now < this.#askedAt + this.#window;",
      "now >= this.#askedAt;",
    ),
  ),
  mutant(
    "a confirmation lasts a tenth longer than the window",
    "it lasts one window",
    reader("log-view.ts", "now < this.#askedAt + this.#window;", "now < this.#askedAt + 1.1 * this.#window;"),
  ),
  mutant(
    "the window starts with the answer",
    "it starts before the question is sent",
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
    "an old generation may refuse",
    "an answer confirms one number: an older list may only accept",
    reader(
      "evidence.ts",
      "manifest.generation === view.head(manifest.domain);",
      "manifest.generation <= (view.head(manifest.domain) ?? 0);",
    ),
  ),
  mutant(
    "late answers overwrite newer ones",
    "an answer older than what is known is dropped, and numbers merge by maximum",
    reader("log-view.ts", "    if (answer.asOf < Math.max(this.asOf, this.#minNumber)) return;\n", ""),
    reader("log-view.ts", "Math.max(number, this.#heads.get(domain) ?? 0)", "number"),
    reader(
      "log-view.ts",
      "{ incarnation: this.#incarnation, number: this.#asOf };",
      "{ incarnation: this.#incarnation, number: 0 };",
    ),
  ),
  mutant(
    "the list of changes is ignored",
    "every answer carries the changes since N, which are applied first",
    reader("log-view.ts", "this.#learn(answer.heads, answer.revoked);", "this.#learn([], answer.revoked);"),
  ),
  mutant(
    "a complete answer keeps heads that it does not list",
    "a deleted domain that was pruned is no longer known",
    reader("log-view.ts", "    if (answer.full) this.#dropUnlisted(answer);\n", ""),
  ),
  mutant(
    "KV's roster counts as a confirmation",
    "it is a starting point only",
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
    "an answer without a list confirms a roster",
    "the roster lacks what changed after its number",
    reader("log-view.ts", "    if (listsNothing(since, answer)) {", "    if (false) {"),
  ),
  mutant(
    "an answer without a list counts as complete",
    "a Registry with too many domains says so",
    registry("log/changes-since.ts", "full: isAll && !isTooMuch,", "full: isAll,"),
  ),
  mutant(
    "an isolate that gets no answer does not read the roster",
    "the Registry's last heartbeat is in it",
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
    "an alias answers with the larger of two unrelated numbers",
    "the number must name a state in which both were heads",
    reader(
      "evidence.ts",
      "if (own === list || own.generation !== view.head(own.domain)) return own.generation;",
      "",
    ),
    reader("evidence.ts", "Math.min(list.generation, view.head(list.domain) ?? 0)", "list.generation"),
  ),
  mutant(
    "a new log keeps what was known from the old one",
    "another incarnation clears it",
    reader("log-view.ts", "    this.#heads = new Map();\n    this.#revoked", "    this.#revoked"),
  ),
  mutant(
    "a generation of an older log counts as a head",
    "numbers of two logs do not compare",
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
    "unknown members make an answer invalid",
    "an isolate understands the next release's Registry",
    reader(
      "log-view.ts",
      "    if (answer.incarnation < this.#incarnation) return;\n",
      "    if (answer.incarnation < this.#incarnation) return;\n    if (answer.heads.some((head) => head.length !== 2)) return;\n",
    ),
  ),
];
