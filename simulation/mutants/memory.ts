/** What an isolate keeps of a list that changes, and what it reads again. */
import { type Mutant, mutant, reader } from "./patch.ts";

export const MEMORY_MUTANTS: readonly Mutant[] = [
  mutant(
    "a replaced list drops the blobs that the next one shares",
    "only what changed is read (law 7)",
    reader(
      "blob-cache.ts",
      "    this.#manifests.set(manifest.domain, entry);\n    if (before !== undefined) {",
      "    if (before !== undefined) {",
    ),
    reader(
      "blob-cache.ts",
      "      this.#evict(before);\n    }\n",
      "      this.#evict(before);\n    }\n    this.#manifests.set(manifest.domain, entry);\n",
    ),
    reader("blob-cache.ts", "blobId(manifest[kind], index)}`;", "manifest.generation}`;"),
  ),
  mutant(
    "blobs are kept by position alone",
    "a blob is kept only where its id is the same",
    reader("blob-cache.ts", "  isSameBlob,\n", ""),
    reader(
      "blob-cache.ts",
      "const BLOB_OVERHEAD = 512;\n",
      'const BLOB_OVERHEAD = 512;\nconst isSameBlob = (a: Manifest["shards"], b: Manifest["shards"]): boolean =>\n  a.bits === b.bits && a.inline === null && b.inline === null;\n',
    ),
  ),
  mutant(
    "a load for an older number counts as a load",
    "another request may have learnt of a newer head meanwhile",
    reader("check.ts", "last.incarnation === need.incarnation && last.number >= need.number", "true"),
  ),
  mutant(
    "a load that failed is repeated without end",
    "a check loads a list once for each state that it learns of (law 7)",
    reader("check.ts", "return last !== undefined && last.incarnation", "return false && last.incarnation"),
  ),
  mutant(
    "an isolate that slept defers without asking",
    "the Registry may be up, though it was not asked for long",
    reader("decide.ts", 'if (check.confirmations === 0) return { kind: "confirmation", view };', ""),
  ),
];
