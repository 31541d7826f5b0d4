import type { Timers } from "../runtime/ports.ts";
import type { Fetcher } from "./fetch.ts";
import type { LogClient } from "./log-client.ts";
import type { LogView } from "./log-view.ts";
import type { ReaderContext } from "./ports.ts";

/** Half-way through the window, one request refreshes what answers are based on, after its own answer was sent. */
export class BackgroundRefresh {
  readonly #timers: Timers;
  readonly #logClient: LogClient;
  readonly #fetcher: Fetcher;

  constructor(timers: Timers, logClient: LogClient, fetcher: Fetcher) {
    this.#timers = timers;
    this.#logClient = logClient;
    this.#fetcher = fetcher;
  }

  /** Starts a refresh if one is due: at most one per request, and none while another request does. */
  start(context: ReaderContext, view: LogView, now: number): void {
    if (!view.isDue(now)) return;
    const name = `background refresh ${view.partition}`;
    if (context.pending.has(name) || this.#logClient.isRefreshing(view)) return;
    const work = this.#run(context, view);
    context.pending.set(name, work);
    context.background(work);
  }

  async #run(context: ReaderContext, view: LogView): Promise<void> {
    // The answer goes out first.
    await this.#timers.sleep(0);
    if (this.#logClient.isRefreshing(view)) return;
    await this.#logClient.refresh(context, view);
    await this.#fetcher.catchUp(context, view);
  }
}
