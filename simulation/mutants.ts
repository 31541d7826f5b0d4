/** Rules of the real code, each left out in turn. Each has to be caught. */

export interface Patch {
  readonly file: string;
  /** Has to stand there exactly once. */
  readonly find: string;
  readonly put: string;
}

export interface Mutant {
  readonly name: string;
  /** What the rule is for. */
  readonly rule: string;
  readonly patches: readonly Patch[];
  /** The first seed that is tried. */
  readonly seed?: number;
}

const edge = (file: string, find: string, put: string): Patch => ({ file: `src/edge/${file}`, find, put });
const registry = (file: string, find: string, put: string): Patch => edge(`registry/${file}`, find, put);
const bridge = (file: string, find: string, put: string): Patch => ({
  file: `src/bridge/${file}`,
  find,
  put,
});
const client = (file: string, find: string, put: string): Patch => ({
  file: `src/client/${file}`,
  find,
  put,
});
const directory = (file: string, find: string, put: string): Patch => ({
  file: `src/directory/${file}`,
  find,
  put,
});

const mutant = (name: string, rule: string, ...patches: Patch[]): Mutant => ({ name, rule, patches });

const CONFIRMATION: readonly Mutant[] = [
  mutant(
    "drop the confirmation",
    "a refusal rests on a state that the Registry confirmed",
    edge(
      "decide.ts",
      "    if (!isFresh) return confirmListsOrDefer",
      "    if (false) return confirmListsOrDefer",
    ),
  ),
  mutant(
    "a confirmation never ends",
    "it lasts one window",
    edge("confirmation.ts", "now >= this.#at && now < this.#at + this.#window;", "now >= this.#at;"),
  ),
  mutant(
    "a confirmation lasts a tenth longer",
    "it lasts one window",
    edge("confirmation.ts", "now < this.#at + this.#window;", "now < this.#at + 1.1 * this.#window;"),
  ),
  mutant(
    "the window counts from the answer",
    "it counts from before the question",
    edge(
      "questions.ts",
      "confirmation.fold(result.value, askedAt);",
      "confirmation.fold(result.value, isolate.now());",
    ),
  ),
  mutant(
    "the clock is read before the waits",
    "it is read after the last one",
    edge(
      "decide.ts",
      "  const now = isolate.now();\n  const finding",
      "  progress.begun ??= isolate.now();\n  const now = progress.begun;\n  const finding",
    ),
  ),
  mutant(
    "an old generation refuses",
    "answers confirm numbers, never bytes",
    edge(
      "decide.ts",
      "manifest.generation === confirmation.known(manifest.domain);",
      "manifest.generation <= (confirmation.known(manifest.domain) ?? 0);",
    ),
  ),
  mutant(
    "answers are taken as they come",
    "an answer older than N is dropped, and known merges by maximum",
    edge("confirmation.ts", "    if (answer.asOf < Math.max(this.#number ?? 0, this.#floor)) return;\n", ""),
    edge("confirmation.ts", "Math.max(number, this.#known.get(domain) ?? 0)", "number"),
    edge(
      "confirmation.ts",
      "{ incarnation: this.#incarnation, number: this.#number };",
      "{ incarnation: this.#incarnation, number: 0 };",
    ),
  ),
  mutant(
    "the list of changes is not taken in",
    "every answer carries the list since N, folded first",
    edge(
      "confirmation.ts",
      "    for (const [domain, number] of answer.heads) this.#raise(domain, number);\n",
      "",
    ),
  ),
  mutant(
    "KV's roster confirms",
    "it is a starting point, and never a confirmation",
    edge(
      "confirmation.ts",
      "    this.#number = roster.asOf;\n",
      "    this.#number = roster.asOf;\n    this.#at = roster.heartbeat;\n",
    ),
  ),
  mutant(
    "KV's roster counts as newer than it is",
    "it carries its own number",
    edge("confirmation.ts", "    this.#number = roster.asOf;\n", "    this.#number = roster.asOf + 2;\n"),
  ),
  mutant(
    "an alias is confirmed without its target",
    "both are confirmed at one number",
    edge("decide.ts", "const isConfirmed = [own, list].every(", "const isConfirmed = [own].every("),
  ),
  mutant(
    "an alias takes the larger of two unrelated numbers",
    "a mixture of two states is no floor",
    edge(
      "decide.ts",
      "if (own === list || own.generation !== confirmation.known(own.domain)) return own.generation;",
      "",
    ),
    edge("decide.ts", "Math.min(list.generation, confirmation.known(list.domain) ?? 0)", "list.generation"),
  ),
  mutant(
    "a lapsed manifest counts",
    "it is loaded again, or an idle isolate accepts from hours ago",
    edge(
      "decide.ts",
      "const isRecent = held !== undefined && (isVouchedFor ||",
      "const isRecent = held !== undefined && (true ||",
    ),
  ),
  mutant(
    "a superseded manifest counts",
    "one that is older than what is known is loaded again",
    edge("decide.ts", "const need = Math.max(low, known ?? 0);", "const need = low;"),
  ),
  mutant(
    "the isolate goes back after an eviction",
    "what was answered from is remembered outside of what may be evicted",
    edge(
      "decide.ts",
      "const low = isolate.answeredFrom(domain, held?.manifest.incarnation ?? incarnation);",
      "const low = 0;",
    ),
  ),
  mutant(
    "an older manifest takes the place of a newer one",
    "what is held is never replaced by something older",
    edge("loading.ts", "if (held === undefined || isNewer(manifest, held)) isolate", "isolate"),
    edge("decide.ts", "if (held === undefined || number < low) {", "if (held === undefined) {"),
  ),
  mutant(
    "whoever waits for a manifest takes an old one",
    "the wait ends with one that is new enough",
    edge("loading.ts", "confirmation.known(domain)) >= need;", "confirmation.known(domain)) >= 0;"),
  ),
  mutant(
    "max_age of an unconfirmed accept",
    "it is 0",
    edge(
      "decide.ts",
      "...(isConfirmed || isExport ? agesOf(confirmation, now) : {}),",
      "...agesOf(confirmation, now),",
    ),
  ),
  mutant(
    "accepts never end",
    "they end with accept-grace",
    edge("decide.ts", "return now - evidence <= isolate.settings.acceptGrace;", "return true;"),
  ),
  mutant(
    "not served without a confirmation",
    "the set of served domains has to be fresh too",
    edge(
      "decide.ts",
      "if (!confirmation.full || !confirmation.isFresh(now)) return confirmOrDefer(query, progress, partition);",
      "if (!confirmation.full) return confirmOrDefer(query, progress, partition);",
    ),
  ),
  mutant(
    "the asker's floor is ignored",
    "an older answer is none",
    edge(
      "decide.ts",
      "  if (generation < query.floor) return seekFloor(isolate, query, progress, partition);\n",
      "",
    ),
  ),
  mutant(
    "revocations are forgotten",
    "they are numbers in the same log",
    edge("confirmation.ts", "    for (const id of answer.revoked) this.#revoked.add(id);\n", ""),
  ),
  mutant(
    "a change does not make its own isolate forget",
    "the publisher is told no old truth",
    edge(
      "confirmation.ts",
      "    this.#at = Number.NEGATIVE_INFINITY;\n    if (position.incarnation",
      "    return;\n    if (position.incarnation",
    ),
  ),
  mutant(
    "unknown domains cost a read each",
    "before a roster is there only a few do (law 7)",
    edge("decide.ts", "if (isCold && isolate.coldLoads <= 0) return", "if (false) return"),
  ),
  mutant(
    "no leases",
    "one request does each piece of work (law 7)",
    edge("isolate.ts", "if ((this.#leases.get(name) ?? 0) > now) return false;", ""),
  ),
  mutant(
    "an absent shard is pinned",
    "nulls are read with a short cacheTtl, and once more",
    edge("loading.ts", "young ? SHORT_TTL : LONG_TTL", "LONG_TTL"),
    edge(
      "loading.ts",
      "    if (fromKv === null && !young) fromKv = await readKvBlob(isolate, scope, domain, id, SHORT_TTL);\n",
      "",
    ),
  ),
  mutant(
    "shards are not proved",
    "bytes are named by their digest (law 5)",
    edge(
      "loading.ts",
      "if (!bytes || !equalBytes(isolate.ports.hashing.sha256(bytes), fromHex(id))) return null;",
      "if (!bytes) return null;",
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
    edge("scope.ts", "const AT_ONCE = 6;", "const AT_ONCE = 60;"),
  ),
];

const REGISTRY: readonly Mutant[] = [
  mutant(
    "the Registry answers from a field",
    "a replaced object may still be asked",
    registry(
      "registry.ts",
      "    return this.#answer(() => this.#question(question));",
      "    try {\n      const now = this.#answer(() => this.#question(question));\n      if (question.want === null && now.ok) this.kept = now;\n      return now;\n    } catch (error) {\n      if (this.kept === undefined) throw error;\n      return this.kept;\n    }",
    ),
  ),
  mutant(
    "number and list are read in two steps",
    "they are one synchronous read",
    registry(
      "registry.ts",
      "    return this.#answer(() => this.#question(question));",
      "    const before = this.#answer(() => this.#question(question));\n    await this.#parts.ports.timers.sleep(200);\n    const after = this.#answer(() => this.#question(question));\n    if (!before.ok || !after.ok) return before;\n    return ok({ ...before.value, asOf: after.value.asOf });",
    ),
  ),
  mutant(
    "numbers are given twice",
    "a number is allocated inside the transaction, once",
    registry(
      "commit.ts",
      '  setMeta(storage, "number", number);\n',
      '  if (number % 5 !== 0) setMeta(storage, "number", number);\n',
    ),
  ),
  mutant(
    "the precondition is skipped",
    "a commit follows the head that it was planned against",
    registry(
      "drafts.ts",
      "if (expect === present || (expect === null && head?.manifest.deletedUntil != null)) return;",
      "return;",
    ),
  ),
  mutant(
    "missing shards are not asked for",
    "a commit names only what is there",
    registry("commit.ts", "  requireShards(drafts);\n", ""),
  ),
  mutant("no guard", "law 4", registry("commit.ts", "  if (!forced) requireGuard(context, changed);\n", "")),
  mutant(
    "the guard counts totals",
    "it counts names",
    registry(
      "commit.ts",
      "    lost: incomparable ? null : lost,\n",
      "    lost: incomparable ? null : Math.max(0, acceptedCount((base?.manifest ?? head)?.counts ?? NO_COUNTS) - acceptedCount(draft.counts)),\n",
    ),
  ),
  mutant(
    "no departures",
    "a name that left is deferred for the grace",
    registry(
      "commit.ts",
      "const before = left !== null && isComparable(left, draft) ? left : null;",
      "const before = null;",
    ),
  ),
  mutant(
    "departures are not carried forward",
    "they last until they end, whatever is committed meanwhile",
    directory(
      "departing.ts",
      "const carried = stillDeferred(store, before.departures, now);",
      "const carried = [];",
    ),
  ),
  mutant(
    "departures come first",
    "they apply only where the answer would be unknown",
    directory(
      "lookup.ts",
      "      if (state >= 0) return found(",
      "      const gone = departure(manifest, holdings, digest, now);\n      if (gone !== null) return gone;\n      if (state >= 0) return found(",
    ),
  ),
  mutant(
    "a deletion is an absence",
    "it is a numbered tombstone, deferred for a day",
    registry(
      "commit.ts",
      '  const making: Making = { action: "delete", by, forced: true, note: null };\n  put(context, content, keyFor(domain, epoch), making);\n',
      '  const making: Making = { action: "delete", by, forced: true, note: null };\n  put(context, content, keyFor(domain, epoch), making);\n  context.storage.sql("DELETE FROM heads WHERE domain = ?", domain);\n',
    ),
  ),
  mutant(
    "the target of an alias may be deleted",
    "the commit refuses it",
    registry(
      "commit.ts",
      "  if (aliases.length > 0) {\n    throw failure(",
      "  if (false) {\n    throw failure(",
    ),
  ),
  mutant(
    "the manifest is put before its shards",
    "shards first",
    registry(
      "copy-to-kv.ts",
      "  const ids = notInKv(storage, domain, blobsOf(head.manifest));\n",
      "  const ids = notInKv(storage, domain, blobsOf(head.manifest));\n  if (ids.length > 0) await kv.put(manifestKey(domain), head.manifest.bytes);\n",
    ),
  ),
  mutant(
    "lost copies are not made again",
    "a reader that misses one says so",
    registry(
      "copy-to-kv.ts",
      '    "UPDATE heads SET kv_number = 0 WHERE domain = ? AND kv_number = number AND kv_time < ?",',
      '    "UPDATE heads SET kv_number = 0 WHERE domain = ? AND kv_number < number AND kv_time < ?",',
    ),
  ),
  mutant(
    "the alarm gives up",
    "it asks for the next one, whatever happens",
    registry(
      "copy-to-kv.ts",
      "  if (failures > 0) return now + Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(failures - 1, 10));\n",
      "  if (failures > 0) return Number.MAX_SAFE_INTEGER;\n",
    ),
  ),
  mutant(
    "KV is written too fast",
    "one write a second to a key",
    registry("copy-to-kv.ts", "const KEY_PAUSE = 1_100;", "const KEY_PAUSE = 100;"),
  ),
];

const BRIDGE: readonly Mutant[] = [
  mutant(
    "the bridge's window counts from the answer",
    "it counts from before the question",
    bridge("resolver.ts", "const expires = askedAt + 1000 *", "const expires = now + 1000 *"),
  ),
  mutant(
    "the bridge goes back",
    "an answer below its floor refuses nobody",
    bridge("resolver.ts", "if (isBelow(answer, floors.get(question.domain), askedAt)) {", "if (false) {"),
    edge(
      "decide.ts",
      "  if (generation < query.floor) return seekFloor(isolate, query, progress, partition);\n",
      "",
    ),
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
];

export const MUTANTS: readonly Mutant[] = [...CONFIRMATION, ...REGISTRY, ...BRIDGE];
