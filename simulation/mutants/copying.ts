/** The copy to KV. */
import { directory, type Mutant, mutant, registry } from "./patch.ts";

export const COPYING_MUTANTS: readonly Mutant[] = [
  mutant(
    "a manifest is put before its shards",
    "shards go first",
    registry(
      "kv/copy-to-kv.ts",
      "  const ids = notInKv(storage, domain, blobsOf(head.manifest));\n",
      "  const ids = notInKv(storage, domain, blobsOf(head.manifest));\n  if (ids.length > 0) await kv.put(manifestKey(domain), head.manifest.bytes);\n",
    ),
  ),
  mutant(
    "lost copies are not put again",
    "a reader that misses one reports it",
    registry(
      "kv/missed-in-kv.ts",
      '    "UPDATE heads SET kv_number = 0 WHERE domain = ? AND kv_number = number AND kv_time < ?",',
      '    "UPDATE heads SET kv_number = 0 WHERE domain = ? AND kv_number < number AND kv_time < ?",',
    ),
  ),
  mutant(
    "the alarm stops after a failure",
    "it always asks for the next one",
    registry(
      "kv/kv-pauses.ts",
      "  return Math.max(now + KEY_PAUSE, Math.min(...due));\n",
      "  if (isAnythingFailing(storage)) return Number.MAX_SAFE_INTEGER;\n  return Math.max(now + KEY_PAUSE, Math.min(...due));\n",
    ),
  ),
  mutant(
    "a key that failed is not tried again",
    "each key has a pause of its own, a minute at most",
    registry("kv/kv-pauses.ts", "const LAST_RETRY = 60_000;", "const LAST_RETRY = Number.MAX_SAFE_INTEGER;"),
    registry(
      "kv/kv-pauses.ts",
      "FIRST_RETRY * 2 ** Math.min(failures - 1, 10)",
      "Number.MAX_SAFE_INTEGER / 2",
    ),
  ),
  mutant(
    "KV is written faster than once a second",
    "one write a second to a key",
    registry("kv/kv-pauses.ts", "const KEY_PAUSE = 1_100;", "const KEY_PAUSE = 100;"),
  ),
  mutant(
    "departures outside the manifest are not copied",
    "everything that a manifest names goes before it",
    directory("formats/manifest.ts", "  ...blobIds(departures),\n", ""),
  ),
  mutant(
    "copies of single changes are not paced",
    "a day of them takes half of the writes that KV may have",
    registry("kv/copy-to-kv.ts", "if (isPaced && isPutOff(", "if (false && isPutOff("),
  ),
  mutant(
    "copies of single changes cost nothing",
    "each write of them is taken out of the budget",
    registry(
      "kv/kv-budget.ts",
      'Math.max(getMeta(storage, "kv_paid") ?? 0, now) + interval',
      'getMeta(storage, "kv_paid") ?? 0',
    ),
  ),
  mutant(
    "a blob that is put again delays the others",
    "each blob has a time of its own",
    registry(
      "kv/missed-in-kv.ts",
      "domain = ? AND id = ? AND in_kv > 0 AND in_kv < ? AND expires = ?",
      "domain = ? AND id = ? AND in_kv > 0 AND (SELECT kv_time FROM heads WHERE heads.domain = blobs.domain) < ? AND expires = ?",
    ),
  ),
];
