import type { RegistryStorage, SqlValue } from "../ports.ts";
import type { Revocation, StoredToken, TokenPage } from "../protocol.ts";
import { nextNumber, setMeta } from "../storage/meta.ts";
import { insert } from "../storage/rows.ts";
import { writeAudit } from "./audit.ts";

/** Records an issued token for the list; never the token itself. */
export function recordToken(storage: RegistryStorage, token: StoredToken, by: string, now: number): void {
  const { id, role, expires, created, note, key_id } = token;
  const domains = token.domains === null ? null : JSON.stringify(token.domains);
  insert(storage, "tokens", { id, role, domains, expires, created, note, key_id });
  writeAudit(storage, now, "token create", by, id, `${role} ${domains ?? "all domains"}`);
}

/** Issued tokens, oldest first. @param page all of them, if it is left out */
export function listTokens(storage: RegistryStorage, page?: TokenPage): StoredToken[] {
  const { after, limit, domain, id } = page ?? { after: null, limit: -1 };
  const conditions = ["(t.created, t.id) > (?, ?)"];
  const bindings: SqlValue[] = [...(after ?? [-1, ""])];
  if (id !== undefined) {
    conditions.push("t.id = ?");
    bindings.push(id);
  }
  if (domain !== undefined) {
    const named = "EXISTS (SELECT 1 FROM json_each(t.domains) WHERE value = ?)";
    conditions.push(`(t.domains IS NULL OR iif(json_valid(t.domains), ${named}, 0))`);
    bindings.push(domain);
  }
  const rows = storage.sql(
    `SELECT t.id, t.role, t.domains, t.expires, t.created, r.time AS revoked, t.note, t.key_id
     FROM tokens t LEFT JOIN revocations r ON r.id = t.id
     WHERE ${conditions.join(" AND ")} ORDER BY t.created, t.id LIMIT ?`,
    ...bindings,
    limit,
  );
  return rows.map((row) => ({
    ...(row as unknown as StoredToken),
    domains: row.domains === null ? null : domainsIn(row.domains as string),
  }));
}

const tokenOf = (storage: RegistryStorage, id: string): StoredToken | undefined =>
  listTokens(storage, { after: null, limit: 1, id })[0];

/** A damaged row spoils its own line only: none of its domains is shown. The token itself says what it covers. */
function domainsIn(text: string): string[] {
  try {
    return JSON.parse(text) as string[];
  } catch {
    return [];
  }
}

/**
 * Revokes a token under a number of the log, so that every isolate learns of it with its next confirmation.
 * @param expires when the token expires, for a partition that did not issue it
 * @returns the token, null if it was not issued here
 */
export function revokeToken(
  storage: RegistryStorage,
  id: string,
  expires: number | null,
  by: string,
  now: number,
): StoredToken | null {
  if (!isRevoked(storage, id)) {
    const until = tokenOf(storage, id)?.expires ?? expires;
    const number = nextNumber(storage);
    setMeta(storage, "roster_due", number);
    insert(storage, "revocations", { id, number, time: now, expires: until });
    writeAudit(storage, now, "token revoke", by, id, null);
  }
  return tokenOf(storage, id) ?? null;
}

/** Revocations as another partition copies them. */
export const listRevocations = (storage: RegistryStorage): Revocation[] =>
  storage.sql("SELECT id, expires FROM revocations ORDER BY id") as unknown as Revocation[];

/** Records revocations that are older than the log, under number 0. */
export function recordOlderRevocations(
  storage: RegistryStorage,
  revocations: readonly Revocation[],
  now: number,
): void {
  for (const { id, expires } of revocations) {
    insert(storage, "revocations", { id, number: 0, time: now, expires }, "ON CONFLICT DO NOTHING");
  }
}

/** Revokes what is not revoked yet. */
export function revokeAll(
  storage: RegistryStorage,
  revocations: readonly Revocation[],
  by: string,
  now: number,
): void {
  for (const { id, expires } of revocations) revokeToken(storage, id, expires, by, now);
}

export const isRevoked = (storage: RegistryStorage, id: string): boolean =>
  storage.sql("SELECT id FROM revocations WHERE id = ?", id).length > 0;

/** Forgets tokens and revocations that expired before a time. */
export function pruneTokens(storage: RegistryStorage, before: number): void {
  storage.sql("DELETE FROM revocations WHERE expires < ?", before);
  storage.sql("DELETE FROM tokens WHERE expires < ?", before);
}
