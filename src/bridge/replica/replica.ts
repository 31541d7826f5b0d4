import type { Position } from "../../api/index.ts";
import type { Changes } from "../../client/index.ts";
import { type Answer, type Hashing, partitionOf } from "../../directory/index.ts";
import { Tally } from "../../reader/index.ts";
import type { Random, Timers } from "../../runtime/ports.ts";
import type { Heard } from "../answers/min-generations.ts";
import type { AbortableTimers } from "../ports.ts";
import type { SeenState } from "./edge-answers.ts";
import { KeyRing } from "./key-ring.ts";
import { LocalContext } from "./local-context.ts";
import { napTimers } from "./nap-timers.ts";
import { Outage } from "./outage.ts";
import { PartitionLoops } from "./partition-loops.ts";
import { PollSchedule } from "./poll-schedule.ts";
import { type Polled, Poller } from "./poller.ts";
import type { ReplicaEdge, ReplicaObserver } from "./ports.ts";
import { ReaderHost } from "./reader-host.ts";
import { type HostClocks, ReplicaTime, type Uptime } from "./replica-time.ts";
import type { ReplicaStore, StoredSettings, StoredTime } from "./store.ts";
import { SyncQueue } from "./sync-queue.ts";

/** Window until the edge has said its own, ms. */
const DEFAULT_WINDOW = 30_000;
/** Longest window that an edge can be set to, ms: what a wall clock that was set back counts for. */
const LONGEST_WINDOW = 3_600_000;

export interface ReplicaOptions {
  readonly edge: ReplicaEdge;
  readonly store: ReplicaStore;
  /** Domains to hold; null for all that the token covers. */
  readonly scope: ReadonlySet<string> | null;
  /** How long accepts continue without contact with the Registry, ms. */
  readonly acceptGrace: number;
  readonly cacheBytes: number;
  readonly clocks: HostClocks;
  readonly timers: AbortableTimers;
  readonly random: Random;
  readonly hashing: Hashing;
  readonly observer: ReplicaObserver;
  /**
   * Called before each poll of the first partition: makes the folder usable if it can.
   * @returns whether it may have lost what was stored, or have something else, since it was deleted or another bridge used it
   */
  checkFolder(): Promise<boolean>;
}

/** How a domain's list stands here. */
export interface ReplicaState {
  readonly domain: string;
  /** Generation of the complete list that is stored; null if there is none. */
  readonly generation: number | null;
  /** Seconds since that was last known to be the newest; null if it never was. */
  readonly age: number | null;
}

