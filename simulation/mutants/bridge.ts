/** The bridge and its client. */
import { bridge, client, edge, type Mutant, mutant } from "./patch.ts";

export const BRIDGE_MUTANTS: readonly Mutant[] = [
  mutant(
    "the bridge's window counts from the answer",
    "it counts from before the question",
    bridge("resolver.ts", "const expires = askedAt + 1000 *", "const expires = now + 1000 *"),
  ),
  mutant(
    "the bridge goes back",
    "an answer below its floor refuses nobody",
    bridge("resolver.ts", "if (isBelow(answer, floors.get(question.domain), askedAt)) {", "if (false) {"),
    edge("decide.ts", "  if (generation < query.floor) {", "  if (false) {"),
  ),
  mutant(
    "a cached answer counts below the floor",
    "nobody goes back",
    bridge(
      "cache.ts",
      "    if (floor === entry.floor && (entry.answer.generation ?? 0) >= (floor?.generation ?? 0)) return entry;",
      "    if (floor === entry.floor || true) return entry;",
    ),
  ),
  mutant(
    "a cached answer never ends",
    "it holds for its max_age",
    bridge("cache.ts", "return entry !== null && now < entry.expires ? entry : null;", "return entry;"),
  ),
  mutant(
    "a cached accept is kept for ever while the edge is away",
    "accept-grace",
    bridge(
      "cache.ts",
      "return entry.vouched + (now - entry.askedAt) < acceptGrace ? entry.answer : null;",
      "return entry.answer;",
    ),
  ),
  mutant(
    "refusals go on while the edge is away",
    "only accepts do",
    bridge(
      "cache.ts",
      "    const entry = this.#counting(this.#accepts, question);\n    if (entry === null || entry.vouched === null) return null;",
      "    const entry = this.#counting(this.#accepts, question) ?? this.#counting(this.#refusals, question);\n    if (entry === null) return null;\n    if (entry.vouched === null) return entry.answer;",
    ),
  ),
  mutant(
    "an answer about somebody else counts",
    "it names the recipient (law 1)",
    client("answers.ts", '  if (recipient !== asked) return "about another recipient";\n', ""),
  ),
  mutant(
    "a verdict with any status counts",
    "only with 200 (law 1)",
    client("client.ts", "    if (reply.status === 200) {", "    if (reply.status >= 200) {"),
  ),
  mutant(
    "an export's number is a floor",
    "the numbers of exports order nothing, and the Registry's are lower",
    bridge(
      "resolver.ts",
      'answer.generation === null || answer.origin === "kv"',
      "answer.generation === null",
    ),
  ),
];
