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
 * ends, the rest are still here. Questions of a connection are answered here until its turn, however many are before it.
 */
export class Giving {
  readonly #give: Give;
  /** Those that have not had their turn, one after the other. */
  readonly #line = new Semaphore(1);
  /** To be on the way. One that had to be waited for in its turn stands behind one of the line only. */
  readonly #turns = new Semaphore(1);
  readonly #underWay = new Set<Promise<void>>();
  #isOver = false;

  constructor(give: Give) {
    this.#give = give;
  }

  /** Gives none away that has not had its turn. The others are to be kept: see {@link Connection.keep}. */
  end(): void {
    this.#isOver = true;
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
    let quiet: Promise<boolean>;
    const next = await this.#line.acquire();
    try {
      if (this.#isOver) return;
      quiet = connection.release();
      // One whose replies are missing lets others go first.
      if (await Promise.race([quiet, null])) return await this.#giveNow(connection, leave);
    } finally {
      next();
    }
    if (await quiet) await this.#giveNow(connection, leave);
  }

  async #giveNow(connection: Connection, leave: (state: ParserState) => HandedOver): Promise<void> {
    const release = await this.#turns.acquire();
    try {
      const state = connection.giveAway();
      if (state !== null) await this.#give(leave(state));
    } finally {
      release();
    }
  }
}
