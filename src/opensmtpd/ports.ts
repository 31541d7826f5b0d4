import type { Clock, Timers } from "../runtime/ports.ts";

/** A connection to the bridge. */
export interface Wire {
  write(text: string): void;
  destroy(): void;
}

export interface WireEvents {
  data(bytes: Uint8Array): void;
  /** Once, at its end, whatever ends it. @param why such as "connect ECONNREFUSED 127.0.0.1:10023" */
  closed(why: string): void;
}

/** Opens a connection. Never throws; what is written before it is open is sent when it is. */
export type Dial = (events: WireEvents) => Wire;

export interface TablePorts {
  /** Monotonic milliseconds. */
  readonly clock: Clock;
  readonly timers: Timers;
  readonly dial: Dial;
  /** What smtpd sends; ends when smtpd closes it. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Settles when smtpd has taken it, or is gone. */
  write(text: string): Promise<void>;
  /** One line for the log, without addresses of recipients. */
  log(text: string): void;
}
