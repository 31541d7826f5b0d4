/** Single changes: made once and whole, guarded, with grace, and not undone by a publish that does not know of them. */
import { directory, type Mutant, mutant, registry } from "./patch.ts";

export const PATCH_MUTANTS: readonly Mutant[] = [
  mutant(
    "one of several single changes is lost",
    "all of a request happens, or nothing",
    registry(
      "patch.ts",
      "await rebuildShards(context, manifest, changes, pause)",
      "await rebuildShards(context, manifest, changes.slice(1), pause)",
    ),
  ),
  mutant(
    "a single change that is sent again is made again",
    "its key identifies it for a day",
    registry(
      "patch.ts",
      "const known = idempotency && rememberedResult(context.storage, domain, idempotency, context.now);",
      "const known = null;",
    ),
  ),
  mutant(
    "a single change goes into another shard",
    "a name is in the shard of its fingerprint's first bits",
    registry(
      "rebuild-shards.ts",
      "  for (const [index, states] of changesByShard(changes)) {",
      "  for (const [its, states] of changesByShard(changes)) {\n    const index = manifest.shards.bits > 0 ? its ^ 1 : its;",
    ),
  ),
  mutant(
    "a rebuilt shard is not kept",
    "a commit names only what the Registry has",
    registry("rebuild-shards.ts", "    records.putNextShard(domain, id, after, now);\n", ""),
  ),
  mutant(
    "single changes only add to the counts of a list",
    "the guard's share is one of the names that there are",
    registry(
      "rebuild-shards.ts",
      "    counts = recount(counts, before, after);",
      "    const next = recount(counts, before, after);\n    counts = { ...next, active: Math.max(next.active, counts.active) };",
    ),
  ),
  mutant(
    "a single removal has no grace",
    "a name that leaves is deferred for the grace, unless the change says now",
    registry("net-changes.ts", "atOnce: atOnce && state === UNLISTED", "atOnce: state === UNLISTED"),
  ),
  mutant(
    "a single removal at once has the grace",
    "now: the name is refused at once",
    registry("net-changes.ts", "atOnce: atOnce && state === UNLISTED", "atOnce: false"),
  ),
  mutant(
    "a removal at once leaves an earlier grace",
    "it ends the grace of a name that left before",
    directory("departing.ts", "    for (const tail of atOnce) carried.drop(tail);\n", ""),
  ),
  mutant(
    "the guard is not asked about single changes",
    "they are guarded as any commit",
    registry(
      "patch.ts",
      'const meta = { action: "patch", by, forced, note: describe(outcomes) } as const;',
      'const meta = { action: "patch", by, forced: true, note: describe(outcomes) } as const;',
    ),
  ),
];
