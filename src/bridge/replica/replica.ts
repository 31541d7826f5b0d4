import type { Position } from "../../api/index.ts";
import type { Changes } from "../../client/index.ts";
import { type Answer, type Hashing, partitionOf } from "../../directory/index.ts";
import type { Random, Timers } from "../../runtime/ports.ts";
import { Semaphore } from "../../runtime/semaphore.ts";
import type { AbortableTimers } from "../ports.ts";
import { repeat } from "../repeat.ts";
import { KeyRing } from "./key-ring.ts";
import { LocalContext } from "./local-context.ts";
import { napTimers } from "./nap-timers.ts";
import { type Polled, Poller } from "./poller.ts";
import type { PollFault, ReplicaEdge, ReplicaObserver } from "./ports.ts";
import { ReaderHost } from "./reader-host.ts";
import { reasonOf } from "./reason.ts";
import { type HostClocks, ReplicaTime } from "./replica-time.ts";
import type { ReplicaStore, StoredSettings } from "./store.ts";
import { syncDomain } from "./sync-domain.ts";

/** Window until the edge has said its own, ms. */
const DEFAULT_WINDOW = 30_000;
/** Longest window that an edge can be set to, ms: what a wall clock that was set back counts for. */
const LONGEST_WINDOW = 3_600_000;
/** Pause after the first poll that failed, ms; it doubles up to half a window. */
const FIRST_RETRY = 1_000;
/** Share of half a window by which polls come early, so that replicas do not ask together. */
const JITTER = 0.2;
/** Domains that are fetched at the same time, and requests for them. */
const MAX_SYNCS = 4;
const MAX_REQUESTS = 8;
/** After a fetch of a domain, nothing found missing starts another one for so long, ms. */
const SYNC_PAUSE = 1_000;

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
  /** Called before each poll of the first partition: makes the folder usable if it can. */
  checkFolder(): Promise<void>;
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
  readonly #semaphore = new Semaphore(MAX_REQUESTS);
  #time: ReplicaTime;
  /** Whether the time since the last run is known. Until then no stored list may answer. */
  #isTimeKnown = false;
  #host: ReaderHost | null = null;
  readonly #polls = new Map<number, { fault: PollFault | null; failures: number }>();
  readonly #loops = new Map<number, () => void>();
  /** What is complete in the store, and when it was last known to be the newest, on the replica's clock. */
  readonly #synced = new Map<string, { readonly head: Position; newestAt: number }>();
  readonly #queue = new Set<string>();
  readonly #syncing = new Set<string>();
  readonly #syncedAt = new Map<string, number>();
  /**
   * Partitions that were heard in full with the present token and scope. What changed since an answer to another token
   * would leave out changes of domains that only that token covers.
   */
  readonly #heardInFull = new Set<number>();
  #edges = 0;
  #isSwept = false;
  #isStopped = false;

  private constructor(options: ReplicaOptions) {
    const { edge, store, clocks, random, hashing } = options;
    this.#options = options;
    this.#timers = napTimers(options.timers);
    this.#time = new ReplicaTime(clocks, clocks.wall(), LONGEST_WINDOW);
    this.#poller = new Poller(edge, random, this.#timers, (domain, partitions) =>
      partitionOf(hashing, domain, partitions),
    );
    this.#context = new LocalContext(store, this.#keys, (domain, blob) => this.#noteMissing(domain, blob));
  }

  /** Reads what an earlier run stored. Sends nothing. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(options);
    await replica.#startFromStore();
    return replica;
  }

  /** Starts to poll and to fetch. */
  start(): void {
    this.#startLoop(0);
  }

  /** Sends nothing more. */
  stop(): void {
    this.#isStopped = true;
    for (const stop of this.#loops.values()) stop();
  }

  /** Another edge is asked from now on, or with another token, which may cover other domains. */
  edgeChanged(): void {
    this.#edges++;
    this.#heardInFull.clear();
    this.#isSwept = false;
  }

  /**
   * Checks a recipient of a domain.
   * @returns null if no list of the domain is here: then only the edge can answer
   */
  check(recipient: string, domain: string, minGeneration: number): Answer | Promise<Answer> | null {
    const host = this.#host;
    if (host === null || !this.#isTimeKnown || !this.#isInScope(domain)) return null;
    return host.head(domain) === null ? null : host.check(recipient, minGeneration);
  }

  /** Whether the last poll of a domain's Registry got no answer. */
  isAway(domain: string): boolean {
    const { hashing } = this.#options;
    const partitions = this.#host?.settings.partitions;
    if (partitions === undefined) return false;
    return this.#polls.get(partitionOf(hashing, domain, partitions))?.fault === "unreachable";
  }

  /** The state of each domain that has a head and is in scope. */
  states(): ReplicaState[] {
    const host = this.#host;
    if (host === null) return [];
    const now = this.#time.now();
    return range(host.settings.partitions).flatMap((partition) =>
      host.domains(partition).map((domain) => {
        const synced = this.#synced.get(domain);
        const generation = synced?.head.number ?? null;
        return { domain, generation, age: synced === undefined ? null : (now - synced.newestAt) / 1000 };
      }),
    );
  }

  async #startFromStore(): Promise<void> {
    const { store, clocks } = this.#options;
    const [settings, time] = [await store.settings(), await store.time()];
    if (time !== null) {
      const elapsed = clocks.wall() - time.wall;
      // A clock before the time that was stored says nothing of how long the bridge was away.
      this.#isTimeKnown = elapsed >= 0;
      this.#time = new ReplicaTime(clocks, time.registry + Math.max(0, elapsed), LONGEST_WINDOW);
      if (elapsed < 0) this.#options.observer.clockWentBack();
    }
    if (settings === null) return;
    const host = this.#newHost(settings);
    for (const partition of range(settings.partitions)) {
      const log = await store.log(partition);
      if (log === null) continue;
      const contact = time?.contacts[partition] ?? null;
      const isOfLog = contact !== null && contact[0] === log.incarnation;
      const heads = log.heads.filter(([domain]) => this.#isInScope(domain));
      host.startFrom(partition, { ...log, heads }, isOfLog ? contact[1] : Number.NEGATIVE_INFINITY);
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
      observer: { answered: () => undefined, fault: (...args) => observer.fault(...args) },
    });
  }

  #isInScope(domain: string): boolean {
    return this.#options.scope?.has(domain) ?? true;
  }

  #startLoop(partition: number): void {
    if (this.#isStopped || this.#loops.has(partition)) return;
    const loop = async (): Promise<number> => {
      try {
        return await this.#round(partition);
      } catch (error) {
        this.#options.observer.failed(error);
        return this.#retryPause(partition);
      }
    };
    this.#loops.set(partition, repeat(this.#options.timers, 0, loop));
  }

  /** One poll, and what follows from it. @returns the pause before the next one, ms */
  async #round(partition: number): Promise<number> {
    const { store, observer } = this.#options;
    if (partition === 0) {
      await this.#options.checkFolder();
      await store.writeWaiting();
    }
    const askedAt = this.#time.now();
    const edges = this.#edges;
    const known = this.#host?.position(partition) ?? null;
    const polled = await this.#poller.ask(partition, known, !this.#heardInFull.has(partition));
    // It may be about other domains.
    if (edges !== this.#edges) return 0;
    this.#host?.noteAsked(partition);
    const failures = polled.fault === null ? 0 : (this.#polls.get(partition)?.failures ?? 0) + 1;
    this.#polls.set(partition, { fault: polled.fault, failures });
    if (this.#isStopped) return 0;
    if (polled.fault === null) await this.#apply(polled.changes, askedAt);
    observer.polled(partition, polled.fault, whyOf(polled));
    await this.#storeTime();
    if (polled.fault !== null) return this.#retryPause(partition);
    // Where the clock was corrected by more than a window, nothing is confirmed yet.
    if (!(this.#host?.isFresh(partition) ?? false)) return FIRST_RETRY;
    return Math.max(0, this.#halfWindow() * this.#jitter() - (this.#time.now() - askedAt));
  }

  async #apply(changes: Changes, askedAt: number): Promise<void> {
    const { store } = this.#options;
    const { partition, partitions, window, time, answer } = changes;
    const host = await this.#hostFor({ partitions, window });
    const heads = answer.heads.filter(([domain]) => this.#isInScope(domain));
    // In this order and without a wait: by the time that the log is confirmed, departures run on the Registry's time.
    this.#time.heard(time);
    this.#isTimeKnown = true;
    this.#heardInFull.add(partition);
    const { isChanged, gone } = host.apply(partition, { ...answer, heads }, askedAt);
    this.#noteNewest(host, partition, askedAt);
    if (isChanged || heads.length > 0) {
      const { incarnation, number } = host.position(partition) as Position;
      await store.putLog(partition, { incarnation, number, heads: host.heads(partition) });
    }
    for (const domain of gone) await this.#forget(domain);
    await this.#sweep(host);
    for (const domain of host.domains(partition)) if (!this.#isSynced(host, domain)) this.#enqueue(domain);
  }

  /** The reader for what the edge says of itself: another one if that has changed. */
  async #hostFor(settings: StoredSettings): Promise<ReaderHost> {
    const host = this.#host;
    const { partitions, window } = settings;
    if (host?.settings.partitions === partitions && host.settings.window === window) return host;
    await this.#options.store.putSettings(settings);
    const next = this.#newHost(settings);
    // With another number of partitions, domains live elsewhere: all of it is asked for again.
    if (host !== null && host.settings.partitions !== partitions) this.#heardInFull.clear();
    if (host?.settings.partitions === partitions) {
      for (const partition of range(partitions)) {
        const position = host.position(partition);
        if (position === null) continue;
        next.startFrom(partition, { ...position, heads: host.heads(partition) }, host.lastContact(partition));
      }
    }
    this.#host = next;
    for (const [partition, stop] of this.#loops) {
      if (partition < partitions) continue;
      stop();
      this.#loops.delete(partition);
      this.#polls.delete(partition);
    }
    for (const partition of range(partitions)) this.#startLoop(partition);
    return next;
  }

  #isSynced(host: ReaderHost, domain: string): boolean {
    const [head, synced] = [host.head(domain), this.#synced.get(domain)?.head];
    return head === null || (synced?.incarnation === head.incarnation && synced.number >= head.number);
  }

  #noteNewest(host: ReaderHost, partition: number, askedAt: number): void {
    for (const domain of host.domains(partition)) {
      const synced = this.#synced.get(domain);
      if (synced !== undefined && this.#isSynced(host, domain)) synced.newestAt = askedAt;
    }
  }

  /** Once all partitions have answered: removes what is stored of domains that have no head. */
  async #sweep(host: ReaderHost): Promise<void> {
    const { partitions } = host.settings;
    if (this.#isSwept || range(partitions).some((each) => !host.isFresh(each))) return;
    this.#isSwept = true;
    for (const domain of await this.#options.store.domains()) {
      if (host.head(domain) === null && !this.#syncing.has(domain)) await this.#forget(domain);
    }
  }

  async #forget(domain: string): Promise<void> {
    this.#synced.delete(domain);
    this.#syncedAt.delete(domain);
    this.#keys.forget(domain);
    await this.#options.store.removeDomain(domain);
  }

  /** A check found that a part of a list is not there, or is damaged. */
  #noteMissing(domain: string, blob: string | null): void {
    const { observer, store } = this.#options;
    if ((this.#host?.head(domain) ?? null) === null || this.#syncing.has(domain)) return;
    const lastSync = this.#syncedAt.get(domain);
    // A list that is queued, or waits for the next poll after a failure, is known to lack parts.
    if (!this.#synced.has(domain) && (this.#queue.has(domain) || lastSync !== undefined)) return;
    if (lastSync !== undefined && this.#time.now() - lastSync < SYNC_PAUSE) return;
    observer.missing(domain, blob === null ? "its manifest" : `blob ${blob}`);
    this.#synced.delete(domain);
    this.#syncedAt.set(domain, this.#time.now());
    if (blob === null) this.#enqueue(domain);
    else void store.removeBlob(domain, blob).then(() => this.#enqueue(domain));
  }

  #enqueue(domain: string): void {
    this.#queue.add(domain);
    this.#startSyncs();
  }

  #startSyncs(): void {
    for (const domain of this.#queue) {
      if (this.#isStopped || this.#syncing.size >= MAX_SYNCS) return;
      if (this.#syncing.has(domain)) continue;
      this.#queue.delete(domain);
      this.#syncing.add(domain);
      void this.#sync(domain);
    }
  }

  async #sync(domain: string): Promise<void> {
    const { store, edge, hashing, observer } = this.#options;
    try {
      const head = this.#host?.head(domain) ?? null;
      if (head === null) return;
      const ports = {
        store,
        keys: this.#keys,
        edge,
        hashing,
        observer,
        turn: () => this.#semaphore.acquire(),
      };
      const { manifest, fetched } = await syncDomain(ports, domain, head);
      const { incarnation, generation } = manifest;
      this.#synced.set(domain, { head: { incarnation, number: generation }, newestAt: this.#time.now() });
      observer.ready(domain, generation, fetched);
    } catch (error) {
      observer.syncFailed(domain, reasonOf(error));
    } finally {
      this.#syncedAt.set(domain, this.#time.now());
      this.#syncing.delete(domain);
      this.#startSyncs();
    }
  }

  async #storeTime(): Promise<void> {
    const { store, clocks } = this.#options;
    const host = this.#host;
    // Without an answer of the Registry since a start with an unknown time, there is nothing true to store.
    if (host === null || !this.#isTimeKnown) return;
    const registry = this.#time.estimate();
    const now = this.#time.now();
    const contacts = range(host.settings.partitions).map((partition) => {
      const [position, contact] = [host.position(partition), host.lastContact(partition)];
      if (position === null || contact === Number.NEGATIVE_INFINITY) return null;
      return [position.incarnation, Math.floor(registry - (now - contact))] as const;
    });
    await store.putTime({ registry, wall: clocks.wall(), contacts });
  }

  #halfWindow(): number {
    return (this.#host?.settings.window ?? DEFAULT_WINDOW) / 2;
  }

  #retryPause(partition: number): number {
    const failures = this.#polls.get(partition)?.failures ?? 1;
    return Math.min(this.#halfWindow(), FIRST_RETRY * 2 ** (failures - 1)) * this.#jitter();
  }

  /** Between 1 - JITTER and 1. */
  #jitter(): number {
    const [octet] = this.#options.random.bytes(1);
    return 1 - (JITTER * (octet as number)) / 256;
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const whyOf = (polled: Polled): string => (polled.fault === null ? "" : polled.why);
