import type { Question, QuestionAnswer, Result } from "../../api/index.ts";
import { readManifest } from "../../directory/index.ts";
import { type Log, OperationLimitError, type ReaderContext } from "../../reader/index.ts";
import type { KeyRing } from "./key-ring.ts";
import type { ReplicaStore } from "./store.ts";

/** Prefixes of KV's keys, as src/directory/formats/storage-keys.ts makes them. */
const MANIFEST = /^domain\/([^/]+)$/;
const BLOB = /^shard\/([^/]+)\/([^/]+)$/;

/** A part of a domain's list that is missing or damaged: its manifest, or the blob of this id. */
export type Missing = (domain: string, blob: string | null) => void;

/**
 * What the reader's checks may use: the replica's own store and nothing else. So a check sends no request, whatever is
 * asked. What is missing is noted, and the sync loop fetches it. All checks share it.
 */
export class LocalContext implements ReaderContext {
  readonly kv: ReaderContext["kv"];
  readonly pending = new Map<string, Promise<void>>();
  /** The reader limits the time of each check itself. */
  readonly deadline = Number.POSITIVE_INFINITY;
  readonly #log: Log;

  constructor(store: ReplicaStore, keys: KeyRing, missing: Missing) {
    this.kv = {
      get: (key) => readKey(key, store, keys, missing),
      // No roster is here: the log comes from the edge alone.
      getTexts: () => Promise.resolve(new Map()),
    };
    this.#log = new NoLog(missing);
  }

  log(): Log {
    return this.#log;
  }

  background(work: Promise<unknown>): void {
    work.catch(() => undefined);
  }
}

/** The log that a check sees: it cannot be asked, and notes what is missing. */
class NoLog implements Log {
  readonly #missing: Missing;

  constructor(missing: Missing) {
    this.#missing = missing;
  }

  changes({ want }: Question): Promise<Result<QuestionAnswer>> {
    if (want !== null) this.#missing(want, null);
    return Promise.reject(new OperationLimitError());
  }

  blob(domain: string, id: string): Promise<Result<Uint8Array | null>> {
    this.#missing(domain, id);
    return Promise.reject(new OperationLimitError());
  }
}

async function readKey(
  key: string,
  store: ReplicaStore,
  keys: KeyRing,
  missing: Missing,
): Promise<Uint8Array | null> {
  const [, domain] = MANIFEST.exec(key) ?? [];
  if (domain !== undefined) return readOpenable(domain, store, keys, missing);
  const [, of, id] = BLOB.exec(key) ?? [];
  return of === undefined || id === undefined ? null : store.blob(of, id);
}

/** A domain's manifest with its key at hand; null without the key, since a manifest proves nothing without it. */
async function readOpenable(
  domain: string,
  store: ReplicaStore,
  keys: KeyRing,
  missing: Missing,
): Promise<Uint8Array | null> {
  const bytes = await store.manifest(domain);
  if (bytes === null) return null;
  try {
    const { epoch } = readManifest(bytes, domain);
    if (keys.get(domain, epoch) !== undefined) return bytes;
    const key = await store.key(domain, epoch);
    if (key !== null) {
      keys.put(key);
      return bytes;
    }
  } catch {
    // Damaged, or of another domain.
  }
  missing(domain, null);
  return null;
}
