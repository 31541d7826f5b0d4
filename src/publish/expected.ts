import {
  acceptedCount,
  cutsOf,
  type DomainKey,
  type DomainPolicy,
  decodePatterns,
  findEntry,
  fingerprint,
  isAcceptedState,
  isPattern,
  listedName,
} from "../directory/index.ts";
import { type PackedList, statesIn } from "./pack.ts";

/** A list, and what rollcall.toml expects of it. */
export interface ExpectedList {
  readonly domain: string;
  readonly key: DomainKey;
  readonly packed: PackedList;
  /** Addresses that the list must have. */
  readonly canaries: readonly string[];
  /** Fewest names that the list must accept. */
  readonly minimum?: number | undefined;
  /** Addresses that the list must not have, in whatever state. */
  readonly mustNotAppear?: readonly string[] | undefined;
}

/** What a list is beside what is expected of it. */
export interface Expectations {
  readonly missingCanaries: readonly string[];
  /** What else the list must be, and is not: one sentence each. */
  readonly unmet: readonly string[];
  /** Whether the list itself accepts postmaster. */
  readonly hasPostmaster: boolean;
}

export function compareWithExpected(
  { domain, key, packed, canaries, minimum = 0, mustNotAppear = [] }: ExpectedList,
  policy: DomainPolicy,
): Expectations {
  const stateIn = statesIn(packed);
  const patterns = packed.patterns === null ? null : decodePatterns(packed.patterns);
  const patternStateOf = (name: string): number =>
    patterns === null ? -1 : findEntry(patterns, fingerprint(key.names, name));
  /** Of a pattern as it is listed; of another name as a check finds it: by itself, or by a pattern that covers it. */
  const stateOf = (address: string): number => {
    const name = listedName(address, domain, policy);
    if (typeof name !== "string") return -1;
    if (isPattern(name)) return patternStateOf(name);
    const state = stateIn(fingerprint(key.names, name));
    return state >= 0
      ? state
      : (cutsOf(name)
          .map(patternStateOf)
          .find((each) => each >= 0) ?? -1);
  };
  const isAccepted = (address: string): boolean => isAcceptedState(stateOf(address));
  const accepted = acceptedCount(packed.counts);
  return {
    missingCanaries: canaries.filter((address) => !isAccepted(address)),
    unmet: [
      ...(accepted < minimum
        ? [`${domain} would accept ${accepted} names, and its minimum is ${minimum}`]
        : []),
      ...mustNotAppear
        .filter((address) => stateOf(address) >= 0)
        .map((address) => `${address} is in the list, and must_not_appear names it`),
    ],
    hasPostmaster: isAccepted(`postmaster@${domain}`),
  };
}
