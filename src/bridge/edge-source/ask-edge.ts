import type { Outcome, RollcallClient } from "../../client/index.ts";

/**
 * Asks the edge about recipients of one domain, in one request. Ends by itself within the timeout of one request.
 * @param minGeneration highest generation of the domain seen so far, 0 for none
 * @returns an outcome for each, in order
 */
export type AskEdge = (
  recipients: readonly string[],
  domain: string,
  minGeneration: number,
) => Promise<readonly Outcome[]>;

/** Asks through the client. */
export const askEdgeWith =
  (client: Pick<RollcallClient, "checkMany">): AskEdge =>
  (recipients, domain, minGeneration) =>
    client.checkMany(recipients, minGeneration > 0 ? { floor: { [domain]: minGeneration } } : {});
