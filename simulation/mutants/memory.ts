/** What an isolate keeps of a list that changes, and what it reads anew. */
import { type Mutant, mutant, reader } from "./patch.ts";

export const MEMORY_MUTANTS: readonly Mutant[] = [
  mutant(
    "a list that is replaced takes along what the next one shares",
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
    "parts of a list are handed on by their place alone",
    "the id says whether it is the same part",
    reader("blob-cache.ts", " && blobId(a, index) === blobId(b, index)", ""),
  ),
  mutant(
    "a list that was loaded for less counts as loaded",
    "another request may have learnt of a newer one meanwhile",
    reader("check.ts", "last.incarnation === need.incarnation && last.number >= need.number", "true"),
  ),
  mutant(
    "what was loaded in vain is loaded again and again",
    "a check loads a list once for each state that it learns of (law 7)",
    reader("check.ts", "return last !== undefined && last.incarnation", "return false && last.incarnation"),
  ),
  mutant(
    "a sleeper does not ask before it defers",
    "the Registry may be well, though nobody asked it for long",
    reader("decide.ts", 'if (check.confirmations === 0) return { kind: "confirmation", view };', ""),
  ),
];
