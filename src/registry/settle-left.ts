import type { RegistryStorage } from "./ports.ts";
import type { Records } from "./records.ts";

/** Rows of one run: each has a large blob, which SQLite reads and writes as a whole. */
const ROWS = 200;
/** Blobs of a batch of single changes are kept as left until it is committed. None takes that long. */
const PAUSE = 60_000;

/**
 * Notes in the rows of blobs that the head no longer names them: when they expire, and which generations named them. The
 * commit left that to the alarm, since it takes long for a large list.
 * @param history milliseconds that they are kept
 * @returns whether there may be more than one run settles
 */
export function settleLeft(
  storage: RegistryStorage,
  records: Records,
  now: number,
  history: number,
): boolean {
  const left = storage.sql(
    "SELECT domain, id, number, since FROM left_blobs WHERE since <= ? LIMIT ?",
    now - PAUSE,
    ROWS,
  ) as { domain: string; id: string; number: number; since: number }[];
  const named = new Map<string, ReadonlySet<string>>();
  for (const { domain, id, number, since } of left) {
    if (!named.has(domain)) named.set(domain, new Set(records.namedByHead(domain)));
    // A blob of the head must never expire.
    if (!named.get(domain)?.has(id)) settle(storage, domain, id, number, since + history);
    storage.sql("DELETE FROM left_blobs WHERE domain = ? AND id = ?", domain, id);
  }
  return left.length === ROWS;
}

function settle(storage: RegistryStorage, domain: string, id: string, number: number, expires: number): void {
  storage.sql(
    `INSERT OR IGNORE INTO blob_spans SELECT domain, id, abs(named_from), ? FROM blobs
       WHERE domain = ? AND id = ? AND abs(named_from) < ?`,
    number,
    domain,
    id,
    number,
  );
  // Negative: the head does not name it any more, and its span is known.
  storage.sql(
    "UPDATE blobs SET expires = ?, named_from = -abs(named_from) WHERE domain = ? AND id = ?",
    expires,
    domain,
    id,
  );
}
