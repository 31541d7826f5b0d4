/** The real client under virtual time. */
import { createClient, type RollcallClient } from "../src/client/index.ts";
import type { Fetch } from "./network.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** @param timeoutMs of one request */
export const clientOf = (
  time: VirtualTime,
  fetch: Fetch,
  token: string,
  timeoutMs = 10_000,
): RollcallClient =>
  createClient({
    url: "https://rollcall.test",
    token,
    timeoutMs,
    fetch,
    now: () => time.now(),
    sleep: (ms, signal) => sleep(time, ms, signal),
  });

/** A sleep that ends early if its signal is aborted. */
export const sleep = (time: VirtualTime, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const wake = (): void => {
      callOff();
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const callOff = time.after(ms, wake);
    signal?.addEventListener("abort", wake);
    if (signal?.aborted) wake();
  });
