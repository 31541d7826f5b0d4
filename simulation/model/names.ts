/**
 * Local parts as the model understands them: built from a base name and one way of writing it, so that nothing
 * has to be parsed or canonicalised to know who is meant.
 */
import type { DomainPolicy } from "../../src/directory/index.ts";

/** Ways of writing a name. */
export const FORMS = ["plain", "upper", "sub", "upper sub", "dots", "quoted", "batv", "broken"] as const;
export type Form = (typeof FORMS)[number];

export interface Name {
  /** Lower-case letters and digits, as it is listed. */
  readonly base: string;
  readonly form: Form;
}

/** The local part as an SMTP client sends it. */
export function written({ base, form }: Name): string {
  switch (form) {
    case "plain":
      return base;
    case "upper":
      return base.toUpperCase();
    case "sub":
      return `${base}+news`;
    case "upper sub":
      return `${base.toUpperCase()}+NEWS`;
    case "dots":
      return `${base.slice(0, 1)}.${base.slice(1)}`;
    case "quoted":
      return `"${base}"`;
    case "batv":
      return `prvs=0123abcdef=${base}`;
    case "broken":
      return `${base}..`;
  }
}

/** A recipient as the model understands it. */
export interface Named {
  readonly domain: string;
  readonly name: Name;
}

type How = "mailbox" | "subaddress";

/** How a listed base is met by a way of writing it, null where it is not. */
export function meets({ base, form }: Name, policy: DomainPolicy): How | null {
  const isUpperFine = policy.case === "insensitive" || base === "postmaster";
  switch (form) {
    case "plain":
    case "quoted":
    case "batv":
      return "mailbox";
    case "upper":
      return isUpperFine ? "mailbox" : null;
    case "sub":
      return policy.delimiters.includes("+") ? "subaddress" : null;
    case "upper sub":
      return isUpperFine && policy.delimiters.includes("+") ? "subaddress" : null;
    case "dots":
    case "broken":
      return policy.dots === "ignored" ? "mailbox" : null;
  }
}

/** Whether postmaster's own rule applies: to its name, not to a subaddress of it or a tagged one. */
export const isPostmaster = (name: Name, policy: DomainPolicy): boolean =>
  name.base === "postmaster" && name.form !== "batv" && meets(name, policy) === "mailbox";

/** Whether it is written as an address may be. */
export const isWellFormed = ({ form }: Name): boolean => form !== "broken";
