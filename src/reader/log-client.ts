import { listsNothing, type QuestionAnswer, type Result } from "../api/index.ts";
import { messageOf } from "../runtime/message-of.ts";
import { TimeoutError, withTimeout } from "../runtime/timeout.ts";
import type { ColdReads } from "./cold-reads.ts";
import type { KvReads } from "./kv-reads.ts";
import type { LogView } from "./log-view.ts";
import { OperationLimitError, type ReaderContext, type ReaderPorts } from "./ports.ts";
import { type SingleFlight, WORK_TIMEOUT } from "./single-flight.ts";

/** After this time KV's roster is read too, while the Registry's answer may still arrive. Milliseconds. */
const ROSTER_DELAY = WORK_TIMEOUT / 2;
/** After so long without an answer, KV's roster may show a later contact. */
const SILENCE = 3_600_000;

/** Asks the Registries what changed, and applies their answers to the log views. */
export class LogClient {
  readonly #partitions: number;
  readonly #mostHeads: number;
  readonly #ports: ReaderPorts;
  readonly #reads: KvReads;
  readonly #flight: SingleFlight;
  readonly #coldReads: ColdReads;

  /**
   * @param partitions how many there are
   * @param mostHeads how many heads a Registry may list to a reader that knows nothing
   */
  constructor(
    partitions: number,
    mostHeads: number,
    ports: ReaderPorts,
    reads: KvReads,
    flight: SingleFlight,
    coldReads: ColdReads,
  ) {
    this.#partitions = partitions;
    this.#mostHeads = mostHeads;
    this.#ports = ports;
    this.#reads = reads;
    this.#flight = flight;
    this.#coldReads = coldReads;
  }

  /** Whether a refresh is running, or failed a moment ago. */
  isRefreshing({ partition }: LogView): boolean {
    const name = refreshOf(partition);
    return this.#flight.isRunning(name) || this.#flight.isPaused(name);
  }

  /** Asks what changed, unless another request does. @returns false if that failed just now */
  async refresh(context: ReaderContext, view: LogView): Promise<boolean> {
    const { applied, partition } = view;
    const name = refreshOf(partition);
    await this.#flight.run(context, {
      name,
      isSettled: () => view.applied > applied,
      run: () => this.#update(context, view),
      ended: (error) => {
        view.noteRefresh(this.#ports.clock.now());
        this.#coldReads.allow();
        // A Registry that hangs reports no fault itself.
        if (error instanceof TimeoutError) this.#noteUnreachable(partition, error);
      },
    });
    return !this.#flight.isPaused(name);
  }

  /** The newest manifest of a domain, null if it has none. Also applies what changed. */
  async manifest(context: ReaderContext, view: LogView, domain: string): Promise<Uint8Array | null> {
    return (await this.#ask(context, view, domain)).wanted?.manifest ?? null;
  }

  /** Bytes of a blob, null if the Registry does not have it. */
  blob(
    context: ReaderContext,
    { partition }: LogView,
    domain: string,
    id: string,
    isMissed: boolean,
  ): Promise<Uint8Array | null> {
    return this.#answered(partition, () => context.log(partition).blob(domain, id, isMissed));
  }

  /**
   * Asks the Registry first, and reads KV's roster only if that is not enough: a Registry of many domains does not
   * list them to every reader that starts, and where no answer comes, the roster shows when it was last alive.
   */
  async #update(context: ReaderContext, view: LogView): Promise<void> {
    const since = view.position;
    const question = this.#ask(context, view, null, this.#mostHeads);
    try {
      await withTimeout(this.#ports.timers, ROSTER_DELAY, () => question);
    } catch {
      const isSilent = this.#ports.clock.now() - view.lastContact > SILENCE;
      if (view.position === null || isSilent) await this.#startFromRoster(context, view);
    }
    // If the question failed, so does the refresh; if it is late, it has the rest of the time.
    if (!listsNothing(since, await question)) return;
    if (view.position === null) await this.#startFromRoster(context, view);
    await this.#ask(context, view, null);
  }

  async #startFromRoster(context: ReaderContext, view: LogView): Promise<void> {
    try {
      const roster = await this.#reads.roster(context, String(view.partition));
      if (roster?.partitions === this.#partitions) view.startFrom(roster);
    } catch {
      // Without a roster the Registry lists everything, which costs more.
    }
  }

  /**
   * Asks "what changed since N?" and applies the answer. The window starts before the question.
   * @param most heads to list if nothing is known yet; all of them by default
   */
  async #ask(
    context: ReaderContext,
    view: LogView,
    want: string | null,
    most?: number,
  ): Promise<QuestionAnswer> {
    const askedAt = this.#ports.clock.now();
    const since = view.position;
    const limit = since === null && most !== undefined ? { most } : {};
    const question = { since, want, ...limit };
    const answer = await this.#answered(view.partition, () => context.log(view.partition).changes(question));
    view.apply(answer, askedAt, since);
    return answer;
  }

  /** The answer of a Registry. @throws if there is none, after a call of the observer */
  async #answered<T>(partition: number, call: () => Promise<Result<T>>): Promise<T> {
    let result: Result<T>;
    try {
      result = await call();
    } catch (error) {
      if (!(error instanceof OperationLimitError)) this.#noteUnreachable(partition, error);
      throw error;
    }
    if (result.ok) return result.value;
    const { code, message } = result.error;
    // Before the first publish there is no fault to report.
    if (code !== "uninitialised") this.#ports.observer.fault("registry_refuses", null, message);
    throw new Error(message);
  }

  #noteUnreachable(partition: number, error: unknown): void {
    this.#ports.observer.fault("registry_unreachable", null, `Registry ${partition}: ${messageOf(error)}`);
  }
}

const refreshOf = (partition: number): string => `refresh ${partition}`;
