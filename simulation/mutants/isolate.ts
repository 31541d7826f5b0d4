/** What an isolate keeps, reads and answers. */
import { directory, edge, type Mutant, mutant, reader } from "./patch.ts";

export const ISOLATE_MUTANTS: readonly Mutant[] = [
  mutant(
    "a lapsed manifest counts",
    "it is loaded again, or an idle isolate accepts from hours ago",
    reader(
      "decide.ts",
      "const isRecent = cached !== undefined && (isVouchedFor ||",
      "const isRecent = cached !== undefined && (true ||",
    ),
  ),
  mutant(
    "a superseded manifest counts",
    "one that is older than what is known is loaded again",
    reader("decide.ts", "const need = Math.max(lowest, head ?? 0);", "const need = lowest;"),
  ),
  mutant(
    "the isolate goes back after an eviction",
    "what was answered from is remembered outside of what may be evicted",
    reader(
      "decide.ts",
      "const lowest = answered.lowest(domain, cached?.manifest.incarnation ?? incarnation);",
      "const lowest = 0;",
    ),
  ),
  mutant(
    "an older manifest takes the place of a newer one",
    "what is held is never replaced by something older",
    reader("fetch.ts", "if (cached === undefined || isNewer(manifest, cached)) this", "this"),
    reader("decide.ts", "if (cached === undefined || number < lowest) {", "if (cached === undefined) {"),
  ),
  mutant(
    "whoever waits for a manifest takes an old one",
    "the wait ends with one that is new enough",
    reader(
      "fetch.ts",
      "numberIn(view, cached.manifest) >= need.number",
      "numberIn(view, cached.manifest) >= 0",
    ),
  ),
  mutant(
    "max_age of an unconfirmed accept",
    "it is 0",
    reader(
      "decide.ts",
      "maxAge: isConfirmed || isExport ? seconds(view.remaining(now)) : 0,",
      "maxAge: seconds(view.remaining(now)),",
    ),
  ),
  mutant(
    "accepts never end",
    "they end with accept-grace",
    reader("decide.ts", "const isInGrace = silence <= this.#acceptGrace;", "const isInGrace = true;"),
  ),
  mutant(
    "every accept says that the Registry was heard of just now",
    "a bridge counts accept-grace from the last sign that the answer carries",
    reader(
      "decide.ts",
      "contactAge: isExport ? null : ageInSeconds(lastContact(view, lists), now),",
      "contactAge: isExport ? null : 0,",
    ),
  ),
  mutant(
    "observe mode refuses what is malformed",
    "it accepts everybody, and tells what it would have said",
    directory("verdict.ts", '  "malformed",\n', ""),
  ),
  mutant(
    "not served without a confirmation",
    "the set of served domains has to be fresh too",
    reader(
      "decide.ts",
      "if (!view.isComplete || !view.isFresh(now)) return confirmOrDefer(check, view);",
      "if (!view.isComplete) return confirmOrDefer(check, view);",
    ),
  ),
  mutant(
    "not served without a look for exports",
    "an export may serve what the Registry does not know",
    reader("decide.ts", "if (exports.isOld(now) && check", "if (false && check"),
    reader("decide.ts", "if (!exports.isKnown(now))", "if (false)"),
  ),
  mutant(
    "an old roster of exports is used without a look",
    "it is read anew where it is older than a minute",
    reader("decide.ts", "if (exports.isOld(now) && check", "if (!exports.isKnown(now) && check"),
  ),
  mutant(
    "an export that was taken back is used without a look",
    "KV's roster is read anew where it is older than a minute, before an export answers",
    reader(
      "decide.ts",
      '      if (check.exports === "not tried" && exports.isOld(now)) return { kind: "exports" };\n',
      "",
    ),
  ),
  mutant(
    "the asker's floor is ignored",
    "an older answer is none",
    reader("decide.ts", "    if (generation < query.minGeneration) {", "    if (false) {"),
  ),
  mutant(
    "revocations are forgotten",
    "they are numbers in the same log",
    reader("log-view.ts", "this.#learn(answer.heads, answer.revoked);", "this.#learn(answer.heads, []);"),
  ),
  mutant(
    "a change does not make its own isolate forget",
    "the publisher is told no old truth",
    reader(
      "log-view.ts",
      "    this.#askedAt = Number.NEGATIVE_INFINITY;\n    if (position.incarnation",
      "    return;\n    if (position.incarnation",
    ),
  ),
  mutant(
    "unknown domains cost a read each",
    "before a roster is there only a few do (law 7)",
    reader("decide.ts", "if (isCold && coldReads.areUsedUp) return", "if (false) return"),
  ),
  mutant(
    "no leases",
    "one request does each piece of work (law 7)",
    reader("single-flight.ts", "if (!this.isRunning(name)) return this", "return this"),
  ),
  mutant(
    "an absent shard is pinned",
    "nulls are read with a short cacheTtl, and once more",
    reader("fetch.ts", "isYoung ? SHORT_TTL : LONG_TTL", "LONG_TTL"),
    reader(
      "fetch.ts",
      "    if (bytes === null && !isYoung) bytes = await kv.bytes(context, key, SHORT_TTL);\n",
      "",
    ),
  ),
  mutant(
    "shards are not proved",
    "bytes are named by their digest (law 5)",
    reader(
      "fetch.ts",
      "    if (!equalBytes(this.#ports.hashing.sha256(bytes), fromHex(id))) return null;\n",
      "",
    ),
  ),
  mutant(
    "manifests are not proved",
    "their MAC has to fit (law 5)",
    directory("manifest.ts", "  if (!equalBytes(key.manifest(body), mac)) throw", "  if (false) throw"),
  ),
  mutant(
    "sixty operations at once",
    "the platform allows six",
    edge("request-context.ts", "const MAX_PARALLEL = 6;", "const MAX_PARALLEL = 60;"),
  ),
  mutant(
    "an older log holds the newer one up",
    "what was answered from is remembered for its own log",
    reader(
      "answered-generations.ts",
      "return last?.incarnation === incarnation ? last.generation : 0;",
      "return last?.generation ?? 0;",
    ),
  ),
  mutant(
    "departures in blobs of their own are not read",
    "where they do not fit the manifest, they are loaded",
    directory(
      "lookup.ts",
      '  if (blob === undefined) return { kind: "needs", table: "departures", index };',
      "  if (blob === undefined) return null;",
    ),
  ),
];
