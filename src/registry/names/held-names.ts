/** Names that the brake holds: how many each domain has, and what a commit must not do to them. */
import type { DomainSummary } from "../../api/index.ts";
import { badRequest } from "../failure.ts";
import type { RegistryStorage, SqlRow } from "../ports.ts";
import { insert } from "../storage/rows.ts";

/** Why the brake holds names of a domain. */
export type Brake = NonNullable<DomainSummary["brake"]>;

/** Notes that the brake took hold; a brake that held already began earlier. */
export function noteBrake(
  storage: RegistryStorage,
  domain: string,
  { since, left, asked }: Omit<Brake, "held">,
): void {
  storage.sql("UPDATE brakes SET gone = ?, asked = ? WHERE domain = ?", left, asked, domain);
  storage.sql("UPDATE brakes SET since = ? WHERE domain = ? AND since = 0", since, domain);
}

/** Notes how many names of a domain's new head are held. */
export function noteHeld(storage: RegistryStorage, domain: string, held: number): void {
  if (held === 0) storage.sql("DELETE FROM brakes WHERE domain = ?", domain);
  else {
    const row = { domain, held, since: 0, gone: 0, asked: 0 };
    insert(storage, "brakes", row, "ON CONFLICT DO UPDATE SET held = excluded.held");
  }
}

/** The columns of a brake in a query that names the table `b`; {@link brakeIn} reads them. */
export const BRAKE_COLUMNS = "b.held, b.since, b.gone, b.asked";

/** @returns null if no name is held */
export const brakeIn = ({ held, since, gone, asked }: SqlRow): Brake | null =>
  typeof held === "number" ? ({ held, since, left: gone, asked } as Brake) : null;

export function brakeOf(storage: RegistryStorage, domain: string): Brake | null {
  const row = storage.sql(`SELECT ${BRAKE_COLUMNS} FROM brakes b WHERE domain = ?`, domain)[0];
  return row === undefined ? null : brakeIn(row);
}

/**
 * Refuses a generation in which held names would be refused: one whose names cannot be compared with theirs, or an alias.
 * An override does not help: only a person says that they left.
 * @throws RegistryFailure `bad_request`
 */
export function requireNoneHeld(storage: RegistryStorage, domain: string): void {
  const held = brakeOf(storage, domain)?.held ?? 0;
  if (held === 0) return;
  throw badRequest(
    domain,
    `the brake holds ${held} names that left, and a list under another key or spelling, or an alias, cannot keep them: restore an older list with \`rollcall rollback ${domain}\`, or say that they left with \`rollcall brake ${domain} --release\``,
  );
}
