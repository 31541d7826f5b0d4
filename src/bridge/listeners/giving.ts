import type { Socket } from "node:net";
import { Semaphore } from "../../runtime/semaphore.ts";
import type { ParserState, Protocol } from "../protocols/protocol.ts";
import type { Connection } from "./connection.ts";

/** A connection that another process continues. */
export interface HandedOver {
  readonly protocol: Protocol;
  readonly socket: Socket;
  readonly state: ParserState;
}

/** Sends a connection to another process. Resolves when that has it, or it is lost. */
export type Give = (connection: HandedOver) => Promise<void>;

/**
 * Gives connections to another process, each when no reply is missing. One is on its way at a time: if the other process
 * ends, the rest are still here.
 */
export class Giving {
  readonly #give: Give;
  readonly #turns = new Semaphore(1);
  readonly #underWay = new Set<Promise<void>>();

  constructor(give: Give) {
    this.#give = give;
  }

  /** @param leave called when the connection is no longer this process's */
  add(connection: Connection, leave: (state: ParserState) => HandedOver): void {
    const given = this.#giveOne(connection, leave).finally(() => this.#underWay.delete(given));
    this.#underWay.add(given);
  }

  /** Resolves when all that were added are given away, or stay here. */
  async all(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #giveOne(connection: Connection, leave: (state: ParserState) => HandedOver): Promise<void> {
    if (!(await connection.release())) return;
    const release = await this.#turns.acquire();
    try {
      const state = connection.giveAway();
      if (state !== null) await this.#give(leave(state));
    } finally {
      release();
    }
  }
}
