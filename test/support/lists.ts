import {
  canonicalLocalPart,
  type DomainPolicy,
  ENTRY_STATES,
  type EntryState,
  fingerprint,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { EntryColumns } from "../../src/publish/entries.ts";
import { type PackedList, type PackOptions, packList } from "../../src/publish/pack.ts";
import { policyWith } from "../directory/helpers.ts";
import { keyOf } from "./memory-edge.ts";

/** Local parts in list order, each with its state. */
export type Lines = readonly (readonly [local: string, state: EntryState])[];

export const active = (...locals: string[]): Lines => locals.map((local) => [local, "active"]);

/** `count` names that differ from those of another `prefix`. */
export const names = (count: number, prefix = "user"): Lines =>
  Array.from({ length: count }, (_, i) => [`${prefix}${i}`, "active"]);

export const DOMAIN = "example.com";

/** Packs lines as a publisher does, line numbers from 1. */
export function packed(
  lines: Lines,
  options: PackOptions & { domain?: string; policy?: Partial<DomainPolicy>; epoch?: number } = {},
): PackedList {
  const key = keyOf(options.domain ?? DOMAIN, options.epoch);
  const entries = new EntryColumns();
  lines.forEach(([local, state], i) => {
    const name = canonicalLocalPart(local, policyWith(options.policy));
    entries.add(fingerprint(key.names, name), ENTRY_STATES.indexOf(state), i + 1);
  });
  return packList(entries, stablelibHashing, options);
}
