/** Single changes: made once and whole, guarded, with grace, and not undone by a publish that does not know of them. */
import { directory, type Mutant, mutant, publish, registry } from "./patch.ts";

export const PATCH_MUTANTS: readonly Mutant[] = [
  mutant(
    "one of several single changes is lost",
    "all of a request happens, or nothing",
    registry(
      "commits/patch.ts",
      "rebuildShards(context, manifest, changes)",
      "rebuildShards(context, manifest, changes.slice(1))",
    ),
  ),
  mutant(
    "a single change that is sent again is made again",
    "its key identifies it for a day",
    registry(
      "commits/patch.ts",
      "const known = idempotency && rememberedResult(context.storage, domain, idempotency, context.now);",
      "const known = null;",
    ),
  ),
  mutant(
    "a single change goes into another shard",
    "a name is in the shard of its fingerprint's first bits",
    registry(
      "changes/rebuild-shards.ts",
      "  for (const [index, states] of changesByShard(changes)) {",
      "  for (const [its, states] of changesByShard(changes)) {\n    const index = manifest.shards.bits > 0 ? its ^ 1 : its;",
    ),
  ),
  mutant(
    "a rebuilt shard is not kept",
    "a commit names only what the Registry has",
    registry("changes/rebuild-shards.ts", "    records.blobs.putNextShard(domain, id, after, now);\n", ""),
  ),
  mutant(
    "single changes only add to the counts of a list",
    "the guard's share is one of the names that there are",
    registry(
      "changes/rebuild-shards.ts",
      "    counts = recount(counts, before, after);",
      "    const next = recount(counts, before, after);\n    counts = { ...next, active: Math.max(next.active, counts.active) };",
    ),
  ),
  mutant(
    "a single removal has no grace",
    "a name that leaves is deferred for the grace, unless the change says now",
    registry(
      "changes/net-changes.ts",
      "(atOnce || present?.atOnce === true)",
      "(atOnce || state === UNLISTED)",
    ),
  ),
  mutant(
    "a single removal at once has the grace",
    "now: the name is refused at once",
    registry("changes/net-changes.ts", "atOnce: isAtOnce", "atOnce: false"),
  ),
  mutant(
    "a removal at once leaves an earlier grace",
    "it ends the grace of a name that left before",
    directory("names/departing.ts", "    for (const tail of atOnce) carried.drop(tail);\n", ""),
  ),
  mutant(
    "the guard is not asked about single changes",
    "they are guarded as any commit",
    registry(
      "commits/patch.ts",
      'const meta = { action: "patch", by, forced, note: describe(outcomes) } as const;',
      'const meta = { action: "patch", by, forced: true, note: describe(outcomes) } as const;',
    ),
  ),
  mutant(
    "a removal at once of a name that had left changes nothing",
    "it ends the grace of a name that left before",
    registry("commits/patch.ts", "ended.some((name) => isDeferred(now, manifest, name))", "false"),
  ),
  mutant(
    "a result is remembered without its number",
    "a change that is sent again has the answer of the first try",
    registry(
      "commits/patch.ts",
      "rememberResult(storage, idempotency, result, now);",
      "rememberResult(storage, idempotency, outcome.value, now);",
    ),
  ),
  mutant(
    "changes of one name in a batch count from the head",
    "each is made on top of those before it",
    registry("changes/net-changes.ts", "const from = present?.state ?? was;", "const from = was;"),
  ),
  mutant(
    "what single changes did is not noted",
    "a publish that does not know of them keeps them, or says what it drops",
    registry("commits/patch.ts", "        notePatches(now.storage, manifest, generation, net.all);\n", ""),
  ),
  mutant(
    "a name that is again as it was published stays noted",
    "nothing is left of its single changes to keep",
    registry("changes/patched-names.ts", "if (next.was !== state || isRemoval) open(", "if (true) open("),
  ),
  mutant(
    "a publish settles what it keeps",
    "a single change that is kept stays one",
    registry("changes/patched-names.ts", "stays.get(toHex(row.fingerprint)) ?? row.state;", "row.state;"),
  ),
  mutant(
    "a publish settles nothing",
    "a list that knows of single changes settles them",
    registry("changes/patched-names.ts", "    if (listed === row.state) close(", "    if (false) close("),
  ),
  mutant(
    "a name that is kept was as at the publish before",
    "it was as the publisher of this list says",
    registry("changes/patched-names.ts", "{ ...row, was: listed, number }", "{ ...row, number }"),
  ),
  mutant(
    "a publish keeps additions, and no removals",
    "it keeps all that single changes did",
    publish(
      "patched.ts",
      "    if (listed === name.state) continue;\n",
      "    if (listed === name.state || name.state === UNLISTED) continue;\n",
    ),
  ),
  mutant(
    "a rollback lets in who was removed at once since",
    "it removes again whom no list has settled, and whom no list has hired since",
    registry(
      "commits/rollback.ts",
      'const again = patched === "drop" || policy.alias !== null ? [] : fitting;',
      "const again: typeof fitting = [];",
    ),
  ),
  mutant(
    "a deletion ends removals at once",
    "they hold against the next list",
    registry("changes/patched-names.ts", "    if (row.atOnce !== null) continue;\n", ""),
  ),
  mutant(
    "a publish after a deletion cannot keep removals",
    "it keeps whom nobody hired again",
    publish(
      "plan.ts",
      "comparable: base !== null && comparable(base, { policy, keyId: key.id }),",
      "comparable: live !== null && comparable(live, { policy, keyId: key.id }),",
    ),
    publish("patched.ts", "(kept.length > 0 && !comparable)", "false"),
  ),
  mutant(
    "rollcall.toml drops removals at once",
    "only a person's word for one publish does",
    publish("patched.ts", "(isStanding && atOnce && isAcceptedState(listed))", "false"),
  ),
];
