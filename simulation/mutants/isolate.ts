/** What an isolate keeps, reads and answers. */
import { directory, type Mutant, mutant, reader } from "./patch.ts";

export const ISOLATE_MUTANTS: readonly Mutant[] = [
  mutant(
    "a lapsed manifest counts",
    "it is loaded again, or an idle isolate accepts from hours ago",
    reader(
      "decide.ts",
      "const isRecent = held !== undefined && (isVouchedFor ||",
      "const isRecent = held !== undefined && (true ||",
    ),
  ),
  mutant(
    "a superseded manifest counts",
    "one that is older than what is known is loaded again",
    reader("decide.ts", "const need = Math.max(low, known ?? 0);", "const need = low;"),
  ),
  mutant(
    "the isolate goes back after an eviction",
    "what was answered from is remembered outside of what may be evicted",
    reader(
      "decide.ts",
      "const low = isolate.answeredFrom(domain, held?.manifest.incarnation ?? incarnation);",
      "const low = 0;",
    ),
  ),
  mutant(
    "an older manifest takes the place of a newer one",
    "what is held is never replaced by something older",
    reader("fetch.ts", "if (held === undefined || isNewer(manifest, held)) isolate", "isolate"),
    reader("decide.ts", "if (held === undefined || number < low) {", "if (held === undefined) {"),
  ),
  mutant(
    "whoever waits for a manifest takes an old one",
    "the wait ends with one that is new enough",
    reader("fetch.ts", "confirmation.known(domain)) >= need.number;", "confirmation.known(domain)) >= 0;"),
  ),
  mutant(
    "max_age of an unconfirmed accept",
    "it is 0",
    reader(
      "decide.ts",
      "maxAge: isConfirmed || isExport ? maxAge(confirmation, now) : 0,",
      "maxAge: maxAge(confirmation, now),",
    ),
  ),
  mutant(
    "accepts never end",
    "they end with accept-grace",
    reader("decide.ts", "const mayDoWithout = silence <= acceptGrace;", "const mayDoWithout = true;"),
  ),
  mutant(
    "every accept says that the Registry was heard of just now",
    "a bridge counts accept-grace from the last sign that the answer carries",
    reader("decide.ts", "contactAge: ageInSeconds(contact, now),", "contactAge: 0,"),
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
      "if (!confirmation.full || !confirmation.isFresh(now)) return confirmOrDefer(query, progress, partition);",
      "if (!confirmation.full) return confirmOrDefer(query, progress, partition);",
    ),
  ),
  mutant(
    "not served without a look for exports",
    "an export may serve what the Registry does not know",
    reader("decide.ts", "const isOld = isolate.exportsAge(now) >= KV_ROSTER_AGE;", "const isOld = false;"),
    reader("decide.ts", "if (!isolate.knowsExports(now))", "if (false)"),
  ),
  mutant(
    "an old roster of exports is used without a look",
    "it is read anew where it is older than a minute",
    reader(
      "decide.ts",
      "const isOld = isolate.exportsAge(now) >= KV_ROSTER_AGE;",
      "const isOld = !isolate.knowsExports(now);",
    ),
  ),
  mutant(
    "an export that was taken back is used without a look",
    "KV's roster is read anew where it is older than a minute, before an export answers",
    reader(
      "decide.ts",
      '    if (!progress.hasSoughtExports && isolate.exportsAge(now) >= KV_ROSTER_AGE) return { kind: "exports" };\n',
      "",
    ),
  ),
  mutant(
    "the asker's floor is ignored",
    "an older answer is none",
    reader("decide.ts", "  if (generation < query.floor) {", "  if (false) {"),
  ),
  mutant(
    "revocations are forgotten",
    "they are numbers in the same log",
    reader("log-view.ts", "    for (const id of answer.revoked) this.#revoked.add(id);\n", ""),
  ),
  mutant(
    "a change does not make its own isolate forget",
    "the publisher is told no old truth",
    reader(
      "log-view.ts",
      "    this.#at = Number.NEGATIVE_INFINITY;\n    if (position.incarnation",
      "    return;\n    if (position.incarnation",
    ),
  ),
  mutant(
    "unknown domains cost a read each",
    "before a roster is there only a few do (law 7)",
    reader("decide.ts", "if (isCold && isolate.coldLoads <= 0) return", "if (false) return"),
  ),
  mutant(
    "no leases",
    "one request does each piece of work (law 7)",
    reader("isolate.ts", "if ((this.#leases.get(name)?.end ?? 0) > now) return false;", ""),
  ),
  mutant(
    "an absent shard is pinned",
    "nulls are read with a short cacheTtl, and once more",
    reader("fetch.ts", "young ? SHORT_TTL : LONG_TTL", "LONG_TTL"),
    reader(
      "fetch.ts",
      "    if (fromKv === null && !young) fromKv = await readKv(isolate, scope, key, SHORT_TTL);\n",
      "",
    ),
  ),
  mutant(
    "shards are not proved",
    "bytes are named by their digest (law 5)",
    reader(
      "fetch.ts",
      "  if (!equalBytes(isolate.ports.hashing.sha256(bytes), fromHex(id))) return null;\n",
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
    reader("scope.ts", "const AT_ONCE = 6;", "const AT_ONCE = 60;"),
  ),
  mutant(
    "an older log holds the newer one up",
    "what was answered from is remembered for its own log",
    reader(
      "isolate.ts",
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
