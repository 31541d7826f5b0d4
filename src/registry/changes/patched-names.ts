/** Single changes that are open: what they did to each name, until a list that knows of them settles them. */
import { isAcceptedState, type KeptName, type PatchedName, toHex } from "../../directory/index.ts";
import { failure } from "../failure.ts";
import type { RegistryStorage } from "../ports.ts";
import { replace } from "../storage/rows.ts";
import {
  isInForce,
  type JournalRow,
  ROW_COLUMNS,
  retire,
  rowIn,
  type Spelled,
  spellingOf,
  supersede,
} from "./journal.ts";
import type { NetChange } from "./net-changes.ts";

/** Names that single changes may change before the list has to be published again. */
export const MAX_PATCHED = 100_000;

/**
 * Adds changes of one generation. A name that is again as it was published is open no more, and neither is a removal with
 * `--now` whose name is accepted again.
 * @param changes `was` is the state before this generation; those that change nothing are passed over, unless they are
 * made at once, or were accepted in between
 * @throws RegistryFailure `repack_needed`
 */
export function notePatches(
  storage: RegistryStorage,
  { domain, ...spelled }: Spelled & { readonly domain: string },
  number: number,
  changes: readonly (PatchedName & Pick<NetChange, "atOnce" | "lifted">)[],
): void {
  const spelling = spellingOf(spelled);
  for (const { fingerprint, was, state, atOnce, lifted } of changes) {
    if (was === state && !atOnce && !lifted) continue;
    const present = openRow(storage, domain, fingerprint);
    // Only a state that accepts lifts a removal at once.
    const stood = !lifted && (present?.atOnce != null || isInForce(storage, domain, fingerprint, spelling));
    const isRemoval = !isAcceptedState(state) && (atOnce || stood);
    const next = {
      fingerprint,
      was: present?.was ?? was,
      state,
      number,
      atOnce: isRemoval ? spelling : null,
    };
    if (present !== null && isSame(present, next)) continue;
    supersede(storage, domain, fingerprint, spelling);
    if (present !== null) retire(storage, domain, present, number);
    if (next.was !== state || isRemoval) open(storage, domain, next);
    else close(storage, domain, fingerprint);
  }
  const isTooMany = storage.sql(
    "SELECT 1 FROM patched_names WHERE domain = ? LIMIT 1 OFFSET ?",
    domain,
    MAX_PATCHED,
  );
  if (isTooMany.length === 0) return;
  throw failure(
    "repack_needed",
    `${domain}: single changes changed ${MAX_PATCHED} names since the list was published; publish the list`,
    { domain },
  );
}

/**
 * Settles the changes of a domain: a newer list knows of them.
 * @param number the generation of that list
 * @param kept names that the list has only because of single changes: these stay, and from now on they were as the
 * publisher of this list says
 */
export function settlePatches(
  storage: RegistryStorage,
  domain: string,
  number: number,
  kept: readonly KeptName[],
): void {
  const stays = new Map(kept.map(({ fingerprint, listed }) => [toHex(fingerprint), listed]));
  for (const row of openRows(storage, domain)) {
    const listed = stays.get(toHex(row.fingerprint)) ?? row.state;
    if (listed !== row.state && listed === row.was) continue;
    retire(storage, domain, row, number, { isInForce: listed === row.state });
    if (listed === row.state) close(storage, domain, row.fingerprint);
    else open(storage, domain, { ...row, was: listed, number });
  }
}

/** Ends the changes of a domain that is deleted. Removals with `--now` hold against the next list, too. */
export function endPatches(storage: RegistryStorage, domain: string, number: number): void {
  for (const row of openRows(storage, domain)) {
    if (row.atOnce !== null) continue;
    retire(storage, domain, row, number);
    close(storage, domain, row.fingerprint);
  }
}

/** Opens these changes and no others, in a generation that goes back to an older list. */
export function reopenPatches(
  storage: RegistryStorage,
  domain: string,
  number: number,
  rows: readonly JournalRow[],
): void {
  const wanted = new Map(rows.map((row) => [toHex(row.fingerprint), row]));
  for (const row of openRows(storage, domain)) {
    const next = wanted.get(toHex(row.fingerprint));
    if (next !== undefined && isSame(row, next)) {
      wanted.delete(toHex(row.fingerprint));
      continue;
    }
    // Of an alias nobody is removed, and what was said counts on.
    retire(storage, domain, row, number, { isInForce: next?.atOnce == null });
    if (next === undefined) close(storage, domain, row.fingerprint);
  }
  for (const row of wanted.values()) {
    if (row.atOnce !== null) supersede(storage, domain, row.fingerprint, row.atOnce);
    open(storage, domain, { ...row, number });
  }
}

/** Refuses a list that was made without regard to single changes. @throws RegistryFailure `patched_names` */
export function requireNoPatches(storage: RegistryStorage, domain: string): void {
  const count = storage.sql("SELECT count(*) AS n FROM patched_names WHERE domain = ?", domain)[0]
    ?.n as number;
  if (count === 0) return;
  throw failure(
    "patched_names",
    `${domain}: single changes changed ${count} names since the last publish; plan again with this release, which asks what becomes of them`,
    { domain },
  );
}

const ROWS = `SELECT ${ROW_COLUMNS} FROM patched_names`;

/** Open names are not counted any further. */
export const MOST_COUNTED = 10_000;

/** How many names are open, in a query that names the table of heads `h`. */
export const OPEN_COLUMN = `(SELECT count(*) FROM
  (SELECT 1 FROM patched_names p WHERE p.domain = h.domain LIMIT ${MOST_COUNTED})) AS open_changes`;

/** Whether all of these names are open. */
export const areOpen = (
  storage: RegistryStorage,
  domain: string,
  names: readonly Pick<PatchedName, "fingerprint">[],
): boolean => names.every(({ fingerprint }) => openRow(storage, domain, fingerprint) !== null);

/** The changed names of a domain, in the order of their fingerprints. */
export const openRows = (storage: RegistryStorage, domain: string): JournalRow[] =>
  storage.sql(`${ROWS} WHERE domain = ? ORDER BY fingerprint`, domain).map(rowIn);

function openRow(storage: RegistryStorage, domain: string, fingerprint: Uint8Array): JournalRow | null {
  const [row] = storage.sql(`${ROWS} WHERE domain = ? AND fingerprint = ?`, domain, fingerprint);
  return row === undefined ? null : rowIn(row);
}

const isSame = (a: JournalRow, b: JournalRow): boolean =>
  a.was === b.was && a.state === b.state && a.atOnce === b.atOnce;

const open = (storage: RegistryStorage, domain: string, row: JournalRow): void => {
  const { fingerprint, was, state, number, atOnce: at_once } = row;
  replace(storage, "patched_names", { domain, fingerprint, was, state, number, at_once });
};

const close = (storage: RegistryStorage, domain: string, fingerprint: Uint8Array): void => {
  storage.sql("DELETE FROM patched_names WHERE domain = ? AND fingerprint = ?", domain, fingerprint);
};
