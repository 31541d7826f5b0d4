import { isAscii } from "../bytes.ts";

/** Octets of a domain name in text, without the trailing dot (RFC 1035 §2.3.4). */
const MAX_DOMAIN = 253;
const MAX_LABEL = 63;

/** Characters that would end or change a host name in a URL, and all control characters and spaces. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for control characters
const NOT_IN_HOST = /[\u0000-\u0020\u007f-\u00a0/\\?#@:[\]%<>^|`{}"]/;

/**
 * The canonical spelling under which a domain is compared and stored: lower-case A-labels without a trailing dot
 * (RFC 5890, RFC 6531 §3.2). Letters, digits, hyphens and underscores; 63 octets per label, 253 in all.
 *
 * @param text a domain in A- or U-labels, in any case, with or without a trailing dot
 * @returns null if `text` is not a domain name; an address literal is not one
 */
export function toALabel(text: string): string | null {
  if (isAscii(text)) return checkedLabels(text.toLowerCase());
  if (NOT_IN_HOST.test(text) || text.length > MAX_DOMAIN * 4) return null;
  try {
    // The URL parser is the only IDNA mapping that Node and Workers share. It reads a host whose last label is a
    // number as an IPv4 address ("1.2.3" becomes 1.2.0.3), so another label is appended.
    const host = new URL(`http://${text}.invalid/`).hostname;
    if (!host.endsWith(".invalid")) return null;
    return checkedLabels(host.slice(0, -".invalid".length));
  } catch {
    return null;
  }
}

/** Whether `text` is an address literal such as `[192.0.2.1]` or `[IPv6:::1]` (RFC 5321 §4.1.3). */
export function isAddressLiteral(text: string): boolean {
  return text.length <= MAX_DOMAIN && /^\[[\x21-\x5a\x5e-\x7e]*\]$/.test(text);
}

function checkedLabels(text: string): string | null {
  const domain = text.endsWith(".") ? text.slice(0, -1) : text;
  if (domain.length > MAX_DOMAIN) return null;
  let label = 0;
  for (let i = 0; i <= domain.length; i++) {
    const c = i === domain.length ? 0x2e : domain.charCodeAt(i);
    if (c === 0x2e) {
      if (label === 0 || label > MAX_LABEL) return null;
      label = 0;
    } else if (isLdh(c)) {
      label++;
    } else {
      return null;
    }
  }
  return domain;
}

/** Lower-case letter, digit, hyphen or underscore. */
const isLdh = (c: number): boolean =>
  (c >= 0x61 && c <= 0x7a) || (c >= 0x30 && c <= 0x39) || c === 0x2d || c === 0x5f;
