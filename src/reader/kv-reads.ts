/** Reads of KV, each with a time limit; a failure is reported to the observer and thrown. */
import { openRoster, type Roster, rosterKey } from "../directory/index.ts";
import { messageOf } from "../runtime/message-of.ts";
import { withTimeout } from "../runtime/timeout.ts";
import { faultKindOf } from "./faults.ts";
import { OperationLimitError, type ReaderContext, type ReaderPorts } from "./ports.ts";
import { WORK_TIMEOUT } from "./single-flight.ts";

/** Half of the time, so that the Registry can still be asked. Milliseconds. */
const KV_TIMEOUT = WORK_TIMEOUT / 2;
/** Shortest cacheTtl, seconds: the platform port raises it to what KV accepts. */
export const SHORT_TTL = 30;
/** For blobs, which are named by their content and never change. */
export const LONG_TTL = 31_536_000;

export class KvReads {
  readonly #ports: ReaderPorts;

  constructor(ports: ReaderPorts) {
    this.#ports = ports;
  }

  /** Bytes of a key, null where KV has none, undefined where it cannot be read. */
  async bytes(context: ReaderContext, key: string, cacheTtl: number): Promise<Uint8Array | null | undefined> {
    try {
      return await this.#read(() => context.kv.get(key, cacheTtl));
    } catch (error) {
      if (error instanceof OperationLimitError) throw error;
      return undefined;
    }
  }

  /**
   * A roster, null where KV has none.
   * @throws where it cannot be read or is damaged: that must not look as if no domain were served
   */
  async roster(context: ReaderContext, name: string): Promise<Roster | null> {
    const key = rosterKey(name);
    const texts = await this.#read(() => context.kv.getTexts([key], SHORT_TTL));
    const text = texts.get(key) ?? null;
    try {
      return text === null ? null : openRoster(text, name, this.#ports.rosterMac);
    } catch (error) {
      this.#ports.observer.fault(faultKindOf(error, "damaged_roster"), null, messageOf(error));
      throw error;
    }
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await withTimeout(this.#ports.timers, KV_TIMEOUT, read);
    } catch (error) {
      if (!(error instanceof OperationLimitError)) {
        this.#ports.observer.fault("kv_unreadable", null, messageOf(error));
      }
      throw error;
    }
  }
}
