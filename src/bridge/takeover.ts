import type { HandedOver } from "./listeners/connections.ts";
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
  /** Resolves when it listens. Rejects with an error that says why it does not; it has ended then. */
  readonly ready: Promise<void>;
  /** @returns null, or why the connection was lost */
  give(connection: HandedOver): Promise<Error | null>;
  /** Nothing more follows. Resolves when it has taken everything. */
  done(): Promise<void>;
}

/** The process that is replaced, as the one that takes over sees it. */
export interface Predecessor {
  readonly listeners: readonly InheritedListener<ServedName>[];
  /** To be called when this process listens: says so, and takes connections from then on. */
  ready(take: (connection: HandedOver) => void): void;
}
