import { isAscii } from "../bytes.ts";
import { cutsOf } from "./cuts.ts";
import type { DomainPolicy } from "./policy.ts";

/** Raise both when any rule below changes. A manifest made under another version is a fault (law 5). */
export const CANONICALISER_VERSION = 1;
/**
 * The version of lists with patterns: the same rules, and the cuts. Under 2 a name was not cut again without its subaddress.
 */
export const PATTERN_CANONICALISER = 3;

/** Whether names were made canonical as they are here. */
export const isKnownCanonicaliser = (version: number): boolean =>
  version === CANONICALISER_VERSION || version === PATTERN_CANONICALISER;

/** What matched a recipient. */
export type Matched = "mailbox" | "pattern" | "subaddress" | "catch-all" | "postmaster";

/** A name to look up for a recipient. */
export interface Candidate {
  /** Canonical; that of a pattern has a NUL in place of the asterisk. */
  readonly name: string;
  readonly matched: "mailbox" | "pattern" | "subaddress";
}

type Spelling = Pick<DomainPolicy, "case" | "dots">;

/**
 * The canonical spelling under which a local part is listed and looked up: without dots and case-folded where the
 * policy says so, and in NFC (RFC 6531 §3.1, RFC 5198). Postmaster is always case-insensitive (RFC 5321 §4.5.1).
 * Idempotent.
 *
 * @param local the local part's content, unquoted
 */
export function canonicalLocalPart(local: string, policy: Spelling): string {
  const ascii = isAscii(local);
  // Dots before NFC: removing one may put a letter and its combining mark side by side.
  let name = policy.dots === "ignored" ? local.replaceAll(".", "") : local;
  if (!ascii) name = name.normalize("NFC");
  if (policy.case === "sensitive") return POSTMASTER.test(name) ? "postmaster" : name;
  name = name.toLowerCase();
  // Lower-casing alone turns a capital sigma into a final sigma in some positions only.
  return ascii ? name : name.replaceAll("ς", "σ").normalize("NFC");
}

const POSTMASTER = /^postmaster$/i;

/** draft-levine-smtp-batv: `prvs=KDDDSSSSSS=user`, where K and D are digits and S is hexadecimal. */
const BATV = /^prvs=[0-9]{4}[0-9a-f]{6}=(.+)$/is;

/**
 * What to look up if the name as sent is not listed, most specific first: without its BATV tag, then the patterns that
 * cover that, then without its subaddress too, then the patterns that cover that and were not among those. `+x` never
 * becomes an empty local part (RFC 5233).
 *
 * @param local the local part's content, unquoted
 * @param hasPatterns whether the list has patterns
 * @param exact its canonical spelling, where that is known
 */
export function furtherCandidates(
  local: string,
  policy: DomainPolicy,
  hasPatterns = false,
  exact: string = canonicalLocalPart(local, policy),
): Candidate[] {
  const candidates: Candidate[] = [];
  const untagged = local[4] === "=" ? (BATV.exec(local)?.[1] ?? local) : local;
  const name = untagged === local ? exact : canonicalLocalPart(untagged, policy);
  if (untagged !== local) candidates.push({ name, matched: "mailbox" });
  const cuts = hasPatterns ? cutsOf(name) : [];
  for (const cut of cuts) candidates.push({ name: cut, matched: "pattern" });
  const end = subaddressAt(untagged, policy.delimiters);
  if (end > 0) {
    const base = canonicalLocalPart(untagged.slice(0, end), policy);
    candidates.push({ name: base, matched: "subaddress" });
    if (hasPatterns)
      for (const cut of cutsOf(base))
        if (!cuts.includes(cut)) candidates.push({ name: cut, matched: "pattern" });
  }
  return candidates.filter((candidate) => candidate.name !== "");
}

/** Index of the first delimiter, as in Postfix; -1 if there is none, 0 if nothing stands before it. */
function subaddressAt(local: string, delimiters: string): number {
  let first = -1;
  for (const delimiter of delimiters) {
    const at = local.indexOf(delimiter);
    if (at >= 0 && (first < 0 || at < first)) first = at;
  }
  return first;
}
