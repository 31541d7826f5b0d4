/** Single changes: made once and whole, guarded, with grace, and not undone by a publish that does not know of them. */
import { directory, type Mutant, mutant, publish, registry } from "./patch.ts";

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
      "  for (const { shard, tail, state } of changes) {",
      "  for (const { shard: its, tail, state } of changes) {\n    const shard = manifest.shards.bits > 0 ? its ^ 1 : its;",
    ),
  ),
  mutant(
    "a rebuilt shard is not kept",
    "a commit names only what the Registry has",
    registry("rebuild-shards.ts", "    records.putShard(domain, id, after, now);\n", ""),
  ),
  mutant(
    "single changes only add to the counts of a list",
    "the guard's share is one of the names that there are",
    registry("rebuild-shards.ts", "    addCounts(counts, before, -1);\n", ""),
  ),
  mutant(
    "a single removal has no grace",
    "a name that leaves is deferred for the grace, unless the change says now",
    registry("patch.ts", "atOnce: atOnce && state === UNLISTED", "atOnce: state === UNLISTED"),
  ),
  mutant(
    "a single removal at once has the grace",
    "now: the name is refused at once",
    registry("patch.ts", "atOnce: atOnce && state === UNLISTED", "atOnce: false"),
  ),
  mutant(
    "a removal at once leaves an earlier grace",
    "it ends the grace of a name that left before",
    directory("departing.ts", "    for (const tail of atOnce) carried.drop(tail);\n", ""),
  ),
  mutant(
    "a grace alone is not ended",
    "to end a grace is a change, though the list stays",
    registry(
      "patch.ts",
      "const isChanged = changes.length > 0 || ended.some((name) => isDeferred(now, manifest, name));",
      "const isChanged = changes.length > 0;",
    ),
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
  mutant(
    "a single change that overrides the guard takes others with it",
    "it is committed alone",
    registry("patch-queue.ts", "        !each.patch.force &&\n        !first.patch.force &&\n", ""),
  ),
  mutant(
    "single changes get no number of their own",
    "every change of a list is a generation",
    registry(
      "commit.ts",
      "  const number = nextNumber(context.storage);\n  requireGuard(",
      '  const number =\n    meta.action === "patch" ? (getMeta(context.storage, "number") ?? 0) : nextNumber(context.storage);\n  requireGuard(',
    ),
  ),
  mutant(
    "a single change is acknowledged under the generation before it",
    "the answer names the generation that has it",
    registry(
      "patch.ts",
      "const generation = isChanged ? commitDrafts(now, [draft], meta) : head.number;",
      "if (isChanged) commitDrafts(now, [draft], meta);\n        const generation = head.number;",
    ),
  ),
  mutant(
    "single changes are made under another key than the list's",
    "the Registry compares key, policy and canonicaliser with the head",
    registry("patch.ts", "      requireSpelling(base, patch);\n", ""),
  ),
  mutant(
    "a publisher does not hear of single changes",
    "the Registry notes each name until a publish settles it",
    registry("patch.ts", "        notePatches(now.storage, domain, generation, changes);\n", ""),
  ),
  mutant(
    "a list is published without the single changes that it keeps",
    "they are put into its shards",
    publish("patched.ts", "packed: isKept ? withNames(packed, hashing, unknown) : packed,", "packed,"),
  ),
  mutant(
    "a publish that plans again forgets newer single changes",
    "it plans against the present head and its single changes",
    publish(
      "rebase.ts",
      "await planDomain({ ...plan, packed: plan.listed }, base)",
      "await planDomain({ ...plan, packed: plan.listed }, { ...base, patched: plan.base?.patched ?? null })",
    ),
  ),
  mutant(
    "single changes that were kept are forgotten",
    "they are asked about again until a list has them",
    registry(
      "patched-names.ts",
      "const listed = stays.get(toHex(fingerprint)) ?? state;",
      "const listed = state;",
    ),
  ),
  mutant(
    "a kept name counts as it was published before",
    "the publish that keeps it says what its own list has",
    registry(
      "patched-names.ts",
      '"UPDATE patched_names SET was = ?',
      '"UPDATE patched_names SET was = was + 0 * ?',
    ),
  ),
];
