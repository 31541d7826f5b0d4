/** How long blobs live that the head does not name. */
import { blobKey } from "../../directory/index.ts";
import { deleteKey } from "../kv/keys.ts";
import type { RegistryStorage } from "../ports.ts";
import { NEVER } from "../storage/never.ts";

/** Rows of one run: each has a large blob, which SQLite reads and writes as a whole. */
const ROWS = 200;
/** Blobs of a batch of single changes are kept as left until it is committed. None takes that long. */
const PAUSE = 60_000;

/**
 * Notes in the rows of blobs that the head no longer names them: when they expire, and which generations named them. The
 * commit left that to the alarm, since it takes long for a large list.
 * @param namedByHead ids of the blobs that a head names
 * @param history milliseconds that they are kept
 * @returns whether there may be more than one run settles
 */
export function settleLeft(
  storage: RegistryStorage,
  namedByHead: (domain: string) => string[],
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
    if (!named.has(domain)) named.set(domain, new Set(namedByHead(domain)));
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

/** Lets the blobs of a domain expire that neither its head nor a generation of its history names. */
export function freeBlobs(storage: RegistryStorage, domain: string, expires: number): void {
  const ended = storage.sql(
    `DELETE FROM blob_spans WHERE domain = ? AND NOT EXISTS (
       SELECT 1 FROM generations g
       WHERE g.domain = blob_spans.domain AND g.number >= blob_spans.first AND g.number < blob_spans."end")
     RETURNING id`,
    domain,
  );
  for (const { id } of ended) {
    storage.sql(
      `UPDATE blobs SET expires = min(expires, ?) WHERE domain = ? AND id = ? AND expires < ?
         AND NOT EXISTS (SELECT 1 FROM blob_spans s WHERE s.domain = blobs.domain AND s.id = blobs.id)`,
      expires,
      domain,
      id as string,
      NEVER,
    );
  }
}

/** Deletes blobs that have expired, in KV too. @param most rows of one run @returns whether there may be more */
export function deleteExpired(storage: RegistryStorage, now: number, most: number): boolean {
  const expired = storage.sql("SELECT domain, id, in_kv FROM blobs WHERE expires < ? LIMIT ?", now, most);
  for (const row of expired) {
    const domain = row.domain as string;
    const id = row.id as string;
    storage.sql("DELETE FROM blobs WHERE domain = ? AND id = ?", domain, id);
    storage.sql("DELETE FROM blob_spans WHERE domain = ? AND id = ?", domain, id);
    if (row.in_kv !== 0) deleteKey(storage, blobKey(domain, id));
  }
  return expired.length === most;
}
