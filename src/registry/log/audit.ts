import type { RegistryStorage, SqlValue } from "../ports.ts";
import type { AuditLines, AuditPage } from "../protocol.ts";
import { insert } from "../storage/rows.ts";

/** Writes a line of the audit trail. */
export function writeAudit(
  storage: RegistryStorage,
  time: number,
  action: string,
  by: string,
  subject: string,
  detail: string | null,
): void {
  insert(storage, "audit", { time, action, made_by: by, subject, detail });
}

/** Lines that one page looks at, at most: a filter that finds little must not read years at once. */
const LOOKED_AT = 20_000;

/** Lines before `before`, newest first, that fit the filter. */
export function auditPage(storage: RegistryStorage, page: AuditPage): AuditLines {
  const { before, limit, filter } = page;
  const from = before ?? Number.MAX_SAFE_INTEGER;
  const conditions: string[] = [];
  const bindings: SqlValue[] = [];
  const require = (condition: string, ...values: string[]): void => {
    conditions.push(condition);
    bindings.push(...values);
  };
  if (filter.domain !== undefined) require("subject = ?", filter.domain);
  // What a token did, and what was done with it.
  if (filter.token !== undefined) require("(made_by = ? OR subject = ?)", filter.token, filter.token);
  if (filter.action !== undefined) require("action = ?", filter.action);
  const lines = storage.sql(
    `SELECT seq, time, action, made_by AS "by", subject, detail FROM
       (SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ${LOOKED_AT})
     ${conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`} ORDER BY seq DESC LIMIT ?`,
    from,
    ...bindings,
    limit,
  ) as unknown as AuditLines["lines"];
  if (lines.length === limit) return { lines, next: lines.at(-1)?.seq ?? null };
  const last = storage.sql(
    "SELECT seq FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
    from,
    LOOKED_AT - 1,
  )[0];
  return { lines, next: (last?.seq ?? null) as number | null };
}

/** Deletes lines from before a time. */
export function pruneAudit(storage: RegistryStorage, before: number): void {
  storage.sql("DELETE FROM audit WHERE time < ?", before);
}
