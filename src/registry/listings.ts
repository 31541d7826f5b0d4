/** Domains and histories, page by page, without reading the lists themselves. */
import type { GenerationRecord } from "../api/index.ts";
import type { RegistryStorage, SqlRow } from "./ports.ts";
import type { HeadSummary, Page } from "./protocol.ts";
import { readSummary, SUMMARY_COLUMNS, summaryIn } from "./summaries.ts";

/** Domains after `after` in the order of their names, tombstones included. */
export function listDomains(storage: RegistryStorage, page: Page<string>): HeadSummary[] {
  const rows = storage.sql(
    `${HEADS} WHERE h.domain > ? ORDER BY h.domain LIMIT ?`,
    page.after ?? "",
    page.limit,
  );
  return rows.map((row) => summaryAt(storage, row));
}

/** The same for the named domains that have a head. */
export const domainsNamed = (storage: RegistryStorage, names: readonly string[]): HeadSummary[] =>
  names.flatMap((name) =>
    storage.sql(`${HEADS} WHERE h.domain = ?`, name).map((row) => summaryAt(storage, row)),
  );

const HEADS = `SELECT h.domain, h.number, ${SUMMARY_COLUMNS} FROM heads h
  LEFT JOIN summaries s ON s.domain = h.domain AND s.number = h.number`;

function summaryAt(storage: RegistryStorage, row: SqlRow): HeadSummary {
  const domain = row.domain as string;
  const generation = row.number as number;
  const summary = summaryIn(row) ?? readSummary(storage, domain, generation);
  const { time, mode, counts, alias, deletedUntil, epoch, keyId } = summary;
  return { domain, generation, time, mode, counts, alias, deleted_until: deletedUntil, epoch, key_id: keyId };
}

/** A domain's history before generation `after`, newest first; null where it never had a head. */
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
    const generation = row.number as number;
    const { time, mode, counts, departures } = summaryIn(row) ?? readSummary(storage, domain, generation);
    return {
      generation,
      time,
      action: row.action as GenerationRecord["action"],
      by: row.made_by as string,
      forced: row.forced === 1,
      note: row.note as string | null,
      mode,
      counts,
      departures,
    };
  });
}
