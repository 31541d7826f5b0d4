/**
 * Local parts as the model understands them: built from a base name and one way of writing it, so that nothing
 * has to be parsed or canonicalised to know who is meant.
 */
import type { DomainPolicy } from "../../src/directory/index.ts";

/** One way of writing a name. */
interface Way {
  /** The local part as an SMTP client sends it. */
  write(base: string): string;
  /** Whether a listed base is met by it. */
  isMet(base: string, policy: DomainPolicy): boolean;
  /** The local part without quotes and tag, dots aside; left out if that is the base. */
  spell?(base: string): string;
}

const always = (): boolean => true;
const isUpperFine = (base: string, policy: DomainPolicy): boolean =>
  policy.case === "insensitive" || base === "postmaster";
/** A base with a dash ends there, if that is a delimiter too. */
const hasPlus = (base: string, { delimiters }: DomainPolicy): boolean =>
  delimiters.includes("+") && !(delimiters.includes("-") && base.includes("-"));
const areDotsFine = (_: string, { dots }: DomainPolicy): boolean => dots === "ignored";

const toUpper = (base: string): string => base.toUpperCase();
const toSub = (base: string): string => `${base}+news`;
const toUpperSub = (base: string): string => `${base.toUpperCase()}+NEWS`;
const toDotted = (base: string): string => `${base.slice(0, 1)}.${base.slice(1)}`;
const toBroken = (base: string): string => `${base}..`;

const WAYS = {
  plain: { write: (base) => base, isMet: always },
  upper: { write: toUpper, spell: toUpper, isMet: isUpperFine },
  sub: { write: toSub, spell: toSub, isMet: hasPlus },
  "upper sub": {
    write: toUpperSub,
    spell: toUpperSub,
    isMet: (base, policy) => isUpperFine(base, policy) && hasPlus(base, policy),
  },
  dots: { write: toDotted, spell: toDotted, isMet: areDotsFine },
  quoted: { write: (base) => `"${base}"`, isMet: always },
  batv: { write: (base) => `prvs=0123abcdef=${base}`, isMet: always },
  broken: { write: toBroken, spell: toBroken, isMet: areDotsFine },
} satisfies Readonly<Record<string, Way>>;

/** Ways of writing a name. */
export type Form = keyof typeof WAYS;
export const FORMS = Object.keys(WAYS) as Form[];

export interface Name {
  /** Lower-case letters and digits, as it is listed. */
  readonly base: string;
  readonly form: Form;
}

/** A recipient as the model understands it. */
export interface Named {
  readonly domain: string;
  readonly name: Name;
}

/** The recipient as an SMTP client sends it. */
export const written = ({ name: { base, form }, domain }: Named): string =>
  `${WAYS[form].write(base)}@${domain}`;

/** How a listed base is met by a way of writing it, null if it is not. */
export function meets({ base, form }: Name, policy: DomainPolicy): "mailbox" | "subaddress" | null {
  if (!WAYS[form].isMet(base, policy)) return null;
  return form === "sub" || form === "upper sub" ? "subaddress" : "mailbox";
}

/** A name as it is compared with patterns: without quotes and tag, and with case and dots as they count. */
export function spelled({ base, form }: Name, policy: DomainPolicy): string {
  const way: Way = WAYS[form];
  const text = way.spell?.(base) ?? base;
  const cased = policy.case === "insensitive" ? text.toLowerCase() : text;
  return policy.dots === "ignored" ? cased.replaceAll(".", "") : cased;
}

const WITHOUT_SUBADDRESS: { readonly [F in Form]?: Form } = { sub: "plain", "upper sub": "upper" };

/** A name without its subaddress; null if it has none, or none that leaves a base which patterns could cover. */
export function withoutSubaddress({ base, form }: Name, policy: DomainPolicy): Name | null {
  const left = WITHOUT_SUBADDRESS[form];
  return left === undefined || !hasPlus(base, policy) ? null : { base, form: left };
}

/** The base that is left of a name which ends at a dash, if that is a delimiter; null if there is none that could be listed. */
export function cutAtDash({ base, form }: Name, policy: DomainPolicy): string | null {
  const at = policy.delimiters.includes("-") ? base.indexOf("-") : -1;
  if (at <= 0) return null;
  const left = base.slice(0, at);
  // What comes after the dash is not looked at: neither another tag, nor the dots of a broken one.
  const way = WITHOUT_SUBADDRESS[form] ?? form;
  return way === "broken" || WAYS[way].isMet(left, policy) ? left : null;
}

/** Whether postmaster's own rule applies: to its name, not to a subaddress of it or a tagged one. */
export const isPostmaster = (name: Name, policy: DomainPolicy): boolean =>
  name.base === "postmaster" && name.form !== "batv" && meets(name, policy) === "mailbox";

/** Whether it is written as an address may be. */
export const isWellFormed = ({ form }: Name): boolean => form !== "broken";
