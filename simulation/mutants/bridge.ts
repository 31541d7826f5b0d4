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
    "the bridge uses cached answers below its floor",
    "no bridge goes back",
    bridge(
      "answers/cache.ts",
      "    if (min === entry.minGeneration && (entry.answer.generation ?? 0) >= (min?.generation ?? 0)) return entry;",
      "    if (min === entry.minGeneration || true) return entry;",
    ),
  ),
  mutant(
    "a cached answer never expires",
    "it holds for its max_age",
    bridge(
      "answers/cache.ts",
      "return entry !== null && now < entry.expires ? entry : null;",
      "return entry;",
    ),
  ),
  mutant(
    "cached accepts never end while the edge is away",
    "they end with accept-grace",
    bridge(
      "answers/cache.ts",
      "return now - entry.contactAt < acceptGrace ? entry.answer : null;",
      "return entry.answer;",
    ),
  ),
  mutant(
    "cached refusals are used while the edge is away",
    "only accepts are",
    bridge(
      "answers/cache.ts",
      "    const entry = this.#current(this.#accepts, question);\n    if (entry === null || entry.contactAt === null) return null;",
      "    const entry = this.#current(this.#accepts, question) ?? this.#current(this.#refusals, question);\n    if (entry === null) return null;\n    if (entry.contactAt === null) return entry.answer;",
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
    bridge("answers/judge.ts", "const age = contact ?? confirmed;", "const age = confirmed;"),
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
  mutant(
    "the number of an export is a floor",
    "the numbers of exports order nothing, and the Registry's are lower",
    bridge(
      "answers/judge.ts",
      'answer.generation === null || answer.origin === "kv"',
      "answer.generation === null",
    ),
  ),
];
