import { isAddressLiteral, toALabel } from "./domain.ts";

/**
 * Octets of a whole address that a list may hold, counted as it would be listed: unquoted, NFC, in A-labels.
 * RFC 5321 §4.5.3.1 allows 64 + 1 + 255; VERP, SRS and BATV go past it in practice, so the bound is Postfix's
 * line_length_limit instead.
 */
export const MAX_ADDRESS = 2048;

/** Characters that are read at all: room for quoted pairs, NFD, U-labels and a source route about an address. */
const MAX_TEXT = 4 * MAX_ADDRESS;

/** A recipient as it was understood. */
export type Recipient =
  /** `postmaster` without a domain, in any case (RFC 5321 §4.5.1). */
  | { readonly kind: "postmaster" }
  /** Text of which no domain can be read; `why` says what is wrong with it. */
  | { readonly kind: "malformed"; readonly why: string }
  /** A local part that no list could ever hold, of a domain that can be read: the domain's mode counts for it. */
  | {
      readonly kind: "unlistable";
      /** As sent. */
      readonly local: string;
      /** The domain in A-labels. */
      readonly domain: string;
      readonly why: string;
    }
  /** A mailbox at an address literal: a domain that nobody can serve here. */
  | { readonly kind: "literal" }
  | {
      readonly kind: "mailbox";
      /** The local part's content: unquoted, otherwise as sent. */
      readonly local: string;
      /** The domain in A-labels. */
      readonly domain: string;
      /** Whether the local part was written as RFC 5321 §4.1.2 and RFC 6531 §3.3 have it. */
      readonly wellFormed: boolean;
    };

/** Controls, and halves of surrogate pairs or their replacement: bytes that were no UTF-8. */
const UNLISTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what it looks for
  /[\u0000-\u001f\u007f-\u009f\ufffd]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

const ODD_CHARACTERS = "characters that no address may hold";

const PLAIN = /^[a-z0-9._=+-]+$/;

/**
 * Reads a recipient in any of the forms that mail servers send: quoted or not, A- or U-labels, any case, in
 * angle brackets, with a source route (RFC 5321 §4.1.1.3), a trailing dot, or with an `@` left unquoted in the
 * local part. It is cut at its last `@`. Never throws, whatever the text.
 */
export function parseRecipient(text: string): Recipient {
  if (text.length > MAX_TEXT) return malformed(`longer than ${MAX_ADDRESS} octets`);
  const path = text.startsWith("<") && text.endsWith(">") ? text.slice(1, -1) : text;
  const address = path.startsWith("@") ? withoutSourceRoute(path) : path;
  const at = address.lastIndexOf("@");
  if (at < 0) {
    return address.toLowerCase() === "postmaster" ? { kind: "postmaster" } : malformed("no domain");
  }
  const rawLocal = address.slice(0, at);
  const rawDomain = address.slice(at + 1);
  const plain = PLAIN.test(rawLocal);
  const isUnlistable = !plain && UNLISTABLE.test(rawLocal);
  const domain = toALabel(rawDomain);
  if (domain === null) {
    if (isUnlistable) return malformed(ODD_CHARACTERS);
    return isAddressLiteral(rawDomain) ? { kind: "literal" } : malformed("no valid domain after the @");
  }
  if (isUnlistable) return { kind: "unlistable", local: rawLocal, domain, why: ODD_CHARACTERS };
  const quoted = plain ? null : unquote(rawLocal);
  const local = quoted ?? rawLocal;
  if (isTooLong(local, domain)) {
    return { kind: "unlistable", local: rawLocal, domain, why: `longer than ${MAX_ADDRESS} octets` };
  }
  return {
    kind: "mailbox",
    local,
    domain,
    wellFormed: quoted !== null || (plain ? hasDotsBetween(rawLocal) : isDotAtom(rawLocal)),
  };
}

/** The domain that a recipient is of, in A-labels; null where it has none, or none that a list could be of. */
export const domainOf = (recipient: Recipient): string | null =>
  recipient.kind === "mailbox" || recipient.kind === "unlistable" ? recipient.domain : null;

/** The local part as it may stand in an address: bare where it can, else quoted (RFC 5321 §4.1.2). */
export function quoteLocalPart(local: string): string {
  return isDotAtom(local) ? local : `"${local.replace(/["\\]/g, "\\$&")}"`;
}

const malformed = (why: string): Recipient => ({ kind: "malformed", why });

/** `@relay.example,@other.example:alice@example.com` is `alice@example.com`. */
const withoutSourceRoute = (path: string): string => path.replace(/^@[^@:,]+(?:,@[^@:,]+)*:(?=.*@)/, "");

/** Octets count, of which a character makes at most nine: NFC parts some into three. */
function isTooLong(local: string, domain: string): boolean {
  const room = MAX_ADDRESS - domain.length - 1;
  return local.length * 9 > room && new TextEncoder().encode(local.normalize("NFC")).length > room;
}

/** The content of a quoted string, or null where `text` is none. */
function unquote(text: string): string | null {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return null;
  let content = "";
  for (let i = 1; i < text.length - 1; i++) {
    let c = text[i] as string;
    if (c === '"') return null;
    if (c === "\\") {
      i++;
      if (i === text.length - 1) return null;
      c = text[i] as string;
    }
    content += c;
  }
  return content;
}

/** Whether dots stand only between atoms, which is all that can be wrong with a plain local part. */
const hasDotsBetween = (plain: string): boolean =>
  !plain.startsWith(".") && !plain.endsWith(".") && !plain.includes("..");

/** Dot-string of atoms, UTF-8 included. */
const isDotAtom = (text: string): boolean =>
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\u{10ffff}-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\u{10ffff}-]+)*$/u.test(
    text,
  );
