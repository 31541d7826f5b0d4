import { toALabel } from "./domain.ts";
import { DirectoryError } from "./errors.ts";

/** What is done with a recipient whom the list does not have. */
export type Mode = "enforce" | "observe";

/**
 * How one domain's addresses are understood. Stored in the manifest, so it is part of a generation; the same
 * words stand in `rollcall.toml`, in the API and in code.
 */
export interface DomainPolicy {
  /**
   * Characters of which the first one in a local part begins a subaddress (RFC 5233), as Postfix's
   * recipient_delimiter has it. Empty: no subaddresses.
   */
  readonly delimiters: string;
  /** Whether every local part that the list lacks is deliverable. */
  readonly catchall: boolean;
  /** Whether local parts that differ in case differ (RFC 5321 §2.4 allows it, few systems do it). */
  readonly case: "insensitive" | "sensitive";
  /** Whether dots in local parts count. */
  readonly dots: "significant" | "ignored";
  /** Whether postmaster is accepted though the list lacks it (RFC 5321 §4.5.1). */
  readonly postmaster: boolean;
  /** Another domain of the same partition whose list answers for this one, or null. */
  readonly alias: string | null;
  /** Printable ASCII put behind every refusal, or null. */
  readonly text: string | null;
  /** Seconds for which a name that left the list is deferred before it is unknown; 0 is off. */
  readonly grace: number;
  /** Share of accepted names (0 to 1) whose refusal at one time needs the override (law 4). */
  readonly guard: number;
}

export const DEFAULT_POLICY: DomainPolicy = {
  delimiters: "+",
  catchall: false,
  case: "insensitive",
  dots: "significant",
  postmaster: true,
  alias: null,
  text: null,
  grace: 3600,
  guard: 0.2,
};

/** Longest refusal text, so that the reply line keeps room for the recipient. */
const MAX_TEXT = 200;
/** Departures live in the manifest's company; a month is far past any use. */
const MAX_GRACE = 30 * 86_400;

const boolean = (value: unknown): string | null =>
  typeof value === "boolean" ? null : "must be true or false";
const oneOf =
  (...words: string[]) =>
  (value: unknown): string | null =>
    words.includes(value as string) ? null : `must be one of ${words.join(", ")}`;
const numberIn =
  (low: number, high: number, integer: boolean) =>
  (value: unknown): string | null =>
    typeof value === "number" && value >= low && value <= high && (!integer || Number.isInteger(value))
      ? null
      : `must be ${integer ? "a whole number" : "a number"} from ${low} to ${high}`;

/** What each setting must be: a message of what is wrong with a value, or null. */
const RULES: { readonly [K in keyof DomainPolicy]: (value: unknown) => string | null } = {
  delimiters: (value) =>
    typeof value === "string" && /^[-+=_#~.!%/]{0,4}$/.test(value)
      ? null
      : "must be at most 4 of the characters - + = _ # ~ . ! % /",
  catchall: boolean,
  case: oneOf("insensitive", "sensitive"),
  dots: oneOf("significant", "ignored"),
  postmaster: boolean,
  alias: (value) =>
    value === null || (typeof value === "string" && toALabel(value) === value)
      ? null
      : "must be a domain in lower-case A-labels",
  text: (value) =>
    value === null || (typeof value === "string" && value.length <= MAX_TEXT && /^[\x20-\x7e]*$/.test(value))
      ? null
      : `must be at most ${MAX_TEXT} characters of printable ASCII`,
  grace: numberIn(0, MAX_GRACE, true),
  guard: numberIn(0, 1, false),
};

/** The settings of {@link DomainPolicy}, in a fixed order. */
export const POLICY_SETTINGS = Object.keys(RULES) as (keyof DomainPolicy)[];

/** What is wrong with one setting's value, or null; a name that is no setting is wrong too. */
export function policyFault(name: string, value: unknown): string | null {
  return Object.hasOwn(RULES, name) ? RULES[name as keyof DomainPolicy](value) : "is no policy setting";
}

/**
 * Reads settings given by a person or a client, some or all of them.
 * @throws DirectoryError `invalid`, naming the setting
 */
export function readPolicy(value: unknown): Partial<DomainPolicy> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DirectoryError("invalid", "policy must be an object");
  }
  for (const [name, setting] of Object.entries(value)) {
    const fault = policyFault(name, setting);
    if (fault !== null) throw new DirectoryError("invalid", `policy.${name} ${fault}`);
  }
  return value as Partial<DomainPolicy>;
}

/**
 * Settings whose change alters who is accepted in a way that cannot be counted from fingerprints, so that law 4
 * asks for the override. A case or dots setting also decides what the fingerprints are made of.
 */
const UNCOUNTABLE = ["catchall", "delimiters", "case", "dots", "alias"] as const;

/**
 * The settings among those that differ between two policies. A guard that lets more go counts among them too: else
 * one commit could open the way for the next.
 */
export const uncountableChanges = (from: DomainPolicy, to: DomainPolicy): string[] => [
  ...UNCOUNTABLE.filter((name) => from[name] !== to[name]),
  ...(to.guard > from.guard ? ["guard"] : []),
];
