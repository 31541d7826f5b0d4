import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";
import { within } from "./within.ts";

/** A connection to a server, for one read. */
export interface Connection {
  /** Reads the whole source. A PublishError is passed on; everything else is of the driver. */
  read(): Promise<void>;
  /** Ends the connection at once, whatever it does, or has been ended before. */
  cut(): void;
  /** The error to report for one of the driver. */
  faultOf(error: unknown): PublishError;
}

/**
 * Reads a source over a connection, which is cut when the read ends, the caller stops it, or the time is over.
 * @param seconds within which everything must end
 * @param open gets a signal that is aborted when the connection is cut early
 * @throws PublishError `input` if the time is over, or the source was not read to its end
 */
export const readOver = (
  seconds: number,
  host: Pick<SourceHost, "shown" | "sleep">,
  signal: AbortSignal,
  open: (signal: AbortSignal) => Connection | Promise<Connection>,
): Promise<void> =>
  within(seconds, host, signal, async (limited) => {
    const connection = await open(limited);
    const cut = (): void => connection.cut();
    limited.addEventListener("abort", cut, { once: true });
    try {
      await connection.read();
    } catch (error) {
      // What a driver says of a connection that we cut is of no interest.
      limited.throwIfAborted();
      throw error instanceof PublishError ? error : connection.faultOf(error);
    } finally {
      limited.removeEventListener("abort", cut);
      cut();
    }
  });
