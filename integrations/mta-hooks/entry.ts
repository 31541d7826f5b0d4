/** MTA Hooks as a client of draft-degennaro-mta-hooks-01 sends them. That client is not run: see hook-client.ts. */
import { readFileSync } from "node:fs";
import { codesOfReply, type Difference, type Entry, type Listeners } from "../rig.ts";
import { DraftClient, type DraftSettings } from "./hook-client.ts";

const entryOf = (
  name: string,
  title: string,
  differences: readonly Difference[],
  at: (listeners: Listeners) => Pick<DraftSettings, "url" | "authorization" | "authority">,
): Entry => ({
  name,
  title,
  missing: null,
  codes: ({ action, reply }) => (action === "accept" ? "250 2.1.5" : codesOfReply({ reply })),
  differences,
  start: async (listeners) => {
    const client = new DraftClient({ timeout: 4_700, ...at(listeners) });
    await client.register();
    return {
      rcpt: (recipient) => client.rcpt(recipient),
      stop: async () => void (await client.deregister()),
    };
  },
});

const PATH = "/v1/hooks/registrations";

export const draftHooks = entryOf(
  "mta-hooks",
  "MTA Hooks of the draft, bridge (not run)",
  [],
  ({ http }) => ({ url: `http://${http}${PATH}`, authorization: null, authority: null }),
);

export const draftHooksAtTheEdge = entryOf(
  "mta-hooks-edge",
  "MTA Hooks of the draft, edge (not run)",
  [
    {
      rows: ["dot-first", "dot-last", "dots-two"],
      codes: "501 5.1.3",
      because:
        "the edge judges the spelling that it gets, and the bridge quotes the local part before it asks",
    },
  ],
  ({ edge }) => ({
    url: `${edge.url}${PATH}`,
    authorization: `Bearer ${edge.token}`,
    authority: edge.authority === null ? null : readFileSync(edge.authority, "utf8"),
  }),
);
