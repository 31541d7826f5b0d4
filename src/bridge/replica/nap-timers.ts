import type { Timers } from "../../runtime/ports.ts";
import type { AbortableTimers } from "../ports.ts";

/** The bridge's timers, as the reader uses them. */
export const napTimers = (timers: AbortableTimers): Timers => ({
  sleep(ms, nap) {
    if (nap === undefined) return timers.sleep(ms);
    const cancelled = new AbortController();
    nap.cancel = () => cancelled.abort("cancelled");
    return new Promise((resolve) => {
      void timers.sleep(ms, cancelled.signal).then(() => {
        if (!cancelled.signal.aborted) resolve();
      });
    });
  },
});
