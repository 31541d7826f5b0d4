import type { AskEdge } from "./edge-source/ask-edge.ts";
import type { ListStatesOptions } from "./edge-source/list-states.ts";
import type { TokenSource } from "./edge-source/token.ts";
import type { ReplicaEdge } from "./replica/ports.ts";
import type { BridgeSettings } from "./settings.ts";

/** The edge under one set of settings. */
export interface EdgeConnection {
  readonly ask: AskEdge;
  /** One page of the state of the lists. */
  readonly page: ListStatesOptions["page"];
  /** For a replica. */
  readonly replica?: ReplicaEdge;
  /** The edge's URL, for the log. */
  readonly origin: string;
  close(): void;
}

/** What a bridge works with. A reload reads it again. */
export interface BridgeConfiguration {
  readonly settings: BridgeSettings;
  readonly edge: EdgeConnection;
  /** The token that the edge is asked with. */
  readonly token: TokenSource;
}
