import type { FaultKind, MailServer, Patience, Rig, Way } from "../../../integrations/rig.ts";
import type { Cleanup } from "../../mta/support/cleanup.ts";
import { type Bridge, startBridge } from "../../mta/support/command.ts";
import { SmtpSession } from "../../mta/support/smtp-client.ts";
import { listenersOf } from "../listeners.ts";
import type { Certificates } from "./certificates.ts";
import { type EdgeFront, startEdgeFront } from "./edge-front.ts";

/** One way to ask, with a mail server, a bridge and an edge of its own. */
export interface Line {
  readonly rig: Rig;
  readonly way: Way;
  readonly front: EdgeFront;
  readonly bridge: Bridge;
  readonly server: MailServer;
}

export async function startLine(
  rig: Rig,
  way: Way,
  certificates: Certificates,
  cleanup: Cleanup,
): Promise<Line> {
  const front = await startEdgeFront(cleanup, certificates);
  const { authority } = certificates;
  const bridge = await startBridge(front, cleanup, ["--ca-file", authority]);
  const server = await rig.start(way, listenersOf(bridge, front, authority), ["example.com"]);
  cleanup.add(() => server.stop());
  return { rig, way, front, bridge, server };
}

/** A stranger's session, with its sender. */
export const openAt = ({ rig, server }: Line): Promise<SmtpSession> =>
  SmtpSession.open({
    port: server.port,
    sender: "someone@elsewhere.example",
    ...(rig.client === undefined ? {} : { from: rig.client }),
  });

/** What is special about a way under a fault. */
export const patienceOf = (way: Way, kind: FaultKind | undefined): Patience | undefined =>
  kind === undefined ? undefined : way.patience?.find(({ faults }) => faults.includes(kind));

/** Whether a way gets its answers from the bridge, so that the bridge's faults concern it and its cache helps. */
export const asksBridge = ({ asks }: Way): boolean => asks !== "edge";

/** Texts that would say something about the recipient, which no fault may. */
export const DISHONEST = /unknown|no such|not exist|disabled|moved|full\b|quota|not served|relay/i;
