import type { Clock, Timers } from "../runtime/ports.ts";
import { EXPORTS_MAX_AGE, type Exports } from "./exports.ts";
import type { Fetcher } from "./fetch.ts";
import type { LogClient } from "./log-client.ts";
import type { LogView } from "./log-view.ts";
import type { ReaderContext } from "./ports.ts";

/** Half-way through the window, one request refreshes what answers are based on, after its own answer was sent. */
export class BackgroundRefresh {
  readonly #time: { readonly clock: Clock; readonly timers: Timers };
  readonly #window: number;
  readonly #exports: Exports;
  readonly #logClient: LogClient;
  readonly #fetcher: Fetcher;

  /** @param window milliseconds for which a confirmation lasts */
  constructor(
    time: { readonly clock: Clock; readonly timers: Timers },
    window: number,
    exports: Exports,
    logClient: LogClient,
    fetcher: Fetcher,
  ) {
    this.#time = time;
    this.#window = window;
    this.#exports = exports;
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
    await this.#time.timers.sleep(0);
    if (this.#logClient.isRefreshing(view)) return;
    await this.#logClient.refresh(context, view);
    // At the next refresh the exports would be too old, and a check would have to wait for them.
    if (this.#exports.age(this.#time.clock.now()) >= EXPORTS_MAX_AGE - this.#window / 2) {
      await this.#exports.load(context);
    }
    await this.#fetcher.catchUp(context, view);
  }
}
