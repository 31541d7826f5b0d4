/** What was found damaged of domains: shown with their heads, in the log and in the counts of faults, until it is put right. */
import type { FaultKind } from "../../api/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import { markDamaged } from "../blobs/blobs.ts";
import type { Damage } from "../failure.ts";
import type { RegistryPorts, RegistryStorage, SqlRow } from "../ports.ts";

/** One line an hour for each domain. */
const LOG_PAUSE = 3_600_000;

/** What noting damage takes. */
export interface DamageContext {
  readonly storage: RegistryStorage;
  readonly ports: Pick<RegistryPorts, "clock" | "log">;
  /** Where it is counted. */
  readonly counters?: { add(counts: readonly [string, "fault", FaultKind, number][]): void } | undefined;
}

/**
 * Notes what is damaged. Call it outside of a transaction, which would be rolled back with what met the damage.
 * Throws nothing: who met the damage gets its error.
 */
export function noteDamage({ storage, ports, counters }: DamageContext, damage: Damage): void {
  const { kind, domain, message: detail, isOfHead, blob } = damage;
  counters?.add([[domain, "fault", kind, 1]]);
  const now = ports.clock.now();
  try {
    if (kind === "damaged_blob" && blob !== null) markDamaged(storage, domain, blob);
    const logged = storage.sql(
      "SELECT logged FROM damages WHERE domain = ? AND detail = ?",
      domain,
      detail,
    )[0];
    if (logged !== undefined && (logged.logged as number) > now - LOG_PAUSE) return;
    storage.sql(
      `INSERT INTO damages (domain, detail, of_head, since, logged) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET logged = excluded.logged`,
      domain,
      detail,
      isOfHead ? 1 : 0,
      now,
      now,
    );
    ports.log?.({ event: "fault", kind, domain, detail, count: 1 });
  } catch (error) {
    ports.log?.({ event: "fault", kind, domain, detail: `${detail} (${messageOf(error)})`, count: 1 });
  }
}

/** Forgets what was damaged of a domain, since it has a new head, or its head was found to be whole. */
export const clearDamage = (storage: RegistryStorage, domain: string): void => {
  storage.sql("DELETE FROM damages WHERE domain = ?", domain);
};

/** The column of damage in a query that names the table of heads `h`; {@link damageIn} reads it. */
export const DAMAGE_COLUMN =
  "(SELECT d.detail FROM damages d WHERE d.domain = h.domain AND d.of_head = 1 LIMIT 1) AS damage";

/** What is damaged of the head of a domain, null if nothing is known. */
export const damageOf = (storage: RegistryStorage, domain: string): string | null =>
  damageIn(storage.sql(`SELECT ${DAMAGE_COLUMN} FROM heads h WHERE h.domain = ?`, domain)[0] ?? {});

export const damageIn = ({ damage }: SqlRow): string | null => (damage ?? null) as string | null;
