import { MAX_RECIPIENTS, read, texts } from "../api/index.ts";
import type { Answer } from "../directory/index.ts";
import { queryOf } from "../reader/index.ts";
import type { Deployment } from "./deployment.ts";
import type { RequestContext } from "./request-context.ts";

/**
 * Checks recipients for another Worker of the account. It may ask about every domain.
 *
 * @returns an answer for each recipient, in their order. What cannot be checked is `unavailable`: a deferral
 * @throws TypeError if the argument is not a list of up to a thousand texts
 */
export async function checkRecipients(
  { reader }: Deployment,
  context: RequestContext,
  recipients: unknown,
): Promise<readonly Answer[]> {
  const { value, fault } = read(texts, recipients, "the argument");
  if (fault !== undefined) throw new TypeError(`check: ${fault}`);
  if (value.length > MAX_RECIPIENTS) throw new TypeError(`check: more than ${MAX_RECIPIENTS} recipients`);
  return reader.checkAll(
    context,
    value.map((recipient) => queryOf(recipient)),
  );
}
