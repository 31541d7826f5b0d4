/** What is between a mail host and its edge, so that the edge can be away for one mail host only. */
import type { Answer } from "../../../src/directory/index.ts";
import { startFakeEdge } from "../../support/fake-edge.ts";
import type { LawEdge } from "./edges.ts";

export interface Road {
  readonly url: string;
  /** The edge is away from now on: nothing comes back. */
  close(): void;
  /** Whether the Registry had confirmed the last answer about a recipient that went along here. */
  wasConfirmed(recipient: string): boolean;
}

export async function startRoad(edge: LawEdge): Promise<Road> {
  const confirmed = new Set<string>();
  let isClosed = false;
  const note = ({ recipient, confirmed_age: age }: Answer): void => {
    if (age === null) confirmed.delete(recipient);
    else confirmed.add(recipient);
  };
  const { url } = await startFakeEdge(({ path, body }, response) => {
    if (isClosed) return void response.destroy();
    void edge.fetch(path, { method: "POST", body }).then(async (got) => {
      const text = await got.text();
      const said = JSON.parse(text) as Answer | { readonly results: readonly Answer[] };
      for (const answer of "results" in said ? said.results : [said]) note(answer);
      response.writeHead(got.status, { "content-type": "application/json" }).end(text);
    });
  });
  return {
    url,
    close: () => {
      isClosed = true;
    },
    wasConfirmed: (recipient) => confirmed.has(recipient),
  };
}
