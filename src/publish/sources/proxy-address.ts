/**
 * The address in a value of Exchange's proxyAddresses, where a prefix names the kind: `SMTP:` is the primary address,
 * `smtp:` another one, `X500:`, `SIP:` and others are none.
 * @returns null for a value of another kind; a value without prefix as it is
 */
export function smtpAddress(value: string): string | null {
  const prefix = /^([a-z][a-z0-9-]*):/i.exec(value)?.[1];
  // Before the @ of an address, a colon must be in quotes.
  if (prefix === undefined) return value;
  return prefix.toLowerCase() === "smtp" ? value.slice(prefix.length + 1) : null;
}
