import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";

/**
 * Limits the time of one read.
 * @param seconds within which `work` must end
 * @param signal of the caller; `work` gets one that is aborted after the time as well
 * @throws PublishError `input` if the time is over
 */
export async function within(
  seconds: number,
  { shown, sleep }: Pick<SourceHost, "shown" | "sleep">,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const late = new AbortController();
  const done = new AbortController();
  const limit = sleep(seconds * 1000, done.signal).then(() => {
    if (!done.signal.aborted) late.abort(new Error("timeout"));
  });
  const limited = AbortSignal.any([signal, late.signal]);
  const stopped = new Promise<never>((_, reject) => {
    limited.addEventListener("abort", () => reject(limited.reason), { once: true });
  });
  try {
    signal.throwIfAborted();
    // Not every driver settles what it was doing when its connection is cut.
    await Promise.race([work(limited), stopped]);
  } catch (error) {
    signal.throwIfAborted();
    if (!late.signal.aborted) throw error;
    throw new PublishError(
      "input",
      `${shown} was not read within ${seconds} s (timeout); nothing of it was used`,
      "check the server, or set a longer timeout",
    );
  } finally {
    done.abort();
    await limit;
  }
}
