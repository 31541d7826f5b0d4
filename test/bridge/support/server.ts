import { createServer } from "node:http";
import { afterEach } from "vitest";
import type { Resolution } from "../../../src/bridge/answers/resolution.ts";
import type { ListenAddress } from "../../../src/bridge/index.ts";
import { AllowedPeers } from "../../../src/bridge/listeners/peers.ts";
import { BridgeServer } from "../../../src/bridge/listeners/server.ts";
import type { LookupName } from "../../../src/bridge/protocols/lookups.ts";
import { answerOf } from "./answers.ts";
import { VirtualTime } from "./virtual-time.ts";

export const LOOPBACK: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

export type Resolve = (recipient: string, now: number, client: object) => Resolution | Promise<Resolution>;

export const accept = (recipient: string): Resolution => ({
  answer: answerOf(recipient, "deliverable"),
  source: "cache",
});

/** A server under virtual time, on real sockets, that stops after the test. */
export function startServer({
  resolve = accept as Resolve,
  maxConnections = 20_000,
  socketMode = 0o660,
  time = new VirtualTime(),
  isAllowed = (address: string | undefined): boolean => new AllowedPeers([]).allows(address),
  answered = (): void => undefined,
  malformed = (): void => undefined,
  fault = (error: unknown): void => {
    throw error;
  },
} = {}) {
  const rejected: string[] = [];
  const foreign: string[] = [];
  const server = new BridgeServer({
    ...time,
    wall: () => time.clock.now(),
    maxConnections: () => maxConnections,
    isAllowed,
    rejected: ({ name }) => rejected.push(name),
    foreign: ({ name }) => foreign.push(name),
    metrics: () => createServer(),
    context: {
      clock: time.clock,
      resolve,
      answered,
      malformed,
      fault,
      turn: () => new Promise((resolve) => setImmediate(resolve)),
    },
  });
  let stopping: Promise<void> | null = null;
  /** @returns the virtual milliseconds that it took */
  const stop = async (): Promise<number> => {
    const from = time.clock.now();
    stopping ??= server.stop();
    await time.until(stopping);
    return time.clock.now() - from;
  };
  stops.push(stop);
  const listen = (name: LookupName, address = LOOPBACK): Promise<ListenAddress> =>
    server.listen(name, address, socketMode);
  return { time, server, listen, stop, rejected, foreign };
}
