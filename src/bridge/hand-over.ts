import { messageOf } from "../runtime/message-of.ts";
import type { InheritedListener } from "./listeners/listeners.ts";
import type { BridgeServer, ServedName } from "./listeners/server.ts";
import type { BridgeLog } from "./observability/log.ts";
import type { Successor } from "./takeover.ts";

export interface HandOverOptions {
  readonly server: BridgeServer;
  readonly log: Pick<BridgeLog, "replaced" | "replaceFailed">;
  /** A connection could not be given away. */
  lost(error: Error): void;
  /** Ends what this process does besides serving: the other one does it from now on. */
  endWork(): Promise<void>;
}

/** Hands the bridge over to another process. */
export class HandOver {
  readonly #options: HandOverOptions;
  #successor: Successor | null = null;
  #isUnderWay = false;
  #isStopping = false;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /**
   * Starts the other process and hands over once it listens.
   * @returns whether it did; if not, this process continues
   */
  async to(start: (listeners: readonly InheritedListener<ServedName>[]) => Successor): Promise<boolean> {
    if (this.#isUnderWay || this.#isStopping) return false;
    this.#isUnderWay = true;
    try {
      const successor = start(this.#options.server.descriptors());
      this.#successor = successor;
      await successor.ready;
      // A stop ends both.
      if (this.#isStopping) return false;
      await this.#give(successor);
      return true;
    } catch (error) {
      this.#isUnderWay = false;
      this.#successor = null;
      this.#options.log.replaceFailed(messageOf(error));
      return false;
    }
  }

  /** This process stops: nothing is handed over any more, and another one that has begun ends. */
  stop(): void {
    this.#isStopping = true;
    this.#successor?.abort();
  }

  /** From here on nothing can fail: the other process listens, and this one ends. */
  async #give(successor: Successor): Promise<void> {
    const { server, log, lost, endWork } = this.#options;
    let connections = 0;
    await server.handOver(async (connection) => {
      const error = await successor.give(connection);
      if (error === null) connections++;
      else lost(error);
    });
    await successor.done();
    await endWork();
    log.replaced(successor.pid, connections);
  }
}
