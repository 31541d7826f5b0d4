import type { HandedOver } from "./listeners/giving.ts";
import type { InheritedListener } from "./listeners/listeners.ts";
import type { ServedName } from "./listeners/server.ts";
import { PROTOCOL_NAMES, PROTOCOLS, type ProtocolName } from "./protocols/index.ts";
import type { ParserState } from "./protocols/protocol.ts";

/** What the process that is replaced sends along with a connection. */
export interface ConnectionMessage {
  readonly type: "connection";
  readonly protocol: ProtocolName;
  /** Base64: {@link ParserState}. */
  readonly bytes: string;
  readonly memory: string | null;
}

export const messageOf = ({ protocol, state }: HandedOver): ConnectionMessage => ({
  type: "connection",
  protocol: protocol.name as ProtocolName,
  bytes: Buffer.from(state.bytes).toString("base64"),
  memory: state.memory,
});

/** @returns null for what is no such message */
export function handedOverOf(message: unknown, socket: HandedOver["socket"]): HandedOver | null {
  if (typeof message !== "object" || message === null) return null;
  const { type, protocol: name, bytes, memory } = message as Partial<ConnectionMessage>;
  const protocol = PROTOCOL_NAMES.find((each) => each === name);
  if (type !== "connection" || protocol === undefined || typeof bytes !== "string") return null;
  const state: ParserState = { bytes: Buffer.from(bytes, "base64"), memory: memory ?? null };
  // The client may end its side and still wait for the reply.
  socket.allowHalfOpen = true;
  return { protocol: PROTOCOLS[protocol], socket, state };
}

/** The process that takes over, as the one that is replaced sees it. */
export interface Successor {
  readonly pid: number | null;
  /** Resolves with the reason when it has ended. */
  readonly ended: Promise<Error>;
  /** Resolves when it listens. Rejects with an error that says why it does not; it has ended then. */
  readonly ready: Promise<void>;
  /** @returns null once it has the connection, or why the connection was lost; if it has ended, `ended` is resolved by then */
  give(connection: HandedOver): Promise<Error | null>;
  /** Ends it: this process was told to stop. */
  abort(): void;
  /** Nothing more follows. @returns null once it has everything, or why it has ended before */
  done(): Promise<Error | null>;
}

/** The process that is replaced, as the one that takes over sees it. */
export interface Predecessor {
  readonly listeners: readonly InheritedListener<ServedName>[];
  /**
   * To be called when this process listens: says so, and takes connections from then on.
   * @returns resolves when nothing more follows
   */
  ready(take: (connection: HandedOver) => void): Promise<void>;
}
