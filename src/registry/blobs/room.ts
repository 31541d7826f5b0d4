/** How much a domain and a token may store, so that no publisher fills the object that all share. */
import { failure } from "../failure.ts";
import type { RegistryStorage } from "../ports.ts";
import { replace } from "../storage/rows.ts";

const MB = 1_000_000;
const GB = 1_000 * MB;
/** How long an uploaded shard is kept that no commit names. */
export const UPLOAD_LIFE = 86_400_000;
/** Uploads that no commit names: of a domain, besides twice the size of its list, and of a token. */
const MOST_UPLOADS = 128 * MB;
const MOST_UPLOADS_OF_TOKEN = 512 * MB;
/** What a domain may have in all, and from where on its history is thinned. */
const MOST_KEPT = 2 * GB;
export const THINNED_FROM = GB;
/** An object holds 10 GB. From here on, only small domains may add something. */
const NEARLY_FULL = 9 * GB;
const MOST_KEPT_THEN = 64 * MB;
/** How long the measured size of a domain counts, milliseconds. */
const MEASURED_FOR = 60_000;
/** Octets of an entry, and of a shard without entries, at most. */
const ENTRY = 6;
const SHARD = 1_024;

/** One domain's part of the storage, octets. */
export interface Usage {
  readonly domain: string;
  /** Lists and history. */
  readonly kept: number;
  readonly kept_most: number;
  /** Shards that no commit names. */
  readonly uploads: number;
  readonly uploads_most: number;
}

/**
 * Notes an upload that a commit may name. Shards that are known already take no room.
 * @throws RegistryFailure `storage_full`
 */
export function noteUpload(
  storage: RegistryStorage,
  {
    domain,
    id,
    by,
    size,
  }: { readonly domain: string; readonly id: string; readonly by: string; readonly size: number },
  now: number,
): void {
  const expires = now + UPLOAD_LIFE;
  if (storage.sql("SELECT 1 FROM blobs WHERE domain = ? AND id = ?", domain, id).length > 0) {
    storage.sql("UPDATE uploads SET expires = ? WHERE domain = ? AND id = ?", expires, domain, id);
    return;
  }
  requireRoom(storage, domain, now);
  const ofDomain = uploadsOf(storage, "domain", domain, now);
  const most = mostUploads(storage, domain);
  if (ofDomain + size > most) throw full(domain, `its uploads that no commit names`, ofDomain, most);
  const ofToken = by === "admin" ? 0 : uploadsOf(storage, "made_by", by, now);
  if (ofToken + size > MOST_UPLOADS_OF_TOKEN) {
    throw full(domain, "uploads of this token that no commit names", ofToken, MOST_UPLOADS_OF_TOKEN);
  }
  replace(storage, "uploads", { domain, id, made_by: by, bytes: size, expires });
}

/** A commit names these shards, which are no longer uploads. */
export function uploadsAreNamed(storage: RegistryStorage, domain: string, ids: string): void {
  storage.sql("DELETE FROM uploads WHERE domain = ? AND id IN (SELECT value FROM json_each(?))", domain, ids);
}

/** Forgets uploads whose shards are deleted. */
export function pruneUploads(storage: RegistryStorage, now: number): void {
  storage.sql("DELETE FROM uploads WHERE expires < ?", now);
}

/** The domain is gone. */
export function forgetUsage(storage: RegistryStorage, domain: string): void {
  storage.sql("DELETE FROM usage WHERE domain = ?", domain);
}

/** @throws RegistryFailure `storage_full` if a domain may not have another generation or upload */
export function requireRoom(storage: RegistryStorage, domain: string, now: number): void {
  const kept = keptBy(storage, domain, now);
  const most = mostKept(storage);
  if (kept <= most) return;
  if (most === MOST_KEPT) throw full(domain, "its lists and their history", kept, most);
  const message = `the Registry is nearly full, so ${domain}, which has ${inMb(kept)}, may add nothing: move domains to another deployment, or set fewer ROLLCALL_HISTORY_DAYS`;
  throw failure("storage_full", message, { domain });
}

/** What the domains have that use more than half of what they may. */
export function largeUsage(storage: RegistryStorage, now: number): Usage[] {
  const domains = storage.sql(
    `SELECT domain FROM usage WHERE bytes > ? UNION SELECT domain FROM uploads GROUP BY domain HAVING sum(bytes) > ? ORDER BY 1`,
    mostKept(storage) / 2,
    MOST_UPLOADS / 2,
  ) as { domain: string }[];
  return domains.map(({ domain }) => ({
    domain,
    kept: keptBy(storage, domain, now),
    kept_most: mostKept(storage),
    uploads: uploadsOf(storage, "domain", domain, now),
    uploads_most: mostUploads(storage, domain),
  }));
}

const mostKept = (storage: RegistryStorage): number =>
  (storage.size?.() ?? 0) >= NEARLY_FULL ? MOST_KEPT_THEN : MOST_KEPT;

/** Octets of a domain's blobs and manifests, measured within the last minute. */
function keptBy(storage: RegistryStorage, domain: string, now: number): number {
  const known = storage.sql(
    "SELECT bytes FROM usage WHERE domain = ? AND measured > ? AND measured <= ?",
    domain,
    now - MEASURED_FOR,
    now,
  )[0];
  if (known !== undefined) return known.bytes as number;
  const measured = storage.sql(
    `SELECT (SELECT coalesce(sum(length(bytes)), 0) FROM blobs WHERE domain = ?) +
       (SELECT coalesce(sum(length(manifest)), 0) FROM generations WHERE domain = ?) AS bytes`,
    domain,
    domain,
  )[0]?.bytes as number;
  replace(storage, "usage", { domain, bytes: measured, measured: now });
  return measured;
}

function uploadsOf(storage: RegistryStorage, by: "domain" | "made_by", value: string, now: number): number {
  const sum = storage.sql(
    `SELECT coalesce(sum(bytes), 0) AS sum FROM uploads WHERE ${by} = ? AND expires > ?`,
    value,
    now,
  );
  return sum[0]?.sum as number;
}

/** A list that is published again under another key is uploaded as a whole, perhaps twice. */
function mostUploads(storage: RegistryStorage, domain: string): number {
  const head = storage.sql(
    `SELECT s.active + s.disabled + s."full" + s.moved AS entries, s.bits FROM heads h
       JOIN summaries s ON s.domain = h.domain AND s.number = h.number WHERE h.domain = ?`,
    domain,
  )[0];
  if (head === undefined) return MOST_UPLOADS;
  return MOST_UPLOADS + 2 * (ENTRY * (head.entries as number) + SHARD * 2 ** (head.bits as number));
}

function full(domain: string, what: string, has: number, most: number) {
  const steps = what.includes("uploads")
    ? "commit them, or wait: each is deleted a day after its upload"
    : "publish less often, or wait: single changes of the last hour and what ROLLCALL_HISTORY_DAYS keeps go with time";
  const message = `${domain}: ${what} have ${inMb(has)}, and may have ${inMb(most)}: ${steps}`;
  return failure("storage_full", message, { domain });
}

const inMb = (octets: number): string => `${Math.round(octets / MB)} MB`;
