/** Who asks, as far as turns need it: one connection of a mail server. Only its identity counts. */
export type Client = object;

/** The clients that wait for the answer to one question. */
export class Askers {
  readonly #clients: Set<Client>;
  #joined: (client: Client) => unknown = () => undefined;

  constructor(first: Client) {
    this.#clients = new Set([first]);
  }

  /** Another client asks the same. */
  add(client: Client): void {
    if (this.#clients.has(client)) return;
    this.#clients.add(client);
    this.#joined(client);
  }

  /**
   * Visits each client, and from now on each that is added.
   * @returns whether `visit` was true for one of those who ask already
   */
  each(visit: (client: Client) => boolean): boolean {
    this.#joined = visit;
    return [...this.#clients].map(visit).includes(true);
  }
}
