import { isAddressLiteral, toALabel } from "./domain.ts";

/**
 * Octets of a whole address that a list may hold, counted as it would be listed: unquoted, NFC, in A-labels.
 * RFC 5321 §4.5.3.1 allows 64 + 1 + 255; VERP, SRS and BATV go past it in practice, so the bound is Postfix's
 * line_length_limit instead.
 */
export const MAX_ADDRESS = 2048;

/** Characters that the parser reads at most: room for quoted pairs, NFD, U-labels and a source route. */
const MAX_TEXT = 4 * MAX_ADDRESS;

/** A parsed recipient. */
export type Recipient =
  /** `postmaster` without a domain, in any case (RFC 5321 §4.5.1). */
  | { readonly kind: "postmaster" }
  /** Text without a readable domain; `why` says what is wrong with it. */
  | { readonly kind: "malformed"; readonly why: string }
  /** A readable domain with a local part that no list can hold. The domain's mode applies. */
  | {
      readonly kind: "unlistable";
      /** As sent. */
      readonly local: string;
      /** The domain in A-labels. */
      readonly domain: string;
      readonly why: string;
    }
  /** A mailbox at an address literal, which is never a served domain. */
  | { readonly kind: "literal" }
  | {
      readonly kind: "mailbox";
      /** The local part's content: unquoted, otherwise as sent. */
      readonly local: string;
      /** The domain in A-labels. */
      readonly domain: string;
      /** Whether the local part follows the syntax of RFC 5321 §4.1.2 and RFC 6531 §3.3. */
      readonly wellFormed: boolean;
    };

/** Control characters, and lone surrogates or U+FFFD, which stand for bytes that were not UTF-8. */
const UNLISTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for control characters
  /[\u0000-\u001f\u007f-\u009f\ufffd]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/**
 * More combining marks in a row than any writing has (Unicode's Stream-Safe Text Format has 30 at most), with dots between that a
 * policy may ignore. NFC sorts them, which takes quadratic time.
 */
const MANY_MARKS = /(?:\p{M}\.*){31}/u;

const ODD_CHARACTERS = "characters that are not allowed in an address";

const PLAIN = /^[a-z0-9._=+-]+$/;

/**
 * Parses a recipient in any of the forms that mail servers send: quoted or not, A- or U-labels, any case, in
 * angle brackets, with a source route (RFC 5321 §4.1.1.3), a trailing dot, or with an unquoted `@` in the local
 * part. The domain starts after the last `@`. Never throws.
 */
export function parseRecipient(text: string): Recipient {
  if (text.length > MAX_TEXT) return malformed(`longer than ${MAX_ADDRESS} octets`);
  const path = text.startsWith("<") && text.endsWith(">") ? text.slice(1, -1) : text;
  const address = withoutSourceRoute(path);
  const at = address.lastIndexOf("@");
  if (at < 0) {
    return address.toLowerCase() === "postmaster" ? { kind: "postmaster" } : malformed("no domain");
  }
  const rawLocal = address.slice(0, at);
  const rawDomain = address.slice(at + 1);
  const plain = PLAIN.test(rawLocal);
  const isUnlistable = !plain && (UNLISTABLE.test(rawLocal) || MANY_MARKS.test(rawLocal));
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

/** A recipient's domain in A-labels; null if it has none, or none that can have a list. */
export const domainOf = (recipient: Recipient): string | null =>
  recipient.kind === "mailbox" || recipient.kind === "unlistable" ? recipient.domain : null;

/** The local part as written in an address: quoted only where it must be (RFC 5321 §4.1.2). */
export function quoteLocalPart(local: string): string {
  return isDotAtom(local) ? local : `"${local.replace(/["\\]/g, "\\$&")}"`;
}

const malformed = (why: string): Recipient => ({ kind: "malformed", why });

/** `@relay.example,@other.example:alice@example.com` is `alice@example.com`. */
const withoutSourceRoute = (path: string): string => path.replace(/^@[^@:,]+(?:,@[^@:,]+)*:(?=.*@)/, "");

/** Counts octets after NFC. One UTF-16 unit makes at most nine, since NFC splits some characters into three. */
function isTooLong(local: string, domain: string): boolean {
  const room = MAX_ADDRESS - domain.length - 1;
  return local.length * 9 > room && new TextEncoder().encode(local.normalize("NFC")).length > room;
}

/** The content of a quoted string, or null if `text` is not one. */
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

/** Whether dots stand only between atoms: the one rule that a local part of plain characters can break. */
const hasDotsBetween = (plain: string): boolean =>
  !plain.startsWith(".") && !plain.endsWith(".") && !plain.includes("..");

/** Whether `text` is a Dot-string, UTF-8 included. */
const isDotAtom = (text: string): boolean =>
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\u{10ffff}-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\u{10ffff}-]+)*$/u.test(
    text,
  );
