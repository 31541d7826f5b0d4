/** What an isolate keeps, reads and answers. */
import { directory, edge, type Mutant, mutant, reader } from "./patch.ts";

export const ISOLATE_MUTANTS: readonly Mutant[] = [
  mutant(
    "a lapsed manifest is used",
    "it is loaded again after a window, so an idle isolate does not accept from hours ago",
    reader(
      "decide.ts",
      "const isRecent = cached !== undefined && (view.isFresh(now) ||",
      "const isRecent = cached !== undefined && (true ||",
    ),
  ),
  mutant(
    "a superseded manifest is used",
    "a manifest older than the known head is loaded again",
    reader("decide.ts", "const need = Math.max(lowest, head ?? 0);", "const need = lowest;"),
  ),
  mutant(
    "an isolate forgets what it answered from when a manifest is evicted",
    "it is remembered outside the cache, so no isolate goes back",
    reader("decide.ts", "const lowest = answered.lowest(domain, log);", "const lowest = 0;"),
  ),
  mutant(
    "an older manifest replaces a newer one",
    "a manifest is never replaced by an older one",
    reader("fetch.ts", "if (cached === undefined || isNewer(manifest, cached)) this", "this"),
    reader("decide.ts", "if (cached === undefined || number < lowest) {", "if (cached === undefined) {"),
  ),
  mutant(
    "a request that waits for a manifest accepts an older one",
    "it waits for one that is new enough",
    reader(
      "fetch.ts",
      "numberIn(view, cached.manifest) >= need.number",
      "numberIn(view, cached.manifest) >= 0",
    ),
  ),
  mutant(
    "an unconfirmed accept may be cached",
    "its max_age is 0",
    reader(
      "decide.ts",
      "maxAge: isConfirmed ? seconds(view.remaining(now)) : 0,",
      "maxAge: seconds(view.remaining(now)),",
    ),
  ),
  mutant(
    "unconfirmed accepts never end",
    "they end with accept-grace",
    reader("decide.ts", "const isInGrace = silence <= this.#acceptGrace;", "const isInGrace = true;"),
  ),
  mutant(
    "every accept claims contact with the Registry right now",
    "a bridge counts accept-grace from the last contact",
    reader("decide.ts", "contactAge: ageInSeconds(lastContact(view, lists), now),", "contactAge: 0,"),
  ),
  mutant(
    "observe mode refuses malformed addresses",
    "it accepts every recipient, and reports the verdict",
    directory("verdict/verdict.ts", '  "malformed",\n', ""),
  ),
  mutant(
    "an alias in defer mode refuses where its target enforces",
    "across an alias the milder mode holds",
    reader(
      "decide.ts",
      "milderMode(own.manifest.mode, list.manifest.mode)",
      'own.manifest.mode === "defer" ? list.manifest.mode : milderMode(own.manifest.mode, list.manifest.mode)',
    ),
  ),
  mutant(
    "not-served needs no confirmation",
    "the set of served domains must be fresh too",
    reader(
      "decide.ts",
      "if (!view.isFresh(now)) return confirmOrDefer(check, view);",
      "if (!view.isComplete) return confirmOrDefer(check, view);",
    ),
  ),
  mutant(
    "the edge ignores the floor of a question",
    "an older answer is a deferral",
    reader("decide.ts", "    if (generation < query.minGeneration) {", "    if (false) {"),
  ),
  mutant(
    "isolates ignore revocations",
    "they are numbers in the same log",
    reader("log-view.ts", "this.#learn(answer.heads, answer.revoked);", "this.#learn(answer.heads, []);"),
  ),
  mutant(
    "a change leaves its own isolate confirmed",
    "a publisher must see its change",
    reader(
      "log-view.ts",
      "    this.#askedAt = Number.NEGATIVE_INFINITY;\n    if (position.incarnation",
      "    return;\n    if (position.incarnation",
    ),
  ),
  mutant(
    "every unknown domain costs a read",
    "an isolate without a roster reads for a few of them only (law 7)",
    reader("decide.ts", "if (isCold && coldReads.areUsedUp) return", "if (false) return"),
  ),
  mutant(
    "requests do not share work",
    "one request does each piece of work (law 7)",
    reader("single-flight.ts", "if (!this.isRunning(name)) return this", "return this"),
  ),
  mutant(
    "an absent shard stays absent",
    "a miss is read with a short cacheTtl, and once more",
    reader("fetch.ts", "isYoung ? SHORT_TTL : LONG_TTL", "LONG_TTL"),
    reader(
      "fetch.ts",
      "    if (bytes === null && !isYoung) bytes = await kv.bytes(context, key, SHORT_TTL);\n",
      "",
    ),
  ),
  mutant(
    "the digest of a shard is not checked",
    "its id is its digest (law 5)",
    reader(
      "fetch.ts",
      "    if (!equalBytes(this.#ports.hashing.sha256(bytes), fromHex(id))) return null;\n",
      "",
    ),
  ),
  mutant(
    "the MAC of a manifest is not checked",
    "it must fit (law 5)",
    directory(
      "formats/manifest.ts",
      "  if (!equalBytes(key.manifest(body), mac)) throw",
      "  if (false) throw",
    ),
  ),
  mutant(
    "sixty operations run at once",
    "the platform allows six",
    edge("request-context.ts", "const MAX_PARALLEL = 6;", "const MAX_PARALLEL = 60;"),
  ),
  mutant(
    "numbers of an older log hold back the newer one",
    "what an isolate answered from is remembered for its own log",
    reader(
      "answered-generations.ts",
      "return last?.incarnation === incarnation ? last.generation : 0;",
      "return last?.generation ?? 0;",
    ),
  ),
  mutant(
    "departures outside the manifest are not read",
    "where they do not fit the manifest, they are loaded",
    directory(
      "verdict/lookup.ts",
      '  if (blob === undefined) return { kind: "needs", table: "departures", index };',
      "  if (blob === undefined) return null;",
    ),
  ),
];
