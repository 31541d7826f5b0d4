import type { DomainPolicy } from "./policy.ts";

/** Raised whenever any rule below changes; a manifest made under another version is a fault (law 5). */
export const CANONICALISER_VERSION = 1;

/** Where a recipient was found. */
export type Matched = "mailbox" | "subaddress" | "catch-all" | "postmaster";

/** One name to look up for a recipient. */
export interface Candidate {
  readonly name: string;
  readonly matched: "mailbox" | "subaddress";
}

type Spelling = Pick<DomainPolicy, "case" | "dots">;

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;

/**
 * The one spelling of a local part under which it is listed and looked up: stripped of dots and case-folded as
 * the policy says, and in NFC (RFC 6531 §3.1 by way of RFC 5198). Postmaster has no case anywhere (RFC 5321
 * §4.5.1). Idempotent.
 *
 * @param local the local part's content, unquoted
 */
export function canonicalLocalPart(local: string, policy: Spelling): string {
  const ascii = ASCII.test(local);
  // Dots first: one that goes may leave a letter and its mark side by side.
  let name = policy.dots === "ignored" ? local.replaceAll(".", "") : local;
  if (!ascii) name = name.normalize("NFC");
  if (policy.case === "sensitive") return POSTMASTER.test(name) ? "postmaster" : name;
  name = name.toLowerCase();
  // Lower-casing alone makes a final sigma of some capitals and not of others.
  return ascii ? name : name.replaceAll("ς", "σ").normalize("NFC");
}

const POSTMASTER = /^postmaster$/i;

/** draft-levine-smtp-batv: `prvs=KDDDSSSSSS=user`, K and D digits, S hexadecimal. */
const BATV = /^prvs=[0-9]{4}[0-9a-f]{6}=(.+)$/is;

/**
 * What to look up when the name as sent is not listed, most specific first: without a BATV tag, then without
 * the subaddress. `+x` never becomes an empty local part (RFC 5233).
 *
 * @param local the local part's content, unquoted
 */
export function furtherCandidates(local: string, policy: DomainPolicy): Candidate[] {
  const candidates: Candidate[] = [];
  const untagged = local[4] === "=" ? (BATV.exec(local)?.[1] ?? local) : local;
  if (untagged !== local) {
    candidates.push({ name: canonicalLocalPart(untagged, policy), matched: "mailbox" });
  }
  const cut = subaddressAt(untagged, policy.delimiters);
  if (cut > 0) {
    candidates.push({ name: canonicalLocalPart(untagged.slice(0, cut), policy), matched: "subaddress" });
  }
  return candidates.filter((candidate) => candidate.name !== "");
}

/** Index of the first delimiter, as Postfix cuts; -1 where there is none, 0 where nothing stands before it. */
function subaddressAt(local: string, delimiters: string): number {
  let first = -1;
  for (const delimiter of delimiters) {
    const at = local.indexOf(delimiter);
    if (at >= 0 && (first < 0 || at < first)) first = at;
  }
  return first;
}
