/** One mail host with a replica: the real one over the real client, on a disk and clocks that tests can spoil. */
import type { Disk } from "../src/bridge/replica/disk/disk.ts";
import type { ReplicaObserver } from "../src/bridge/replica/ports.ts";
import { Replica } from "../src/bridge/replica/replica.ts";
import type { LocalLists } from "../src/bridge/replica/replica-source.ts";
import { ReplicaStore } from "../src/bridge/replica/store.ts";
import { createClient } from "../src/client/index.ts";
import type { Answer } from "../src/directory/index.ts";
import { stablelibHashing } from "../src/directory/stablelib.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

const never = (): Promise<never> => new Promise(() => undefined);

/** A disk as a process sees it that may be killed: nothing that it does goes on then. */
function mortal(disk: Disk, isOver: () => boolean): Disk {
  const whileAlive =
    <A extends unknown[], R>(operation: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (isOver()) await never();
      try {
        return await operation(...args);
      } finally {
        if (isOver()) await never();
      }
    };
  return {
    read: whileAlive((path: string) => disk.read(path)),
    write: whileAlive((path: string, bytes: Uint8Array) => disk.write(path, bytes)),
    flush: whileAlive((folder: string) => disk.flush(folder)),
    remove: whileAlive((path: string) => disk.remove(path)),
    list: whileAlive((folder: string) => disk.list(folder)),
  };
}

/** Sends a request to the edge as `fetch` does. */
export type Network = (request: Request) => Promise<Response>;

export interface ReplicaHostParts {
  readonly time: VirtualTime;
  readonly network: Network;
  readonly token: string;
  readonly scope?: readonly string[];
  /** Milliseconds. */
  readonly acceptGrace?: number;
  readonly disk?: MemoryDisk;
  /** Bytes that may wait in memory for the disk. */
  readonly maxUnwritten?: number;
  readonly seed?: number;
  /** Learns of what the replica reports. By default it is kept in `events`. */
  readonly observed?: (event: keyof ReplicaObserver, details: readonly unknown[]) => void;
}

const DAY = 86_400_000;
const CACHE_BYTES = 64 * 1024 * 1024;

export class ReplicaHost {
  readonly disk: MemoryDisk;
  readonly events: (readonly [event: string, ...details: unknown[]])[] = [];
  readonly #parts: ReplicaHostParts;
  readonly #random: Random;
  #replica: Replica | null = null;
  #run = 0;
  /** The id of its boot; null if the platform does not say for how long it has been up. */
  boot: string | null = null;
  /** Whether the folder was lost since it was last looked at, or another bridge used it. */
  isFolderLost = false;
  /** Whether another bridge uses the folder. */
  isFolderBusy = false;
  /** Milliseconds by which the host's wall clock is ahead of the world's. */
  wallOffset = 0;
  /** Milliseconds that its monotonic clock stood still. */
  #slept = 0;
  /** Since when the host sleeps, and what its timers do when it wakes. */
  #asleep: { readonly since: number; readonly due: (() => void)[] } | null = null;
  /** What the network does with a request; by default it passes it on. */
  network: Network;
  #token: string;

  constructor(parts: ReplicaHostParts) {
    this.#parts = parts;
    this.disk = parts.disk ?? new MemoryDisk();
    this.#random = new Random(parts.seed ?? 1);
    this.network = parts.network;
    this.#token = parts.token;
  }

  /** The bridge reads another token. */
  useToken(token: string): void {
    this.#token = token;
    this.#replica?.edgeChanged();
  }

  get isRunning(): boolean {
    return this.#replica !== null && this.#asleep === null;
  }

