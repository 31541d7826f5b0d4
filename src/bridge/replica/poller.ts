import { type Asked, type Count, MAX_ASKED, MAX_COUNTS, type Position } from "../../api/index.ts";
import { type Changes, ClientError } from "../../client/index.ts";
import { toHex } from "../../directory/index.ts";
import type { Random, Timers } from "../../runtime/ports.ts";
import { TimeoutError, withTimeout } from "../../runtime/timeout.ts";
import { faultInChanges, olderThanKnown } from "./check-changes.ts";
import type { PollFault, ReplicaEdge } from "./ports.ts";
import { reasonOf } from "./reason.ts";

/** How long one answer may take, ms; and the first one, which may come in many pages. */
const TIMEOUT = 5_000;
const FIRST_TIMEOUT = 60_000;

/** An answer that is in order, or why there is none. */
export type Polled =
  | { readonly fault: null; readonly changes: Changes }
  | { readonly fault: PollFault; readonly why: string };

/** Asks the Registries through the edge what changed. */
export class Poller {
  readonly #edge: Pick<ReplicaEdge, "changes">;
  readonly #random: Random;
  readonly #timers: Timers;
  readonly #partitionOf: (domain: string, partitions: number) => number;

  constructor(
    edge: Pick<ReplicaEdge, "changes">,
    random: Random,
    timers: Timers,
    partitionOf: (domain: string, partitions: number) => number,
  ) {
    this.#edge = edge;
    this.#random = random;
    this.#timers = timers;
    this.#partitionOf = partitionOf;
  }

  /**
   * Asks one Registry. Never rejects because of the edge.
   * @param known what is known of the partition's log
   * @param isFull whether to ask for all of it, and not only for what changed since
   * @param counts what was counted since the last question
   * @param names distinct names that were asked for since
   */
  async ask(
    partition: number,
    known: Position | null,
    isFull: boolean,
    counts: readonly Count[],
    names: readonly Asked[],
  ): Promise<Polled> {
    const since = isFull ? null : known;
    const question = {
      partition,
      since,
      nonce: toHex(this.#random.bytes(16)),
      ...(counts.length === 0 ? {} : { counts: counts.slice(0, MAX_COUNTS) }),
      ...(names.length === 0 ? {} : { asked: names.slice(0, MAX_ASKED) }),
    };
    let changes: Changes;
    const timeout = since === null ? FIRST_TIMEOUT : TIMEOUT;
    try {
      changes = await withTimeout(this.#timers, timeout, () => this.#edge.changes(question));
    } catch (error) {
      if (error instanceof TimeoutError) return { fault: "unreachable", why: "no answer in time" };
      if (!(error instanceof ClientError)) throw error;
      return { fault: faultOf(error), why: reasonOf(error) };
    }
    const { incarnation, asOf: number } = changes.answer;
    const older = olderThanKnown({ incarnation, number }, known);
    if (older !== null) return { fault: "older", why: `${older.why}: ${older.fix}` };
    const why = faultInChanges(changes, known, this.#partitionOf);
    return why === null ? { fault: null, changes } : { fault: "unusable", why };
  }
}

function faultOf(error: ClientError): PollFault {
  if (error.transient) return "unreachable";
  return error.kind === "protocol" || error.kind === "challenge" ? "unusable" : "refused";
}
