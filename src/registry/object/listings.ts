/** Domains and histories, page by page, without reading the lists themselves. */
import type { GenerationRecord } from "../../api/index.ts";
import { OPEN_COLUMN } from "../changes/patched-names.ts";
import { DAMAGE_COLUMN, damageIn } from "../generations/damages.ts";
import { SUMMARY_COLUMNS, summaryIn } from "../generations/summaries.ts";
import { BRAKE_COLUMNS, brakeIn } from "../names/held-names.ts";
import type { RegistryStorage, SqlRow } from "../ports.ts";
import type { HeadSummary, Page } from "../protocol.ts";

/** Domains after `after` in the order of their names, tombstones included. */
export function listDomains(storage: RegistryStorage, page: Page<string>): StoredHead[] {
  const rows = storage.sql(
    `${HEADS} WHERE h.domain > ? ORDER BY h.domain LIMIT ?`,
    page.after ?? "",
    page.limit,
  );
  return rows.map(headAt);
}

/** The same for the named domains that have a head. */
export const domainsNamed = (storage: RegistryStorage, names: readonly string[]): StoredHead[] =>
  names.flatMap((name) => storage.sql(`${HEADS} WHERE h.domain = ?`, name).map(headAt));

const HEADS = `SELECT h.domain, h.number, ${SUMMARY_COLUMNS}, ${BRAKE_COLUMNS}, ${DAMAGE_COLUMN}, ${OPEN_COLUMN} FROM heads h
  LEFT JOIN summaries s ON s.domain = h.domain AND s.number = h.number
  LEFT JOIN brakes b ON b.domain = h.domain AND h.deleted IS NULL`;

/** A head, but for what is counted in memory. */
type StoredHead = Omit<HeadSummary, "would_refuse">;

function headAt(row: SqlRow): StoredHead {
  const { departures: _, ...head } = summaryIn(row.domain as string, row.number as number, row);
  const open_changes = row.open_changes as number;
  return { ...head, brake: brakeIn(row), open_changes, fault: damageIn(row) ?? head.fault };
}

/** A domain's history before generation `after`, newest first; null if it never had a head. */
export function listGenerations(
  storage: RegistryStorage,
  domain: string,
  page: Page<number>,
): GenerationRecord[] | null {
  const rows = storage.sql(
    `SELECT g.number, g.action, g.made_by, g.forced, g.note, ${SUMMARY_COLUMNS} FROM generations g
     LEFT JOIN summaries s ON s.domain = g.domain AND s.number = g.number
     WHERE g.domain = ? AND g.number < ? ORDER BY g.number DESC LIMIT ?`,
    domain,
    page.after ?? Number.MAX_SAFE_INTEGER,
    page.limit,
  );
  if (rows.length === 0 && storage.sql("SELECT 1 FROM heads WHERE domain = ?", domain).length === 0) {
    return null;
  }
  return rows.map((row) => {
    const { number, action, made_by: by, forced, note } = row;
    const { generation, time, mode, counts, departures } = summaryIn(domain, number as number, row);
    const made = { action, by, forced: forced === 1, note } as Pick<
      GenerationRecord,
      "action" | "by" | "forced" | "note"
    >;
    return { generation, time, ...made, mode, counts, departures };
  });
}
