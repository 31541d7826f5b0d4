/**
 * MTA Hooks as Stalwart sends them, with the settings of the files beside this one. Stalwart itself is not run:
 * hook-client.ts does what its source does.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { codesOfReply, type Difference, type Entry, type Listeners } from "../rig.ts";
import { type HookSettings, rcptReply } from "./hook-client.ts";

/** The members of Stalwart's `MtaHook` that the files set and that matter to an SMTP client. */
interface MtaHook {
  readonly url: string;
  readonly enable: {
    readonly match: readonly { readonly if: string; readonly then: string }[];
    readonly else: string;
  };
  readonly stages: Readonly<Record<string, true>>;
  readonly httpAuth: { readonly "@type": "Unauthenticated" | "Bearer" };
  readonly timeout: number;
  readonly maxResponseSize: number;
  readonly tempFailOnError: boolean;
}

/** The hook of a plan for `stalwart-cli apply`: one operation in one line. */
export function hookOf(file: string): MtaHook {
  const plan = JSON.parse(readFileSync(join(import.meta.dirname, file), "utf8")) as {
    readonly value: { readonly rollcall: MtaHook };
  };
  return plan.value.rollcall;
}

const IN_LOWER_CASE: Difference = {
  rows: ["case-sensitive"],
  codes: "550 5.1.1",
  because: "Stalwart asks with the address in lower case",
};

const entryOf = (
  name: string,
  title: string,
  file: string,
  differences: readonly Difference[],
  at: (listeners: Listeners) => Pick<HookSettings, "url" | "authorization" | "authority">,
): Entry => ({
  name,
  title,
  missing: null,
  codes: ({ action, reply }) => (action === "accept" ? "250 2.1.5" : codesOfReply({ reply })),
  differences,
  start: async (listeners) => {
    const { timeout, maxResponseSize, tempFailOnError } = hookOf(file);
    const settings = { timeout, maxResponseSize, tempFailOnError, ...at(listeners) };
    return {
      rcpt: (recipient) => rcptReply(settings, [recipient]),
      stop: async () => undefined,
    };
  },
});

export const stalwart = entryOf(
  "stalwart",
  "Stalwart, bridge (not run)",
  "bridge.ndjson",
  [IN_LOWER_CASE],
  ({ http }) => ({ url: `http://${http}/v1/hooks/mta`, authorization: null, authority: null }),
);

export const stalwartAtTheEdge = entryOf(
  "stalwart-edge",
  "Stalwart, edge (not run)",
  "edge.ndjson",
  [
    IN_LOWER_CASE,
    {
      rows: ["dot-first", "dot-last", "dots-two"],
      codes: "501 5.1.3",
      because:
        "the edge judges the spelling that it gets, and the bridge quotes the local part before it asks",
    },
  ],
  ({ edge }) => ({
    url: `${edge.url}/v1/hooks/mta`,
    authorization: `Bearer ${edge.token}`,
    authority: edge.authority === null ? null : readFileSync(edge.authority, "utf8"),
  }),
);
