/** The bridge and its client. */
import { bridge, client, type Mutant, mutant, reader } from "./patch.ts";

export const BRIDGE_MUTANTS: readonly Mutant[] = [
  mutant(
    "the bridge's window starts with the answer",
    "it starts before the question is sent",
    bridge("answers/judge.ts", "const expires = askedAt + 1000 *", "const expires = now + 1000 *"),
  ),
  mutant(
    "the bridge refuses below its floor",
    "an older answer may not refuse",
    bridge("answers/judge.ts", "isOlder(answer, minGenerations.get(question.domain), askedAt) ||", ""),
    reader("decide.ts", "    if (generation < query.minGeneration) {", "    if (false) {"),
  ),
  mutant(
    "an accept is fresh whatever was seen since",
    "no bridge goes back while the edge answers",
    bridge(
      "answers/cache.ts",
      "return entry !== undefined && this.#isNewest(entry, heard) && now < entry.expires ? entry : null;",
      'return entry !== undefined && (entry.answer.action === "accept" || this.#isNewest(entry, heard)) && now < entry.expires ? entry : null;',
    ),
  ),
  mutant(
    "a refusal is fresh whatever was seen since",
    "no refusal is older than what the host has heard",
    bridge(
      "answers/cache.ts",
      "return entry !== undefined && this.#isNewest(entry, heard) && now < entry.expires ? entry : null;",
      'return entry !== undefined && (entry.answer.action === "reject" || this.#isNewest(entry, heard)) && now < entry.expires ? entry : null;',
    ),
  ),
  mutant(
    "a newer generation ends the accepts that a bridge keeps",
    "they go on while the edge is away",
    bridge(
      "answers/cache.ts",
      "const since = isNewest ? entry.contactAt : entry.confirmedAt;",
      "const since = isNewest ? entry.contactAt : null;",
    ),
  ),
  mutant(
    "an accept goes on for accept-grace whatever was seen since",
    "for a day, once something newer of its domain was seen",
    bridge(
      "answers/cache.ts",
      "isNewest ? acceptGrace : Math.min(acceptGrace, SUPERSEDED_GRACE);",
      "isNewest ? acceptGrace : acceptGrace;",
    ),
  ),
  mutant(
    "an accept goes on after the edge has said otherwise",
    "a definite other answer ends it",
    bridge("answers/cache.ts", "    this.forget(question);\n", ""),
    bridge(
      "answers/cache.ts",
      '(entry.answer.action === "accept" ? this.#accepts : this.#refusals).set(question, entry);',
      'this.#refusals.delete(question);\n    (entry.answer.action === "accept" ? this.#accepts : this.#refusals).set(question, entry);',
    ),
    bridge("answers/judge.ts", "    } else if (!isAccept) {\n      cache.forget(text);\n", ""),
  ),
  mutant(
    "a cached answer never expires",
    "it holds for its max_age",
    bridge(
      "answers/cache.ts",
      "return entry !== undefined && this.#isNewest(entry, heard) && now < entry.expires ? entry : null;",
      "return entry !== undefined && this.#isNewest(entry, heard) ? entry : null;",
    ),
  ),
  mutant(
    "cached accepts never end while the edge is away",
    "they end with accept-grace",
    bridge(
      "answers/cache.ts",
      "return since !== null && now - since < grace ? entry.answer : null;",
      "return since !== null || grace < 0 ? entry.answer : null;",
    ),
  ),
  mutant(
    "cached refusals are used while the edge is away",
    "only accepts are",
    bridge(
      "answers/cache.ts",
      "    const entry = this.#accepts.get(question);\n    if (entry === undefined) return null;\n",
      '    const entry = this.#accepts.get(question) ?? this.#refusals.get(question);\n    if (entry === undefined) return null;\n    if (entry.answer.action === "reject") return entry.answer;\n',
    ),
  ),
  mutant(
    "the bridge's accept-grace starts with its own question",
    "it starts with the last contact that the answer carries",
    bridge(
      "answers/judge.ts",
      "return Math.max(askedAt - age, before ?? Number.NEGATIVE_INFINITY);",
      "return askedAt;",
    ),
  ),
  mutant(
    "the bridge keeps only confirmed accepts",
    "contact with the Registry is enough for accept-grace",
    bridge("answers/judge.ts", "({ contact_age: age }: Answer)", "({ confirmed_age: age }: Answer)"),
  ),
  mutant(
    "the bridge keeps the numbers of a lost log",
    "a newer log makes it start over",
    bridge("answers/judge.ts", "    minGenerations.startOver(domain, incarnation);\n", ""),
  ),
  mutant(
    "the bridge takes an older log for the newest",
    "an answer of a lost log is an old one",
    bridge(
      "answers/min-generations.ts",
      "answer.incarnation !== null && answer.incarnation < min.incarnation",
      "false",
    ),
  ),
  mutant(
    "an answer about another recipient counts",
    "an answer names its recipient (law 1)",
    client("answers.ts", '  if (it.recipient !== asked) return "it is about another recipient";\n', ""),
  ),
  mutant(
    "a verdict counts with any HTTP status",
    "only with 200 (law 1)",
    client("ask-recipients.ts", "  if (reply.status === 200) {", "  if (reply.status >= 200) {"),
  ),
];
