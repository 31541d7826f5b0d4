/** What the token of a request covers: a generation uses nothing else, and no text names anything else. */
import type { DomainPolicy } from "../directory/index.ts";
import { failure } from "./failure.ts";
import type { Reach } from "./protocol.ts";

export const covers = (reach: Reach, domain: string): boolean => reach === null || reach.includes(domain);

/**
 * A check of an alias is answered from its target's list, so the token has to cover that, too.
 * @throws RegistryFailure `forbidden`
 */
export function requireReach(reach: Reach, domain: string, { alias = null }: Partial<DomainPolicy>): void {
  if (alias === null || covers(reach, alias)) return;
  const message = `${domain}: this token does not cover the domain that it would be an alias of`;
  throw failure("forbidden", message, { domain });
}

/** Domains in words, those that the token does not cover without their names. */
export function naming(reach: Reach, domains: readonly string[]): string {
  const named = domains.filter((domain) => covers(reach, domain));
  const others = domains.length - named.length;
  if (others === 0) return named.join(", ");
  const rest = others === 1 ? "another domain" : `${others} other domains`;
  return named.length === 0 ? rest : `${named.join(", ")} and ${rest}`;
}
