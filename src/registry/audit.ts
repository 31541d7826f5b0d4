import type { AuditRecord } from "../api/index.ts";
import type { RegistryStorage } from "./ports.ts";
import { insert } from "./rows.ts";

/** Lines of the audit trail in one answer. */
const AUDIT_LINES = 500;

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

/** The newest lines, newest first. */
export const readAudit = (storage: RegistryStorage): AuditRecord[] =>
  storage.sql(
    `SELECT time, action, made_by AS "by", subject, detail FROM audit ORDER BY seq DESC LIMIT ?`,
    AUDIT_LINES,
  ) as unknown as AuditRecord[];
