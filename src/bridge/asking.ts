import type { RollcallClient } from "../client/index.ts";
import type { AskEdge } from "./ports.ts";

/** Asks the edge through its client; what was seen of the domain goes along. */
export const askThrough =
  (client: Pick<RollcallClient, "checkMany">): AskEdge =>
  (recipients, domain, floor) =>
    client.checkMany(recipients, floor > 0 ? { floor: { [domain]: floor } } : {});