  /** The host's monotonic clock. */
  monotonic(): number {
    return (this.#asleep?.since ?? this.#parts.time.elapsed) - this.#slept;
  }

  get replica(): Replica {
    if (this.#replica === null) throw new Error("the bridge of this host is not running");
    return this.#replica;
  }

  get token(): string {
    return this.#token;
  }

  /** What the bridge beside it asks it for. */
  readonly lists: LocalLists = {
    check: (recipient, domain, minGeneration) =>
      this.isRunning ? this.replica.check(recipient, domain, minGeneration) : null,
    heard: (domain) => (this.isRunning ? this.replica.heard(domain) : null),
    isAway: (domain) => this.isRunning && this.replica.isAway(domain),
    noteUsed: (answer, domain) => this.replica.noteUsed(answer, domain),
    accept: (recipient, domain) =>
      this.isRunning ? this.replica.accept(recipient, domain) : Promise.resolve(null),
    isHere: (domain) => this.isRunning && this.replica.isHere(domain),
    learn: (recipient, domain, answer) => {
      if (this.isRunning) this.replica.learn(recipient, domain, answer);
    },
  };

  /** Starts the bridge. */
  async start(): Promise<void> {
    const { time, scope, acceptGrace = 7 * DAY, maxUnwritten = CACHE_BYTES } = this.#parts;
    const run = ++this.#run;
    const isOver = (): boolean => run !== this.#run;
    const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        // The timers of a process that was killed never fire.
        const fire = (): void => {
          if (this.#asleep !== null) this.#asleep.due.push(fire);
          else if (!isOver()) resolve();
        };
        const callOff = time.after(ms, fire);
        const abort = (): void => {
          callOff();
          fire();
        };
        if (signal?.aborted) abort();
        else signal?.addEventListener("abort", abort, { once: true });
      });
    const observer = this.#observer();
    const store = new ReplicaStore(mortal(this.disk, isOver), stablelibHashing, maxUnwritten, observer);
    const lookAtFolder = (): void => {
      store.isWritable = !this.isFolderBusy;
      this.isFolderLost ||= this.isFolderBusy;
    };
    lookAtFolder();
    const edge = createClient({
      url: "https://edge.example",
      token: () => this.#token,
      now: () => time.now(),
      sleep,
      fetch: async (url, init) => {
        try {
          return await this.network(new Request(url, init));
        } finally {
          await this.#awake();
          // The process that sent it may have been killed.
          if (isOver()) await never();
        }
      },
    });
    const replica = await Replica.open({
      edge,
      store,
      observer,
      acceptGrace,
      scope: scope === undefined ? null : new Set(scope),
      cacheBytes: CACHE_BYTES,
      clocks: {
        monotonic: () => this.monotonic(),
        wall: () => time.now() + this.wallOffset,
        uptime: () => (this.boot === null ? null : { boot: this.boot, ms: time.elapsed }),
      },
      timers: { sleep },
      random: this.#random,
      hashing: stablelibHashing,
      checkFolder: async () => {
        lookAtFolder();
        const isLost = this.isFolderLost && store.isWritable;
        if (isLost) this.isFolderLost = false;
        return isLost;
      },
    });
    if (isOver()) return;
    this.#replica = replica;
    replica.start();
  }

  /** Ends the bridge as `kill -9` does: nothing that it does goes on. */
  kill(): void {
    this.#run++;
    this.#replica?.stop();
    this.#replica = null;
    this.wake();
  }

  /** The host sleeps for so long: its monotonic clock stands still, and no timer fires. It asks nothing before it wakes. */
  async sleep(ms: number): Promise<void> {
    this.fallAsleep();
    await this.#parts.time.advance(ms);
    this.wake();
  }

  fallAsleep(): void {
    this.#asleep ??= { since: this.#parts.time.elapsed, due: [] };
  }

  wake(): void {
    const asleep = this.#asleep;
    if (asleep === null) return;
    this.#slept += this.#parts.time.elapsed - asleep.since;
    this.#asleep = null;
    for (const fire of asleep.due) fire();
  }

  /** What arrives while the host sleeps is noticed when it wakes. */
  async #awake(): Promise<void> {
    const asleep = this.#asleep;
    if (asleep !== null) await new Promise<void>((resolve) => asleep.due.push(resolve));
  }

  /** What the replica says of a recipient; null where it leaves the answer to the edge. */
  async check(recipient: string, minGeneration = 0): Promise<Answer | null> {
    const domain = recipient.slice(recipient.lastIndexOf("@") + 1);
    const answer = this.replica.check(recipient, domain, minGeneration);
    return answer instanceof Promise ? this.#parts.time.run(answer) : answer;
  }

  /** How often an event happened. */
  count(event: string): number {
    return this.events.filter(([name]) => name === event).length;
  }

  #observer(): ReplicaObserver {
    const { observed = (event, details) => void this.events.push([event, ...details]) } = this.#parts;
    const note =
      (event: keyof ReplicaObserver) =>
      (...details: unknown[]): void =>
        observed(event, details);
    return {
      polled: note("polled"),
      unlisted: note("unlisted"),
      ready: note("ready"),
      progress: note("progress"),
      syncFailed: note("syncFailed"),
      missing: note("missing"),
      fetched: note("fetched"),
      newerFormat: note("newerFormat"),
      clockWentBack: note("clockWentBack"),
      fault: note("fault"),
      failed: note("failed"),
      unwritable: note("unwritable"),
      written: note("written"),
      unusable: note("unusable"),
    };
  }
}
