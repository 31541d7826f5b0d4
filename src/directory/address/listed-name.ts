import { parseRecipient } from "./address.ts";
import { canonicalLocalPart } from "./canonical.ts";
import { patternName, readAsterisk } from "./cuts.ts";
import type { DomainPolicy } from "./policy.ts";

/** Characters that a local part may contain only inside quotes. */
const NEEDS_QUOTES = /[\s"(),:;<>@[\\\]]/;

const CATCH_ALL =
  "a catch-all: set catchall = true in the table of the domain, or remove the line; then only listed names are accepted";

/**
 * The canonical local part of an address of `domain`, or why there is none. Null for `@domain` if the policy has a
 * catch-all. Accepts misplaced dots, since real mailboxes have them. Does not accept unquoted characters that need quotes,
 * since they are usually mistakes. Of a pattern it is the name, for which {@link isPattern} holds.
 */
export function listedName(
  address: string,
  domain: string,
  policy: DomainPolicy,
): string | { fault: string } | null {
  const listed = readAsterisk(address);
  if ("fault" in listed) return listed;
  const { text, has } = listed;
  const recipient = parseRecipient(text);
  if (recipient.kind === "malformed" || recipient.kind === "unlistable") return { fault: recipient.why };
  if (recipient.kind === "postmaster") return { fault: "no domain" };
  if (recipient.kind === "literal") return { fault: "an address literal, which no list can contain" };
  if (recipient.domain !== domain) return { fault: `an address of ${recipient.domain}, not of ${domain}` };
  if (recipient.local === "" && text.startsWith("@")) {
    // A list may say what the policy says already.
    return policy.catchall ? null : { fault: CATCH_ALL };
  }
  if (recipient.local === "") return { fault: "no local part before the @" };
  if (!recipient.wellFormed && NEEDS_QUOTES.test(recipient.local)) {
    return { fault: "the local part has characters that need quotes" };
  }
  const name = canonicalLocalPart(recipient.local, policy);
  if (has !== "all") return patternName(name, has === "start");
  return name === "" ? { fault: "the local part is empty without its dots" } : name;
}
