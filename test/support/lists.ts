import type { DomainPolicy, EntryState } from "../../src/directory/index.ts";
import type { PackedList, PackOptions } from "../../src/publish/pack.ts";
import { pack } from "../../testing/lists.ts";
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
export const packed = (
  lines: Lines,
  options: PackOptions & { domain?: string; policy?: Partial<DomainPolicy>; epoch?: number } = {},
): PackedList =>
  pack(lines, keyOf(options.domain ?? DOMAIN, options.epoch), policyWith(options.policy), options);
