import { messageOf } from "../runtime/message-of.ts";
import type { HandedOver } from "./listeners/giving.ts";
import type { InheritedListener } from "./listeners/listeners.ts";
import type { BridgeServer, ServedName } from "./listeners/server.ts";
import type { BridgeLog, ReplacedCounts } from "./observability/log.ts";
import type { Successor } from "./takeover.ts";

export interface HandOverOptions {
  readonly server: Pick<BridgeServer, "descriptors" | "handOver">;
  readonly log: Pick<BridgeLog, "replaced" | "replaceFailed" | "nobodyListens">;
  /** A connection could not be given away. */
  lost(error: Error): void;
  /** Ends what this process does besides serving: the other one does it from now on. */
  endWork(): Promise<void>;
}

/** What became of a replacement. */
export type Replacement =
  /** The other process serves; this one is to end. */
  | "replaced"
  /** The other process could not start or has ended; this one serves as before. */
  | "continues"
  /** The other process has ended, and this one listens no more: nobody does. */
  | "nobody-listens"
  /** Nothing was done: this process is ending anyway. */
  | "ending";

/** Hands the bridge over to another process. */
export class HandOver {
  readonly #options: HandOverOptions;
  #successor: Successor | null = null;
  #isEnding = false;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Starts the other process and hands over once it listens. One call at a time. */
  async to(start: (listeners: readonly InheritedListener<ServedName>[]) => Successor): Promise<Replacement> {
    if (this.#isEnding) return "ending";
    const { server, log, lost } = this.#options;
    let successor: Successor;
    let connections = 0;
    let closed: number | null;
    const give = async (connection: HandedOver): Promise<void> => {
      const error = await successor.give(connection);
      if (error === null) connections++;
      else lost(error);
    };
    try {
      successor = start(server.descriptors());
      this.#successor = successor;
      await successor.ready;
      // A stop ends both.
      if (this.#isEnding) return "ending";
      closed = await server.handOver(give, successor.ended);
      if (closed === null) throw await successor.ended;
    } catch (error) {
      if (this.#isEnding) return "ending";
      log.replaceFailed(messageOf(error));
      return "continues";
    }
    return this.#end(successor, { connections, closed });
  }

  /** This process stops: nothing is handed over any more, and another one that has begun ends. */
  stop(): void {
    this.#isEnding = true;
    this.#successor?.abort();
  }

  /** This process listens no more. */
  async #end(successor: Successor, counts: ReplacedCounts): Promise<Replacement> {
    const { log, endWork } = this.#options;
    const error = await successor.done();
    const isStopped = this.#isEnding;
    this.#isEnding = true;
    await endWork();
    if (isStopped) return "ending";
    if (error !== null) {
      log.nobodyListens(error.message);
      return "nobody-listens";
    }
    log.replaced(successor.pid, counts);
    return "replaced";
  }
}