/**
 * Holds the lists of its domains on this host, and answers from them under the laws. It polls the Registries every half
 * window, whatever is asked, and fetches what changed ahead of need. Where it cannot answer it says so, and the caller
 * asks the edge.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #timers: Timers;
  readonly #poller: Poller;
  readonly #keys = new KeyRing();
  readonly #context: LocalContext;
  readonly #syncs: SyncQueue;
  readonly #outage: Outage;
  /** What the replica answered since its last question. */
  #tally = new Tally();
  #time: ReplicaTime;
  /** Whether the time since the last run is known. Until then no stored list may answer. */
  #isTimeKnown = false;
  #host: ReaderHost | null = null;
  readonly #schedule: PollSchedule;
  readonly #loops: PartitionLoops;
  /**
   * Partitions that were heard in full with the present token and scope. What changed since an answer to another token
   * would leave out changes of domains that only that token covers.
   */
  readonly #heardInFull = new Set<number>();
  /** Partitions of which a list was fetched since their log was stored, which says which ones are behind. */
  readonly #unstoredLogs = new Set<number>();
  #isStoringSeen = false;
  #edges = 0;
  #isSwept = false;

  private constructor(options: ReplicaOptions) {
    const { edge, store, clocks, random, hashing } = options;
    this.#options = options;
    this.#timers = napTimers(options.timers);
    this.#time = new ReplicaTime(clocks, clocks.wall(), LONGEST_WINDOW);
    this.#schedule = new PollSchedule(random, () => this.#host?.settings.window ?? DEFAULT_WINDOW);
    this.#poller = new Poller(edge, random, this.#timers, (domain, partitions) =>
      partitionOf(hashing, domain, partitions),
    );
    this.#outage = new Outage({
      acceptGrace: options.acceptGrace,
      silence: (since) => this.#time.silence(since),
      readerOfNoLog: (host) => host.ofNoLog(),
      failed: (error) => options.observer.failed(error),
    });
    this.#syncs = new SyncQueue(
      { ...options, keys: this.#keys },
      {
        headOf: (domain) => this.#host?.head(domain) ?? null,
        isHeld: (domain) => this.#outage.lists.isHeld(domain),
        contact: (domain) =>
          this.#host?.lastContact(this.#host.partitionOf(domain)) ?? Number.NEGATIVE_INFINITY,
        synced: (domain, head, newestAt) => this.#synced(domain, head, newestAt),
        now: () => this.#time.now(),
      },
    );
    this.#loops = new PartitionLoops(options.timers, (partition) => this.#run(partition));
    const missing = (domain: string, blob: string | null): void => this.#syncs.noteMissing(domain, blob);
    this.#context = new LocalContext(store, this.#keys, missing);
  }

  /** Reads what an earlier run stored. Sends nothing. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(options);
    await replica.#startFromStore();
    return replica;
  }

  /** Starts to poll and to fetch. */
  start(): void {
    this.#loops.run(this.#host?.settings.partitions ?? 1);
  }

  /** Sends nothing more. */
  stop(): void {
    this.#loops.stop();
    this.#syncs.stop();
  }

  /** Another edge is asked from now on, or with another token, which may cover other domains. */
  edgeChanged(): void {
    this.#edges++;
    this.#schedule.clear();
    this.#tally = new Tally();
    this.#heardInFull.clear();
  }

  /**
   * Checks a recipient of a domain.
   * @returns null if no list of the domain is here: then only the edge can answer
   */
  check(recipient: string, domain: string, minGeneration: number): Answer | Promise<Answer> | null {
    const host = this.#host;
    if (host === null || !this.#isTimeKnown || !this.#isInScope(domain)) return null;
    // A list of an earlier log counts for nothing in the present one.
    const isListed = host.head(domain) !== null && !this.#outage.lists.isEarlier(domain);
    return isListed ? host.check(recipient, minGeneration) : null;
  }

  /** What was heard of a domain, also by an earlier run: nothing older may refuse. Null before anything was. */
  heard(domain: string): Heard | null {
    return this.#host === null ? null : this.#outage.heard(this.#host, domain);
  }

  /**
   * The accept of a recipient that goes on while the edge does not answer, although something newer of the domain was
   * heard. @returns null if there is none
   */
  async accept(recipient: string, domain: string): Promise<Answer | null> {
    const host = this.#host;
    if (host === null || !this.#isTimeKnown || !this.#isInScope(domain)) return null;
    return this.#outage.accept(host, recipient, domain);
  }

  /** Whether a list of a domain is here that no log has ended: then no answer of the edge without a list says that it is gone. */
  isHere(domain: string): boolean {
    return this.#host !== null && this.#isInScope(domain) && this.#outage.isHere(this.#host, domain);
  }

  /** The edge gave an answer that counts, or one that names its log without a verdict. */
  learn(recipient: string, domain: string, answer: Answer): void {
    if (this.#host === null || !this.#isInScope(domain)) return;
    this.#outage.learn(this.#host, recipient, domain, answer);
    this.#storeSeen().catch((error: unknown) => this.#options.observer.failed(error));
  }

  /** An answer of the replica was given to a mail server. */
  noteUsed(answer: Answer, domain: string): void {
    this.#tally.countAnswer(answer, domain);
  }

  /** Whether the last poll of a domain's Registry got no answer. */
  isAway(domain: string): boolean {
    const { hashing } = this.#options;
    const partitions = this.#host?.settings.partitions;
    if (partitions === undefined) return false;
    return this.#schedule.fault(partitionOf(hashing, domain, partitions)) === "unreachable";
  }

  /** The state of each domain that has a head and is in scope. */
  states(): ReplicaState[] {
    const host = this.#host;
    if (host === null) return [];
    const now = this.#time.now();
    const domains = range(host.settings.partitions).flatMap((partition) => host.domains(partition));
    return domains.sort().map((domain) => {
      const held = this.#syncs.held(domain);
      const age = held === null ? Number.POSITIVE_INFINITY : (now - held.newestAt) / 1000;
      return { domain, generation: held?.head.number ?? null, age: Number.isFinite(age) ? age : null };
    });
  }

  async #startFromStore(): Promise<void> {
    const { store, clocks } = this.#options;
    const [settings, time] = [await store.settings(), await store.time()];
    if (time !== null) {
      const elapsed = clocks.wall() - time.wall;
      // Over a restart of the bridge alone, the host's uptime says how long it was away, whatever its clock shows.
      const certain = sinceOf(time, clocks.uptime());
      // Otherwise a clock before the time that was stored says nothing of that.
      this.#isTimeKnown = elapsed >= 0 || certain !== null;
      const passed = Math.max(0, elapsed, certain ?? 0);
      const doubt = certain === null ? 0 : passed - certain;
      this.#time = new ReplicaTime(clocks, time.registry + passed, LONGEST_WINDOW, doubt);
      if (!this.#isTimeKnown) this.#options.observer.clockWentBack();
    }
    if (settings === null) return;
    const host = this.#newHost(settings);
    this.#outage.answers.startFrom(await store.seen());
    for (const partition of range(settings.partitions)) {
      const log = await store.log(partition);
      if (log === null) continue;
      const contact = time?.contacts[partition] ?? null;
      const isOfLog = contact !== null && contact[0] === log.incarnation;
      const heads = log.heads.filter(([domain]) => this.#isInScope(domain));
      const at = isOfLog ? contact[1] : Number.NEGATIVE_INFINITY;
      host.startFrom(partition, { ...log, heads }, at);
      this.#outage.startFrom({ ...log, heads }, at);
    }
    this.#host = host;
  }

  #newHost(settings: StoredSettings): ReaderHost {
    const { acceptGrace, cacheBytes, hashing, observer } = this.#options;
    return new ReaderHost({
      settings,
      acceptGrace,
      cacheBytes,
      time: this.#time,
      timers: this.#timers,
      hashing,
      keys: this.#keys,
      context: this.#context,
      // Answers are counted when they are used: the edge counts those that it is asked for instead. A name counts once.
      observer: {
        answered: (_, _domain, names) => this.#tally.countNames(names),
        fault: (kind, domain, detail) => {
          this.#tally.countFault(kind, domain);
          observer.fault(kind, domain, detail);
        },
      },
    });
  }

  #isInScope(domain: string): boolean {
    return this.#options.scope?.has(domain) ?? true;
  }

  /** One run of a partition's loop. Never rejects. @returns the pause before the next one, ms */
  async #run(partition: number): Promise<number> {
    try {
      return await this.#round(partition);
    } catch (error) {
      this.#options.observer.failed(error);
      return this.#schedule.retryPause(partition);
    }
  }

  /** One poll, and what follows from it. @returns the pause before the next one, ms */
  async #round(partition: number): Promise<number> {
    const { store, observer } = this.#options;
    if (partition === 0) {
      if (this.#outage.lists.prune()) this.#isSwept = false;
      if (await this.#options.checkFolder()) await this.#storeAgain();
      await store.writeWaiting();
    }
    const asked = { now: this.#time.now(), elapsed: this.#time.elapsed() };
    const edges = this.#edges;
    const known = this.#host?.position(partition) ?? null;
    // The edge may refuse counts, of a domain that the token no longer covers: then they are not sent again.
    const mayCount = this.#schedule.fault(partition) === null;
    const isOfPartition = (domain: string): boolean => this.#host?.partitionOf(domain) === partition;
    const polled = await this.#poller.ask(
      partition,
      known,
      !this.#heardInFull.has(partition),
      mayCount ? (this.#tally.take() ?? []) : [],
      mayCount ? (this.#tally.takeAsked(isOfPartition) ?? []) : [],
    );
    // It may be about other domains.
    if (edges !== this.#edges) return 0;
    this.#schedule.note(partition, polled.fault);
    if (this.#loops.isStopped) return 0;
    if (polled.fault === null) await this.#follow(polled.changes, this.#apply(polled.changes, asked));
    observer.polled(partition, polled.fault, whyOf(polled));
    await this.#storeTime();
    await this.#storeSeen();
    if (polled.fault !== null) return this.#schedule.retryPause(partition);
    return this.#schedule.nextPause(this.#time.elapsed() - asked.elapsed);
  }

  /**
   * Applies an answer, in one synchronous step: nothing may change between its receipt and this.
   * @param asked when the question was sent, on both clocks
   * @returns the reader, and whether the log has to be stored
   */
  #apply(
    changes: Changes,
    asked: { readonly now: number; readonly elapsed: number },
  ): { readonly host: ReaderHost; readonly isMoved: boolean } {
    const { partition, partitions, window, time, answer } = changes;
    const { observer } = this.#options;
    const host = this.#hostFor({ partitions, window });
    const heads = answer.heads.filter(([domain]) => this.#isInScope(domain));
    // Before the log is confirmed, so that departures run on the Registry's time by then.
    this.#time.heard(time);
    // What the clock was behind by when the question was sent did not pass since.
    const askedAt = Math.max(asked.now, time - (this.#time.elapsed() - asked.elapsed));
    this.#isTimeKnown = true;
    this.#heardInFull.add(partition);
    const before = host.position(partition);
    const listed = { domains: host.domains(partition), contact: host.lastContact(partition) };
    host.apply(partition, { ...answer, heads }, askedAt);
    const unlisted = this.#outage.applied(host, partition, before && { ...before, ...listed }, askedAt);
    if (unlisted.length > 0) observer.unlisted(partition, unlisted);
    this.#syncs.noteNewest(host.domains(partition), askedAt);
    // Only a full answer shows which domains are gone.
    if (answer.full) this.#isSwept = false;
    return { host, isMoved: answer.full || host.position(partition)?.number !== before?.number };
  }

  /** Stores what an answer said, and fetches what it names. */
  async #follow(
    { partition }: Changes,
    { host, isMoved }: { readonly host: ReaderHost; readonly isMoved: boolean },
  ): Promise<void> {
    if (isMoved || this.#unstoredLogs.has(partition)) await this.#storeLog(host, partition);
    await this.#sweep(host);
    for (const domain of host.domains(partition)) this.#syncs.addIfBehind(domain);
  }

  /** The reader for what the edge says of itself: another one if that has changed. */
  #hostFor(settings: StoredSettings): ReaderHost {
    const host = this.#host;
    const { partitions, window } = settings;
    if (host?.settings.partitions === partitions && host.settings.window === window) return host;
    const next = this.#newHost(settings);
    if (host?.settings.partitions === partitions) next.continueFrom(host);
    // With another number of partitions, domains live elsewhere: all of it is asked for again.
    else if (host !== null) this.#outage.replaced(host);
    this.#host = next;
    this.#loops.run(partitions);
    return next;
  }

  /** Once all partitions have answered: removes what is stored of domains that have no head. */
  async #sweep(host: ReaderHost): Promise<void> {
    const { partitions } = host.settings;
    if (this.#isSwept || range(partitions).some((each) => !host.isFresh(each))) return;
    this.#isSwept = true;
    for (const domain of await this.#options.store.domains()) {
      if (!this.#outage.isHere(host, domain)) await this.#syncs.remove(domain);
    }
  }

  /**
   * The folder may be empty, or have what another process stored: that counts as heard. Stores what is known of the logs,
   * and has each list looked for and fetched.
   */
  async #storeAgain(): Promise<void> {
    const host = this.#host;
    this.#syncs.distrust();
    if (host === null) return;
    await this.#hearStored(host);
    for (const partition of range(host.settings.partitions)) await this.#storeLog(host, partition);
  }

  /** Before anything of it is overwritten: nothing older may refuse, nor accept as if nothing newer were known. */
  async #hearStored(host: ReaderHost): Promise<void> {
    const disk = this.#options.store.onDisk();
    for (const partition of range(host.settings.partitions)) {
      const { incarnation, heads } = (await disk.log(partition)) ?? { incarnation: 0, heads: [] };
      for (const [domain, generation] of heads) this.#outage.hear(host, domain, { incarnation, generation });
    }
    for (const [domain, incarnation, generation, excludes] of await disk.seen())
      this.#outage.hear(host, domain, { incarnation, generation }, excludes > 0);
    await this.#storeSeen();
  }

  #synced(domain: string, head: Position, newestAt: number): void {
    this.#outage.synced(domain, head, newestAt);
    if (this.#host !== null) this.#unstoredLogs.add(this.#host.partitionOf(domain));
  }

  async #storeLog(host: ReaderHost, partition: number): Promise<void> {
    const { store } = this.#options;
    const position = host.position(partition);
    if (position === null) return;
    this.#unstoredLogs.delete(partition);
    await store.putSettings(host.settings);
    const toRegistry = this.#toRegistry();
    const outage = this.#outage.stored(host, partition, toRegistry);
    await store.putLog(partition, { ...position, heads: host.heads(partition), ...outage });
  }

  /** Stores the newest states that the edge named, as far as they are newer than the lists here; one write at a time. */
  async #storeSeen(): Promise<void> {
    if (this.#isStoringSeen) return;
    this.#isStoringSeen = true;
    try {
      for (let states = this.#takeSeen(); states !== null; states = this.#takeSeen())
        await this.#options.store.putSeen(states);
    } catch (error) {
      // Neither the disk nor memory has room: the next poll tries again.
      this.#outage.answers.noteUnstored();
      throw error;
    } finally {
      this.#isStoringSeen = false;
    }
  }

  #takeSeen(): readonly SeenState[] | null {
    return this.#loops.isStopped ? null : this.#outage.answers.takeChanged();
  }

  /** The Registry's time at a moment on the replica's clock. */
  #toRegistry(): (at: number) => number {
    const registry = this.#time.estimate();
    return (at) => Math.max(0, Math.floor(registry - this.#time.silence(at)));
  }

  async #storeTime(): Promise<void> {
    const { store, clocks } = this.#options;
    const host = this.#host;
    // Without an answer of the Registry since a start with an unknown time, there is nothing true to store.
    if (host === null || !this.#isTimeKnown) return;
    const registry = this.#time.estimate();
    await store.putTime({
      registry,
      wall: clocks.wall(),
      uptime: clocks.uptime(),
      contacts: host.contacts(registry),
    });
  }
}

/** Milliseconds since a time was stored by the host's uptime; null if it does not say, or if the host has started since. */
const sinceOf = ({ uptime: then }: StoredTime, now: Uptime | null): number | null =>
  now !== null && now.boot === then?.boot ? Math.max(0, now.ms - then.ms) : null;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const whyOf = (polled: Polled): string => (polled.fault === null ? "" : polled.why);
