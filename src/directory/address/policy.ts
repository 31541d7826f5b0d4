import { DirectoryError } from "../errors.ts";
import { toALabel } from "./domain.ts";

/**
 * What becomes of a refusal, mildest first. `observe`: the mail is accepted, and the verdict only recorded. `defer`: the
 * sender is told to try again later. `enforce`: the reply follows the verdict.
 */
export const MODES = ["observe", "defer", "enforce"] as const;
export type Mode = (typeof MODES)[number];

/** Whether a stored value is a mode that this release knows. A reader of another one must not decide anything. */
export const isMode = (value: unknown): value is Mode => MODES.some((mode) => mode === value);

/** The milder of two modes: it holds for an alias and its target. */
export const milderMode = (a: Mode, b: Mode): Mode => MODES.find((mode) => mode === a || mode === b) as Mode;

/**
 * How the addresses of one domain are interpreted. It is stored in the manifest, so it is part of a generation. The
 * names are the same in `rollcall.toml`, in the API and in code.
 */
export interface DomainPolicy {
  /**
   * Delimiters. The first one in a local part starts the subaddress (RFC 5233), as with Postfix's recipient_delimiter.
   * Empty: no subaddresses.
   */
  readonly delimiters: string;
  /** Whether local parts that are not listed are deliverable. */
  readonly catchall: boolean;
  /** Whether case distinguishes local parts (RFC 5321 §2.4 allows it; few systems do it). */
  readonly case: "insensitive" | "sensitive";
  /** Whether dots distinguish local parts. */
  readonly dots: "significant" | "ignored";
  /** Whether postmaster is accepted even if it is not listed (RFC 5321 §4.5.1). */
  readonly postmaster: boolean;
  /** Another domain of the same partition whose list answers for this one, or null. */
  readonly alias: string | null;
  /** Printable ASCII that is appended to every refusal, or null. */
  readonly text: string | null;
  /** Seconds for which a name that left the list is deferred before it is unknown; 0 turns this off. */
  readonly grace: number;
  /** Share of accepted names (0 to 1) that may be lost at one time; more needs the override (law 4). */
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

/** Longest refusal text. It leaves room for the recipient in the reply line. */
const MAX_TEXT = 200;
/** Departures are stored until their grace ends; nobody needs more than a month. */
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

/** For each setting, a check that returns what is wrong with a value, or null. */
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

/** The settings of {@link DomainPolicy} in a fixed order. */
export const POLICY_SETTINGS = Object.keys(RULES) as (keyof DomainPolicy)[];

/** What is wrong with the value of a setting, or null. An unknown setting is wrong too. */
export function policyFault(name: string, value: unknown): string | null {
  return Object.hasOwn(RULES, name) ? RULES[name as keyof DomainPolicy](value) : "is not a policy setting";
}

/**
 * Reads some or all settings from input of a person or a client.
 * @throws DirectoryError `invalid`; the message names the setting
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
 * Settings that change who is accepted in a way that cannot be counted from fingerprints. Law 4 requires the override
 * for them. `case` and `dots` also change the fingerprints themselves.
 */
const UNCOUNTABLE = ["catchall", "delimiters", "case", "dots", "alias"] as const;

/**
 * Those of them that differ between two policies. A guard that allows more loss counts too: otherwise one commit could
 * raise the limit for the next.
 */
export const uncountableChanges = (from: DomainPolicy, to: DomainPolicy): string[] => [
  ...UNCOUNTABLE.filter((name) => from[name] !== to[name]),
  ...(from.postmaster && !to.postmaster ? ["postmaster"] : []),
  ...(to.guard > from.guard ? ["guard"] : []),
];
