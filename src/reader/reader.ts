import type { Position } from "../api/index.ts";
import { type Answer, domainOf } from "../directory/index.ts";
import { TimeoutError, withTimeout } from "../runtime/timeout.ts";
import { AnsweredGenerations } from "./answered-generations.ts";
import { BackgroundRefresh } from "./background-refresh.ts";
import { BlobCache, blobName } from "./blob-cache.ts";
import { Check, type Query } from "./check.ts";
import { ColdReads } from "./cold-reads.ts";
import { Decider } from "./decide.ts";
import { traceOf } from "./faults.ts";
import { Fetcher } from "./fetch.ts";
import { KvReads } from "./kv-reads.ts";
import { LogClient } from "./log-client.ts";
import type { LogView } from "./log-view.ts";
import { LogViews } from "./log-views.ts";
import type { AskedName, ReaderContext, ReaderPorts, ReaderSettings } from "./ports.ts";
import { SingleFlight } from "./single-flight.ts";
import { deferral, MAX_CONFIRMATIONS, type Step } from "./step.ts";

/** How long one check may take. Milliseconds. */
const CHECK_TIMEOUT = 4_500;
/** Steps of one check; one that needs more has met something that never settles. */
const MAX_STEPS = 32;
/** Checks of a batch that wait for something at the same time. */
const BATCH_WIDTH = 32;

/**
 * Answers checks from the logs of the Registries and a store of manifests and blobs, under the laws. It holds settled
 * values only, shared by all requests. A check decides, gets what the decision misses, and decides again: deciding
 * never waits, and waiting never decides, so no answer mixes two states.
 */
export class Reader {
  /** Its state, for tests and reports. */
  readonly cache: BlobCache;
  readonly views: LogViews;
  readonly #ports: ReaderPorts;
  readonly #coldReads = new ColdReads();
  readonly #logClient: LogClient;
  readonly #fetcher: Fetcher;
  readonly #decider: Decider;
  readonly #refresh: BackgroundRefresh;

  constructor(settings: ReaderSettings, ports: ReaderPorts) {
    const { window, acceptGrace, cacheBytes, partitions, mostHeads } = settings;
    const { clock, timers, hashing } = ports;
    const flight = new SingleFlight(clock, timers);
    const reads = new KvReads(ports);
    const views = new LogViews(hashing, partitions, window);
    const cache = new BlobCache(cacheBytes);
    const coldReads = this.#coldReads;
    const logClient = new LogClient(partitions, mostHeads, ports, reads, flight, coldReads);
    const fetcher = new Fetcher(ports, views, cache, { kv: reads, registry: logClient }, flight);
    const answered = new AnsweredGenerations();
    this.#ports = ports;
    this.cache = cache;
    this.views = views;
    this.#logClient = logClient;
    this.#fetcher = fetcher;
    const state = { views, cache, answered, coldReads, flight };
    this.#decider = new Decider(state, window, acceptGrace, ports);
    this.#refresh = new BackgroundRefresh(timers, logClient, fetcher);
  }

  /** The partition that a domain lives in. */
  partitionOf(domain: string): number {
    return this.views.partitionOf(domain);
  }

  /** Whether a Registry has reported a token as revoked. */
  isRevoked(tokenId: string): boolean {
    return this.views.isRevoked(tokenId);
  }

  /**
   * A change passed through this host: nothing in its partition is confirmed until the Registry has been asked again.
   * @param heads number of the head of each domain in the change
   */
  noteChange(
    partition: number,
    position: Position,
    heads: Readonly<Record<string, number>>,
    revoked: readonly string[] = [],
  ): void {
    this.views.at(partition).noteChange(position, heads, revoked);
  }

  /** Checks one recipient: at once if everything needed is there, else after fetching it. Never rejects. */
  check(context: ReaderContext, query: Query): Answer | Promise<Answer> {
    const check = new Check(query);
    const now = this.#ports.clock.now();
    const step = this.#decider.decide(check, now);
    return step.kind === "answer"
      ? this.#answered(context, query, step.answer, now, step.names)
      : this.#pursue(context, check, step);
  }

  /** Checks many, in order. What the request's limits or time do not reach is `unavailable`. */
  async checkAll(context: ReaderContext, queries: readonly Query[]): Promise<Answer[]> {
    const answers: Answer[] = new Array<Answer>(queries.length);
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < queries.length) {
        const index = next++;
        const query = queries[index] as Query;
        try {
          const settled = this.check(context, query);
          answers[index] = settled instanceof Promise ? await settled : settled;
        } catch (error) {
          // One check that fails must not fail the others.
          this.#ports.observer.fault("internal_error", null, traceOf(error));
          answers[index] = deferral(query, "internal error; no verdict");
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(BATCH_WIDTH, queries.length) }, worker));
    return answers;
  }

  async #pursue(context: ReaderContext, check: Check, first: Step): Promise<Answer> {
    const { clock } = this.#ports;
    const end = Math.min(context.deadline, clock.now() + CHECK_TIMEOUT);
    let step = first;
    for (let steps = 0; step.kind !== "answer" && steps < MAX_STEPS && clock.now() < end; steps++) {
      await this.#until(context, end, this.#take(context, check, step));
      step = this.#decider.decide(check, clock.now());
    }
    const { query } = check;
    const { answer, names } =
      step.kind === "answer"
        ? step
        : { answer: deferral(query, "the directory could not be read in time"), names: undefined };
    return this.#answered(context, query, answer, clock.now(), names);
  }

  #answered(
    context: ReaderContext,
    query: Query,
    answer: Answer,
    now: number,
    names: readonly AskedName[] | undefined,
  ): Answer {
    const { domain, generation } = answer;
    const isServed =
      generation !== null || (domain !== null && this.views.of(domain).head(domain) !== undefined);
    this.#ports.observer.answered(answer, isServed ? domain : null, names);
    const asked = domainOf(query.recipient);
    this.#refresh.start(context, asked === null ? this.views.at(0) : this.views.of(asked), now);
    return answer;
  }

  /** Gets what a check needs. Records the attempt first, since one that takes too long counts too. */
  #take(
    context: ReaderContext,
    check: Check,
    step: Exclude<Step, { readonly kind: "answer" }>,
  ): Promise<void> {
    switch (step.kind) {
      case "manifest":
        if (step.isCold) this.#coldReads.take();
        check.noteManifest(step.domain, step.need);
        return this.#fetcher.manifest(context, step.domain, step.need);
      case "blob":
        check.noteBlob(blobName(step.of, step.table, step.index), step.of.manifest);
        return this.#fetcher.blob(context, step.of, step.table, step.index);
      case "confirmation":
        return this.#confirm(context, check, step.view);
    }
  }

  /** Waits for a newer answer of the Registry. If none comes, the check waits for nothing else. */
  async #confirm(context: ReaderContext, check: Check, view: LogView): Promise<void> {
    const { applied } = view;
    // It may be another request's question, from before a change that passed through here: then it is asked again.
    const isRefreshed = await this.#logClient.refresh(context, view);
    check.confirmations = isRefreshed ? check.confirmations + 1 : MAX_CONFIRMATIONS;
    if (view.applied > applied) check.noteConfirmed();
  }

  /** Waits for `work` until `end` at most. The work continues, since other requests may wait for it. */
  async #until(context: ReaderContext, end: number, work: Promise<void>): Promise<void> {
    const { clock, timers } = this.#ports;
    try {
      await withTimeout(timers, end - clock.now(), () => work);
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      context.background(work);
    }
  }
}
