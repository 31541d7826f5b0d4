import type { AuditRecord } from "../api/index.ts";
import type { RegistryStorage } from "./ports.ts";

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
  storage.sql(
    "INSERT INTO audit (time, action, made_by, subject, detail) VALUES (?, ?, ?, ?, ?)",
    time,
    action,
    by,
    subject,
    detail,
  );
}

/** The newest lines, newest first. */
export const readAudit = (storage: RegistryStorage): AuditRecord[] =>
  storage
    .sql("SELECT time, action, made_by, subject, detail FROM audit ORDER BY seq DESC LIMIT ?", AUDIT_LINES)
    .map((row) => ({
      time: row.time as number,
      action: row.action as string,
      by: row.made_by as string,
      subject: row.subject as string,
      detail: row.detail as string | null,
    }));
