/** Every fault of the matrix, except those for which a mail server has to be waited for: see stalled.ts. */
import { createConnection, type Socket } from "node:net";
import type { FaultKind } from "../../../integrations/rig.ts";
import type { CertificateName } from "./certificates.ts";
import { sendJson } from "./edge-front.ts";
import type { Line } from "./line.ts";
import { existsFor, MISBEHAVIOURS } from "./misbehaviour.ts";
import { lie } from "./truth.ts";

export interface Fault {
  readonly name: string;
  /** Whether the edge fails, or the bridge and its way to the edge, which a mail server without a bridge does not have. */
  readonly at: "edge" | "bridge";
  /** For which kind of fault mail servers may differ. */
  readonly kind?: FaultKind;
  /** Whether it does not exist for a front end that asks the edge with a hook. */
  readonly inAnswersOnly?: boolean;
  begin(line: Line): unknown;
  end(line: Line): unknown;
  /** Whether what the bridge knew is still there while the fault lasts. */
  readonly keepsCache: boolean;
  /** Whether the SMTP client notices nothing. */
  readonly isUnseen?: boolean;
  /** Whether the reply has to wait for a timeout. */
  readonly takesTime?: boolean;
  /** Whether it is tried without ROLLCALL_FULL=1, too. */
  readonly isSample?: boolean;
}

const SAMPLE = ["hangs before the answer", "404", "HTML"];

const misbehaving: readonly Fault[] = Object.entries(MISBEHAVIOURS).map(([name, misbehaviour]) => {
  const takesTime = /^(?:hangs|drips)/.test(name);
  return {
    name: `edge: ${name}`,
    at: "edge",
    ...(takesTime ? { kind: "silent" } : {}),
    inAnswersOnly: !existsFor({ name: "hook" }, name),
    begin: ({ front }) => {
      front.misbehaviour = misbehaviour;
    },
    end: ({ front }) => {
      front.misbehaviour = null;
    },
    keepsCache: true,
    takesTime,
    isSample: SAMPLE.includes(name),
  };
});

/** Listens with another certificate, and would lie to everyone who takes it. */
async function showCertificate({ front }: Line, certificate: CertificateName): Promise<void> {
  front.certificate = certificate;
  front.misbehaviour =
    certificate === "good"
      ? null
      : (truth, response, { encode }) => sendJson(response, 200, encode(lie(truth)));
  await front.close();
  await front.listen();
}

const certificates = (["wrong name", "expired", "unknown authority"] as const).map(
  (name): Fault => ({
    name: `edge: TLS certificate, ${name}`,
    at: "edge",
    begin: (line) => showCertificate(line, name),
    end: (line) => showCertificate(line, "good"),
    keepsCache: true,
    isSample: name === "wrong name",
  }),
);

const atTheEdge: readonly Fault[] = [
  {
    name: "edge: refuses connections",
    at: "edge",
    begin: ({ front }) => front.close(),
    end: ({ front }) => front.listen(),
    keepsCache: true,
    isSample: true,
  },
  ...misbehaving,
  ...certificates,
  {
    name: "edge: its name is not found (DNS)",
    at: "bridge",
    kind: "silent",
    begin: async ({ bridge }) => {
      await bridge.stop();
      await bridge.start("https://edge.rollcall.invalid");
    },
    end: async ({ bridge, front }) => {
      await bridge.stop();
      await bridge.start(front.url);
    },
    keepsCache: false,
    // As long as the resolver takes to say so.
    takesTime: true,
  },
];

const CONNECTIONS = 4;
const fillers = new Map<Line, Socket[]>();

/** Starts the bridge with a low limit of connections, and uses it up. */
async function refuseConnections(line: Line): Promise<void> {
  const { bridge } = line;
  await bridge.stop();
  await bridge.start(undefined, ["--max-connections", String(CONNECTIONS)]);
  const sockets = Array.from({ length: CONNECTIONS }, () =>
    createConnection({ port: bridge.socketmap, host: "127.0.0.1" }).on("error", () => undefined),
  );
  fillers.set(line, sockets);
  // Each is accepted before the next one: an answer proves it.
  for (const socket of sockets) {
    await new Promise((resolve) => {
      socket.once("data", resolve).write("10:recipients,");
    });
  }
}

const atTheBridge: readonly Fault[] = [
  {
    name: "bridge: stopped",
    at: "bridge",
    kind: "stopped",
    begin: ({ bridge }) => bridge.stop(),
    end: ({ bridge }) => bridge.start(),
    keepsCache: false,
    isSample: true,
  },
  {
    name: "bridge: killed",
    at: "bridge",
    kind: "stopped",
    begin: ({ bridge }) => bridge.stop("SIGKILL"),
    end: ({ bridge }) => bridge.start(),
    keepsCache: false,
  },
  {
    name: "bridge: restarted",
    at: "bridge",
    kind: "restarted",
    begin: async ({ bridge }) => {
      await bridge.stop();
      await bridge.start();
    },
    end: () => undefined,
    keepsCache: false,
    isUnseen: true,
  },
  {
    name: "bridge: at its limit of connections",
    at: "bridge",
    kind: "refusing",
    begin: refuseConnections,
    end: async (line) => {
      for (const socket of fillers.get(line) ?? []) socket.destroy();
      await line.bridge.stop();
      await line.bridge.start();
    },
    keepsCache: false,
  },
];

export const FAULTS: readonly Fault[] = [...atTheEdge, ...atTheBridge];
