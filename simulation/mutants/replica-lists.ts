/** The lists of a replica: what it keeps on disk, in which order, and what it fetches again. */
import { bridge, type Mutant, mutant } from "./patch.ts";

const STORE = "replica/store.ts";
const SYNC = "replica/sync-domain.ts";
const OUTAGE = "replica/outage.ts";

export const REPLICA_LIST_MUTANTS: readonly Mutant[] = [
  mutant(
    "the parts of a list are not flushed before its manifest",
    "a manifest whose parts were lost with the power would take the place of a complete one",
    bridge(STORE, "await this.#flush(`blobs/$", "await (`blobs/$"),
  ),
  mutant(
    "the name of a file is not flushed",
    "a list that was said to be complete is there after a power failure",
    bridge(STORE, "    await this.#flush(folderOf(path));\n", ""),
  ),
  mutant(
    "a part that a check misses is not noted",
    "it is fetched again",
    bridge("replica/local-context.ts", "    this.#missing(domain, id);\n", ""),
  ),
  mutant(
    "a domain has one key, whatever the epoch",
    "keys are kept by their epoch",
    bridge(
      "replica/key-ring.ts",
      "return this.#keys.get(domain)?.get(epoch);",
      "return [...(this.#keys.get(domain)?.values() ?? [])][0];",
    ),
  ),
  mutant(
    "a key is not stored",
    "a manifest proves nothing without it",
    bridge(SYNC, "  if (stored?.id !== key.id) await store.putKey(key);\n", ""),
  ),
  mutant(
    "the log is not stored",
    "after a start the lists that it names answer",
    bridge(
      "replica/replica.ts",
      "    await store.putLog(partition, { ...position, heads: host.heads(partition), ...outage });\n",
      "",
    ),
  ),
  mutant(
    "a list whose domain is gone stays on the disk",
    "the folder has what the token covers and no more",
    bridge(
      "replica/replica.ts",
      "if (!this.#outage.isHere(host, domain)) await this.#syncs.remove(domain);",
      ";",
    ),
  ),
  mutant(
    "a new log ends what the one before listed",
    "a domain that a new log does not list is accepted for accept-grace",
    bridge(
      OUTAGE,
      "      if (isNewLog) this.lists.noteEarlier(domain, before?.contact as number);\n      else if",
      "      if (isNewLog) continue;\n      if",
    ),
  ),
  mutant(
    "accepts of an earlier log never end",
    "they end with accept-grace",
    bridge(
      "replica/kept-lists.ts",
      "return contact !== undefined && this.#silence(contact) < this.#acceptGrace;",
      "return contact !== undefined;",
    ),
  ),
  mutant(
    "accepts of an earlier log count from the first contact with the new one",
    "they count from the last contact with a log that listed the domain",
    bridge(
      OUTAGE,
      "this.lists.noteEarlier(domain, before?.contact as number);",
      "this.lists.noteEarlier(domain, askedAt);",
    ),
  ),
];
