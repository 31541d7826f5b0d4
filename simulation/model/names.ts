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
}

const always = (): boolean => true;
const isUpperFine = (base: string, policy: DomainPolicy): boolean =>
  policy.case === "insensitive" || base === "postmaster";
const hasPlus = (_: string, { delimiters }: DomainPolicy): boolean => delimiters.includes("+");
const areDotsFine = (_: string, { dots }: DomainPolicy): boolean => dots === "ignored";

const WAYS = {
  plain: { write: (base) => base, isMet: always },
  upper: { write: (base) => base.toUpperCase(), isMet: isUpperFine },
  sub: { write: (base) => `${base}+news`, isMet: hasPlus },
  "upper sub": {
    write: (base) => `${base.toUpperCase()}+NEWS`,
    isMet: (base, policy) => isUpperFine(base, policy) && hasPlus(base, policy),
  },
  dots: { write: (base) => `${base.slice(0, 1)}.${base.slice(1)}`, isMet: areDotsFine },
  quoted: { write: (base) => `"${base}"`, isMet: always },
  batv: { write: (base) => `prvs=0123abcdef=${base}`, isMet: always },
  broken: { write: (base) => `${base}..`, isMet: areDotsFine },
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

/** Whether postmaster's own rule applies: to its name, not to a subaddress of it or a tagged one. */
export const isPostmaster = (name: Name, policy: DomainPolicy): boolean =>
  name.base === "postmaster" && name.form !== "batv" && meets(name, policy) === "mailbox";

/** Whether it is written as an address may be. */
export const isWellFormed = ({ form }: Name): boolean => form !== "broken";
