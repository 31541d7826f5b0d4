/** When `rollcall sync --watch` runs. */

/** First pause after a failure; each further one doubles it, up to the interval. */
const FIRST_RETRY_MS = 30_000;
/** A pause is longer or shorter by up to this share, so that many hosts do not ask the edge at the same moment. */
const JITTER = 0.1;
/** Changes of files within this time after the first one count as one. Also the shortest pause between two runs. */
export const DEBOUNCE_MS = 2_000;

export interface WatchPorts {
  /** Resolves after `ms`; early, without an error, if `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A number from 0 to 1. */
  chance(): number;
}

/** Milliseconds until the next run. @param failed how many runs in a row have failed */
export function pauseAfterRun(intervalMs: number, failed: number, chance: number): number {
  const retry = failed === 0 ? intervalMs : Math.min(intervalMs, FIRST_RETRY_MS * 2 ** (failed - 1));
  return retry * (1 - JITTER + 2 * JITTER * chance);
}

/** Lets something outside end the present pause. */
export class Wakeup {
  #pause = new AbortController();
  #isDue = false;

  /** A run is due: the present pause ends, or the next one does at once. */
  readonly wake = (): void => {
    this.#isDue = true;
    this.#pause.abort();
  };

  /** Waits until `ms` are over, {@link wake} is called, or `stop` is aborted. @returns whether it was woken */
  async pause(ms: number, { sleep }: Pick<WatchPorts, "sleep">, stop: AbortSignal): Promise<boolean> {
    this.#pause = new AbortController();
    if (!this.#isDue) await sleep(ms, AbortSignal.any([this.#pause.signal, stop]));
    return this.#isDue;
  }

  /** What woke it is part of the run that begins now. */
  clear(): void {
    this.#isDue = false;
  }
}

export interface WatchOptions {
  readonly intervalMs: number;
  readonly wakeup: Wakeup;
  /** Ends it: between two runs at once, within a run when that has ended. */
  readonly stop: AbortSignal;
  /** One run. @returns whether it failed in any part */
  run(): Promise<boolean>;
  /** Called before each pause, with its length. */
  pausing?(ms: number): void;
}

/** Runs again and again: after the interval, sooner after a failure, and soon after {@link Wakeup.wake}. */
export async function watch(
  ports: WatchPorts,
  { intervalMs, wakeup, stop, run, pausing }: WatchOptions,
): Promise<void> {
  let failed = 0;
  while (!stop.aborted) {
    wakeup.clear();
    failed = (await run()) ? failed + 1 : 0;
    if (stop.aborted) return;
    const ms = pauseAfterRun(intervalMs, failed, ports.chance());
    pausing?.(ms);
    // A program may still be writing the files that changed.
    if (await wakeup.pause(ms, ports, stop)) await ports.sleep(DEBOUNCE_MS, stop);
  }
}
