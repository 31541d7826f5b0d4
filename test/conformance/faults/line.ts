import type { Entry, FaultKind, Listeners, Patience, Rig, Way } from "../../../integrations/rig.ts";
import type { Cleanup } from "../../mta/support/cleanup.ts";
import { type Bridge, startBridge } from "../../mta/support/command.ts";
import { type Reply, SmtpSession } from "../../mta/support/smtp-client.ts";
import { listenersOf } from "../listeners.ts";
import type { Certificates } from "./certificates.ts";
import { type EdgeFront, startEdgeFront } from "./edge-front.ts";

/** What the matrix has to know about a way to ask. */
export interface AskingWay extends Pick<Way, "title" | "asks" | "patience"> {
  /** The code of a refusal; 550 if left out. */
  readonly refusal?: number;
}

/** A client that names recipients: an SMTP session, or what stands for one in a front end without SMTP. */
export type Conversation = Pick<SmtpSession, "rcpt" | "quit" | "destroy">;

/** A started front end. */
export interface FrontEnd {
  /** A stranger's conversation, with its sender. */
  open(): Promise<Conversation>;
  /** Whether its main process is still there. An entry is a client without a process. */
  isRunning?(): boolean;
}

/** One way to ask, with a front end, a bridge and an edge of its own. */
export interface Line extends FrontEnd {
  readonly way: AskingWay;
  readonly front: EdgeFront;
  readonly bridge: Bridge;
}

/** How to start a front end that asks in one way. */
export interface Starter {
  readonly way: AskingWay;
  start(listeners: Listeners, cleanup: Cleanup): Promise<FrontEnd>;
}

/** A mail server, in each way that it asks. */
export const startersOf = (rig: Rig): Starter[] =>
  rig.ways.map((way) => ({
    way,
    start: async (listeners, cleanup) => {
      const server = await rig.start(way, listeners, ["example.com"]);
      cleanup.add(() => server.stop());
      const from = rig.client === undefined ? {} : { from: rig.client };
      return {
        open: () => SmtpSession.open({ port: server.port, sender: "someone@elsewhere.example", ...from }),
        isRunning: () => server.isRunning(),
      };
    },
  }));

/** A front end without SMTP. */
export const starterOf = (entry: Entry, asks: Way["asks"]): Starter => ({
  way: { title: entry.title, asks },
  start: async (listeners, cleanup) => {
    const running = await entry.start(listeners, ["example.com"]);
    cleanup.add(() => running.stop());
    const conversation: Conversation = {
      rcpt: async (path) => {
        const start = performance.now();
        return replyOf(await running.rcpt(path.replace(/^<|>$/g, "")), performance.now() - start);
      },
      quit: async () => undefined,
      destroy: () => undefined,
    };
    return { open: async () => conversation };
  },
});

/** @throws Error if the text is no reply */
function replyOf(line: string, ms: number): Reply {
  const [, code, enhanced, text] = /^(\d{3}) (?:([245]\.\d+\.\d+) )?(.*)$/.exec(line) ?? [];
  if (code === undefined) throw new Error(`not a reply: ${line}`);
  return { code: Number(code), enhanced: enhanced ?? null, text: text ?? "", ms };
}

export async function startLine(
  { way, start }: Starter,
  certificates: Certificates,
  cleanup: Cleanup,
): Promise<Line> {
  const front = await startEdgeFront(cleanup, certificates);
  const { authority } = certificates;
  const bridge = await startBridge(front, cleanup, ["--ca-file", authority]);
  return { way, front, bridge, ...(await start(listenersOf(bridge, front, authority), cleanup)) };
}

/** What is special about a way under a fault. */
export const patienceOf = (way: AskingWay, kind: FaultKind | undefined): Patience | undefined =>
  kind === undefined ? undefined : way.patience?.find(({ faults }) => faults.includes(kind));

/** Whether a way gets its answers from the bridge, so that the bridge's faults concern it and its cache helps. */
export const asksBridge = ({ asks }: AskingWay): boolean => asks !== "edge";

/** Texts that would say something about the recipient, which no fault may. */
export const DISHONEST = /unknown|no such|not exist|disabled|moved|full\b|quota|not served|relay/i;
