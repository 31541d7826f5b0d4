import { toHex } from "../bytes.ts";
import type { Mac } from "../hashing.ts";
import { parseRecipient } from "./address.ts";
import { canonicalLocalPart, furtherCandidates } from "./canonical.ts";
import { fingerprint } from "./fingerprint.ts";
import type { DomainPolicy } from "./policy.ts";

/**
 * Local parts as a client might send them, one for each rule of the parser and the canonicaliser. Every manifest holds
 * their fingerprints. A reader that computes other ones has another key or another canonicaliser, and must not decide
 * anything (law 5). Sentinels are not entries and match no recipient.
 */
const SENTINELS = [
  "sentinel-plain",
  "Sentinel-CASE",
  "PostMaster",
  "s.en.tin.el-dots",
  "sentinel-e\u0301-nfc",
  "sentinel-e.\u0301-dots-nfc",
  "SENTINEL-\u00c9\u00c5-unicode-case",
  "sentinel-\u039f\u03a3",
  '"sentinel \\"quoted\\" \\\\ pair"',
  "sentinel@unquoted",
  "prvs=1234abcdef=sentinel-batv",
  "sentinel+subaddress-plus",
  "sentinel-with=equals_underscore",
] as const;

/** The same for the cuts: more delimiters than are tried, and each of them, before and behind a subaddress. */
const CUT_SENTINELS = [
  "sentinel-1+2=3_4#5~6.7!8%9/cuts",
  "prvs=1234abcdef=-Sentinel.CUT-",
  "a-a",
  "Sentinel/9%8!7.6~5#4_3=2+1-cuts",
] as const;

/**
 * The sentinels' fingerprints under a key and a policy, 16 hexadecimal digits each. Each covers the name as sent and
 * its further candidates.
 *
 * @param hasPatterns whether they are those of a list with patterns, which cover the cuts too
 */
export function sentinels(names: Mac, policy: DomainPolicy, hasPatterns = false): string[] {
  const texts = hasPatterns ? [...SENTINELS, ...CUT_SENTINELS] : SENTINELS;
  return texts.map((text) => {
    const recipient = parseRecipient(`${text}@sentinel.invalid`);
    if (recipient.kind !== "mailbox") return "unreadable";
    const looked = [
      canonicalLocalPart(recipient.local, policy),
      ...furtherCandidates(recipient.local, policy, hasPatterns).map((candidate) => candidate.name),
    ];
    return toHex(fingerprint(names, `sentinel\0${looked.join("\0")}`).subarray(0, 8));
  });
}
