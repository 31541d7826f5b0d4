/** The system of record: its log, its commits, and who leaves a list. */
import { directory, type Mutant, mutant, reader, registry } from "./patch.ts";

export const REGISTRY_MUTANTS: readonly Mutant[] = [
  mutant(
    "the Registry answers from a field of its object",
    "a replaced object may still be asked",
    registry(
      "object/registry.ts",
      "    return this.#answer(() => this.#question(question));",
      "    try {\n      const now = this.#answer(() => this.#question(question));\n      if (question.want === null && now.ok) this.kept = now;\n      return now;\n    } catch (error) {\n      if (this.kept === undefined) throw error;\n      return this.kept;\n    }",
    ),
  ),
  mutant(
    "number and list are read in two steps",
    "they are one synchronous read",
    registry(
      "object/registry.ts",
      "    return this.#answer(() => this.#question(question));",
      "    const before = this.#answer(() => this.#question(question));\n    await this.#options.ports.timers.sleep(200);\n    const after = this.#answer(() => this.#question(question));\n    if (!before.ok || !after.ok) return before;\n    return ok({ ...before.value, asOf: after.value.asOf });",
    ),
  ),
  mutant(
    "a number is given to two commits",
    "it is allocated once, inside the transaction",
    registry(
      "storage/meta.ts",
      '  setMeta(storage, "number", number);\n',
      '  if (number % 5 !== 0) setMeta(storage, "number", number);\n',
    ),
  ),
  mutant(
    "a commit ignores its precondition",
    "it follows the head that it was planned against",
    registry("commits/validate-commit.ts", "  if (expect === present) return;\n", "  return;\n"),
  ),
  mutant(
    "a commit may name shards that are missing",
    "it names only what was uploaded",
    registry("commits/commit.ts", "  requireShards(drafts);\n", ""),
  ),
  mutant(
    "there is no guard",
    "law 4",
    registry(
      "commits/judge-drafts.ts",
      "judgeOne(context, draft, number, isOverride)",
      "judgeOne(context, draft, number, true)",
    ),
  ),
  mutant(
    "the guard compares totals",
    "it counts names",
    registry(
      "names/guard.ts",
      "          lost: after[i]?.lost ?? 0,\n",
      "          lost: Math.max(0, list.accepted - accepted),\n",
    ),
  ),
  mutant(
    "the guard protects the head alone",
    "every list of the last day is protected",
    directory("guard/guard.ts", "lists.filter(isRefused)", "lists.slice(-1).filter(isRefused)"),
  ),
  mutant(
    "the guard forgets older lists when a name returns",
    "a name that was dropped, returned and dropped again counts for every list that had it",
    directory("guard/span-buckets.ts", "spans: [...name.spans, open]", "spans: [open]"),
  ),
  mutant(
    "there are no departures",
    "a name that left is deferred for the grace",
    registry(
      "commits/judge-drafts.ts",
      "const before = left !== null && isComparable(left, { policy, keyId: key.id }) ? left : null;",
      "const before = null;",
    ),
  ),
  mutant(
    "whom nobody can name is refused at once",
    "after such a change a domain refuses nobody for the grace",
    registry(
      "commits/commit.ts",
      "= refusesFromOf(context, { head, keyId: key.id, policy, isLost }, left);",
      "= 0;",
    ),
  ),
  mutant(
    "the list-wide grace ends with the next generation",
    "every later generation carries it",
    registry(
      "names/list-grace.ts",
      "!losesUnnamed(left, after)) return left.refusesFrom;",
      "!losesUnnamed(left, after)) return 0;",
    ),
  ),
  mutant(
    "a publish after a deletion refuses at once",
    "those whom the deleted list accepted have the grace",
    registry(
      "names/list-grace.ts",
      "if (deletedUntil !== null && deletedUntil <= now) return 0;",
      "if (deletedUntil !== null) return 0;",
    ),
  ),
  mutant(
    "an alias does not know of the grace of its target",
    "through an alias the later one holds",
    reader(
      "decide.ts",
      "Math.max(own.manifest.refusesFrom, list.manifest.refusesFrom)",
      "own.manifest.refusesFrom",
    ),
  ),
  mutant(
    "a rollback returns to a stricter mode",
    "only a person makes the mode stricter",
    registry(
      "commits/rollback.ts",
      "milderMode(manifest.mode, (records.lastList(domain)?.manifest ?? manifest).mode)",
      "manifest.mode",
    ),
  ),
  mutant(
    "departures are lost with the next commit",
    "they last until they end, whatever is committed meanwhile",
    directory(
      "names/departing.ts",
      "new Carried(yield* stillKept(store, earlier, now, keeping), earlier.bits)",
      "new Carried([], 0)",
    ),
  ),
  mutant(
    "held names are refused after their grace",
    "the brake defers them until a person decides",
    directory("names/departing.ts", 'until: brake === "hold" ? rest.fill(HELD) : rest', "until: rest"),
  ),
  mutant(
    "held names are lost with the next commit",
    "they stay held, whatever is committed meanwhile",
    directory("names/departing.ts", 'second === HELD ? brake !== "release"', "second === HELD ? false"),
  ),
  mutant(
    "the brake holds leavers whom few ask for",
    "ten distinct ones are asked for at least",
    directory("names/brake.ts", "const FEWEST = 10;", "const FEWEST = 1;"),
  ),
  mutant(
    "a list refuses by a state before the departures are asked",
    "a name that is disabled or moved is deferred for the grace",
    directory(
      "verdict/lookup.ts",
      "|| !refuses(listed.verdict))) return listed;",
      "|| true)) return listed;",
    ),
  ),
  mutant(
    "names that become disabled or moved get no grace",
    "a name that is suspended is deferred as one that leaves",
    directory("names/departing.ts", "!(isDecided || isLost(was, is))", "is >= 0 || !isLost(was, is)"),
  ),
  mutant(
    "a deletion leaves no tombstone",
    "it is a numbered tombstone, deferred for a day",
    registry(
      "commits/commit.ts",
      '  put(context, content, keyFor(domain, epoch), { action: "delete", by, forced: true, note: null });\n',
      '  put(context, content, keyFor(domain, epoch), { action: "delete", by, forced: true, note: null });\n  storage.sql("DELETE FROM heads WHERE domain = ?", domain);\n',
    ),
  ),
  mutant(
    "the target of an alias may be deleted",
    "the commit refuses it",
    registry(
      "commits/commit.ts",
      "  if (aliases.length > 0) {\n    throw failure(",
      "  if (false) {\n    throw failure(",
    ),
  ),
  mutant(
    "an empty Registry starts although KV has a roster of another one",
    "it would call every domain not served",
    registry("object/initialise.ts", "  if (foreign !== null) return", "  if (false) return"),
  ),
  mutant(
    "a partition starts without revocations",
    "it takes over what the first partition records",
    registry(
      "object/initialise.ts",
      "  if (partition === 0) return { ok: true, value: [] };",
      "  if (partition >= 0) return { ok: true, value: [] };",
    ),
    registry("object/registry.ts", "recordOlderRevocations(storage, [{ id, expires }], this.#now());", ";"),
  ),
  mutant(
    "a call with unknown members is refused",
    "isolates of the next release ask today's Registry",
    registry(
      "object/registry.ts",
      "    return this.#answer(() => this.#question(question));",
      '    if (Object.keys(question).length !== 2) throw new Error("unheard of");\n    return this.#answer(() => this.#question(question));',
    ),
  ),
];
