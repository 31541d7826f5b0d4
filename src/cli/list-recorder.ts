import type { KeptLists, ListWriter } from "../publish/index.ts";
import type { Cli, EdgeOptions } from "./context.ts";

/** The lists that this run would keep; a host that cannot keep them publishes all the same. */
export class Keeping {
  readonly lists: KeptLists | null;
  readonly #cli: Cli;
  readonly #writers = new Map<string, ListWriter>();
  #warned = false;

  constructor(cli: Cli, lists: KeptLists | null) {
    this.#cli = cli;
    this.lists = lists;
  }

  begin(domain: string): ListWriter | null {
    let writer: ListWriter | null = null;
    this.#try(() => {
      writer = this.lists?.begin(domain) ?? null;
      if (writer !== null) this.#writers.set(domain, writer);
    });
    return writer;
  }

  /** The list that this run read for a domain, or null where it is not kept. */
  written(domain: string): ListWriter | null {
    return this.#writers.get(domain) ?? null;
  }

  /** The lists of these domains are the heads now. */
  published(options: EdgeOptions, generations: Readonly<Record<string, number>>): void {
    const { platform } = this.#cli;
    const url = this.#cli.url(options);
    for (const [domain, generation] of Object.entries(generations)) {
      this.#try(() => {
        this.#writers.get(domain)?.keep();
        this.#writers.delete(domain);
        this.lists?.notePublished(domain, { url, generation, time: platform.now() });
      });
    }
  }

  dropRest(): void {
    for (const writer of this.#writers.values()) this.#try(() => writer.drop());
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!this.#warned)
        this.#cli.output.warn(`the list cannot be kept on this host: ${(error as Error).message}`);
      this.#warned = true;
    }
  }
}
