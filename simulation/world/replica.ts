/** One mail host with a replica, with what was shown to it, and what became of its disk. */

import type { ChangesAnswer, ChangesRequest } from "../../src/api/index.ts";
import type { LocalLists } from "../../src/bridge/replica/replica-source.ts";
import { type Answer, equalBytes, fromHex, readManifest } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { Faults } from "../../testing/faults.ts";
import { MemoryDisk } from "../../testing/memory-disk.ts";
import type { Fetch } from "../../testing/network.ts";
import type { Random } from "../../testing/random.ts";
import { ReplicaHost } from "../../testing/replica-host.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import type { Answerer, Exchange, Moment } from "../model/answerer.ts";
import type { Token } from "../model/http-judge.ts";

export interface ReplicaParts {
  readonly name: string;
  readonly location: string;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly faults: Faults;
  readonly fetch: Fetch;
  /** The edge's window, until it has said its own. */
  readonly window: number;
  readonly acceptGrace: number;
  readonly history: number;
  violation(assertion: string, words: string): void;
  trace(words: () => string): void;
}

/** An answer that arrived, with the host's monotonic clock at that time. */
interface Heard extends Exchange {
  readonly monotonic: number;
}

/** Polls of one partition in one window: while they fail, and while nothing is wrong. */
const MOST_POLLS = 16;
const MOST_POLLS_WELL = 4;
/** A poll that takes longer is a fault. */
const SLOW = 1_000;
const BLOB = /\/v1\/domains\/([^/]+)\/shards\/([0-9a-f]+)$/;

/** A disk on which no manifest goes back. */
class WatchedDisk extends MemoryDisk {
  wentBack: (path: string) => void = () => undefined;

  override write(path: string, bytes: Uint8Array): Promise<void> {
    const [, domain] = /^manifests\/(.+)$/.exec(path) ?? [];
    const before = this.files.get(path);
    if (domain !== undefined && before !== undefined && isOlder(bytes, before, domain)) this.wentBack(path);
    return super.write(path, bytes);
  }
}

function isOlder(bytes: Uint8Array, than: Uint8Array, domain: string): boolean {
  try {
    const [a, b] = [readManifest(bytes, domain), readManifest(than, domain)];
    return a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.generation < b.generation);
  } catch {
    return false;
  }
}

export class SimulatedReplica implements Answerer {
  readonly kind = "replica";
  readonly name: string;
  readonly disk = new WatchedDisk();
  readonly firstAsked = new Map<number, number>();
  readonly answered = new Map<string, number>();
  readonly published: Answerer["published"] = new Map();
  readonly #parts: ReplicaParts;
  readonly #host: ReplicaHost;
  #token: Token | null = null;
  /** Windows that the last two answers named. */
  #windows: readonly [number, number];
  #hurtAt: number;
  /** By partition: the last answer that arrived, and the last one that was applied. */
  #arrived = new Map<number, Heard>();
  #applied = new Map<number, Heard>();
  #evidence = new Map<number, number>();
  /** Partitions whose last poll failed. */
  readonly #failing = new Set<number>();
  #unnoticed = 0;
  #polls: { readonly partition: number; readonly at: number }[] = [];
  #moments: Moment[] = [];
  /** Complete lists that it has; and those that the disk has for sure. Generations by domain. */
  held = new Map<string, number>();
  #durable = new Map<string, number>();
  #copy: { readonly files: ReadonlyMap<string, Uint8Array>; readonly durable: ReadonlyMap<string, number> } =
    {
      files: new Map(),
      durable: new Map(),
    };
  /** Last answers by path, as a cache on the way keeps them. */
  readonly #cached = new Map<string, Response>();
  /** Starts so far. */
  run = 0;
  hasEnded = false;
  /** Whether the host's clock was right since the last contact. */
  isClockSound = true;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.#windows = [parts.window, parts.window];
    this.#hurtAt = parts.time.now();
    this.disk.wentBack = (path) =>
      parts.violation("nobody goes back", `${this.name} stores an older ${path}`);
    this.#host = new ReplicaHost({
      time: parts.time,
      network: (request) => this.#send(request),
      token: "",
      acceptGrace: parts.acceptGrace,
      disk: this.disk,
      seed: parts.random.integer(),
      observed: (event, details) => this.#observed(event, details),
    });
  }

  get settings(): Answerer["settings"] {
    const { acceptGrace, history } = this.#parts;
    return { window: Math.max(...this.#windows), acceptGrace, history, cacheBytes: 64 * 1024 * 1024 };
  }

  get isRunning(): boolean {
    return this.#host.isRunning;
  }

  get token(): Token | null {
    return this.#token;
  }

  /** Whether its token covers a domain. */
  covers(domain: string): boolean {
    return this.#token !== null && (this.#token.domains?.includes(domain) ?? true);
  }

  /** What the bridge beside it asks it for. */
  readonly lists: LocalLists = {
    check: (recipient, domain, minGeneration) =>
      this.isRunning ? this.#host.replica.check(recipient, domain, minGeneration) : null,
    isAway: (domain) => this.isRunning && this.#host.replica.isAway(domain),
    noteUsed: (answer: Answer, domain: string) => this.#host.replica.noteUsed(answer, domain),
  };

  /** When a fault last met it, or now while one does. */
  get hurtAt(): number {
    const isHurt = !this.isRunning || this.#failing.size > 0 || this.isDiskBad;
    return isHurt ? this.#parts.time.now() : this.#hurtAt;
  }

  get isDiskBad(): boolean {
    return this.disk.fault !== null || this.disk.wait !== null;
  }

  /** Last contact with the Registry of a partition. */
  contact(partition: number): number {
    return this.#evidence.get(partition) ?? Number.NEGATIVE_INFINITY;
  }

  /** When the question of the last applied answer of a partition was sent. */
  confirmedAt(partition: number): number {
    return this.#applied.get(partition)?.sentAt ?? Number.NEGATIVE_INFINITY;
  }

  hurt(): void {
    this.#hurtAt = this.#parts.time.now();
  }

  /** All moments since one at which it may have decided. @param answered what it had answered from by then */
  momentsSince(time: number, answered: ReadonlyMap<string, number> = this.answered): Moment[] {
    const past = this.#moments.filter((moment) => moment.time >= time);
    return [...past, ...this.#present()].map((moment) => ({ ...moment, answered }));
  }

  /**
   * What may be known of it now. An answer that arrived may not be applied yet, and departures run on the Registry's
   * time, which a replica takes for as early as it can be.
   */
  #present(): Moment[] {
    const { time } = this.#parts;
    const heard = [...this.#arrived.values(), ...this.#applied.values()];
    const monotonic = this.#host.monotonic();
    const earliest = Math.min(...heard.map((it) => it.sentAt + monotonic - it.monotonic));
    const clocks = [heard.length === 0 ? Number.NEGATIVE_INFINITY : earliest, time.now()];
    return [this.#arrived, this.#applied].flatMap((exchanges) =>
      clocks.map((clock) => ({
        time: time.now(),
        clock,
        hurtAt: this.hurtAt,
        exchanges: new Map(exchanges),
        evidence: new Map(this.#evidence),
        answered: this.answered,
        unnoticed: this.#unnoticed,
      })),
    );
  }

  #noteMoment(): void {
    const { time } = this.#parts;
    this.#moments = [...this.#moments.filter((it) => time.now() - it.time < 6_000), ...this.#present()];
  }

  /** The host gets a token, and with the first one it starts. */
  useToken(token: Token): void {
    const isFirst = this.#token === null;
    this.#token = token;
    this.hurt();
    for (const lists of [this.held, this.#durable])
      for (const domain of lists.keys()) if (!this.covers(domain)) lists.delete(domain);
    this.#host.useToken(token.token);
    if (isFirst) this.boot();
  }

  /** Ends as with `kill -9`, or as the power fails. */
  stop(losesPower: boolean): void {
    this.#host.kill();
    if (losesPower) this.disk.losePower(() => this.#parts.random.next());
    this.disk.diesBefore = Number.POSITIVE_INFINITY;
  }

  boot(): void {
    const { time, trace } = this.#parts;
    this.run++;
    this.#arrived = new Map();
    this.#applied = new Map();
    this.#moments = [];
    this.#failing.clear();
    this.answered.clear();
    this.held = new Map(this.#durable);
    this.hurt();
    this.#unnoticed = this.#unnoticedAtBoot();
    trace(
      () => `${this.name} starts${this.#unnoticed > 0 ? `, ${this.#unnoticed} ms later than it knows` : ""}`,
    );
    void this.#host.start();
    time.after(0, () => this.hurt());
  }

  /** How much more time has passed since the last stored time than the host's clock shows. */
  #unnoticedAtBoot(): number {
    const { time } = this.#parts;
    try {
      const text = new TextDecoder().decode(this.disk.files.get("time"));
      const stored = JSON.parse(text.slice(text.indexOf("\n"))) as { registry: number; wall: number };
      const shown = time.now() + this.#host.wallOffset - stored.wall;
      this.isClockSound &&= shown >= 0;
      // A clock before the stored time is noticed.
      return shown < 0 ? 0 : Math.max(0, time.now() - stored.registry - shown);
    } catch {
      return 0;
    }
  }

  setClock(by: number): void {
    this.#host.wallOffset += by;
    if (by !== 0) this.isClockSound = false;
    this.hurt();
  }

  fallAsleep(): void {
    this.#host.fallAsleep();
  }

  wake(): void {
    this.hurt();
    this.#host.wake();
  }

  /** Does something to files of the disk; nothing is sure of what it has then. */
  damage(how: "flip" | "missing" | "swap" | "copy" | "older copy", files: string): void {
    const { random } = this.#parts;
    const paths = [...this.disk.files.keys()].filter((path) => path.startsWith(files)).sort();
    if (how === "copy") {
      this.#copy = { files: new Map(this.disk.files), durable: new Map(this.#durable) };
      return;
    }
    if (how === "older copy") {
      this.disk.files.clear();
      for (const [path, bytes] of this.#copy.files) this.disk.files.set(path, bytes);
      this.#durable = new Map(this.#copy.durable);
      this.held = new Map();
      return;
    }
    if (paths.length === 0) return;
    const path = random.pick(paths);
    if (how === "flip") this.disk.flip(path, random.integer());
    else if (how === "missing") this.disk.files.delete(path);
    else {
      const other = random.pick(paths);
      const [a, b] = [this.disk.files.get(path), this.disk.files.get(other)];
      this.disk.files.set(path, b as Uint8Array);
      this.disk.files.set(other, a as Uint8Array);
    }
    this.#parts.trace(() => `on the disk of ${this.name}: ${how} ${path}`);
    this.held.clear();
    this.#durable.clear();
    this.hurt();
  }

  async #send(request: Request): Promise<Response> {
    const { time, fetch, faults, location } = this.#parts;
    const path = new URL(request.url).pathname;
    const body = await request.text();
    const { method, headers } = request;
    const isPoll = path === "/v1/changes";
    if (isPoll) this.#requireFewPolls((JSON.parse(body) as ChangesRequest).partition);
    this.#requireLacking(path);
    const sentAt = time.now();
    const cached = this.#cached.get(path);
    if (cached !== undefined && faults.meet(sentAt, location, (kind) => kind === "proxy answers stale")) {
      this.hurt();
      await time.sleep(10);
      return cached.clone();
    }
    const token = this.#token;
    let response: Response;
    try {
      response = await fetch(request.url, { method, headers, ...(body === "" ? {} : { body }) });
    } catch (error) {
      this.hurt();
      throw error;
    }
    if (response.status !== 200 || time.now() - sentAt > SLOW) this.hurt();
    if (response.status === 200) this.#cached.set(path, response.clone());
    if (isPoll && response.status === 200)
      this.#heard((await response.clone().json()) as ChangesAnswer, sentAt, token);
    return response;
  }

  #heard({ partition, window, heads }: ChangesAnswer, sentAt: number, token: Token | null): void {
    const { time, violation, trace } = this.#parts;
    trace(
      () =>
        `${this.name} hears from Registry ${partition}, asked ${time.now() - sentAt} ms ago: ${JSON.stringify(heads)}`,
    );
    if (token !== null && sentAt > token.revokedAt)
      violation("revocation", `${this.name} is told of changes, and its token was revoked`);
    const foreign = heads.find(([domain]) => !(token?.domains?.includes(domain) ?? true));
    if (foreign !== undefined)
      violation("a replica hears of its own domains alone", `${this.name} is told of ${foreign[0]}`);
    if (1000 * window !== this.#windows[1]) this.hurt();
    this.#windows = [this.#windows[1], 1000 * window];
    const heard = { sentAt, arrivedAt: time.now(), monotonic: this.#host.monotonic() };
    this.#noteMoment();
    this.#arrived.set(partition, heard);
    this.#evidence.set(partition, Math.max(sentAt, this.contact(partition)));
  }

  /** Polls come every half window, whatever is asked; and pauses grow while they fail. */
  #requireFewPolls(partition: number): void {
    const { time, violation } = this.#parts;
    const now = time.now();
    const window = Math.min(...this.#windows);
    this.#polls = [...this.#polls.filter((poll) => now - poll.at < window), { partition, at: now }];
    const count = this.#polls.filter((poll) => poll.partition === partition).length;
    const most = now - this.hurtAt > window + SLOW ? MOST_POLLS_WELL : MOST_POLLS;
    if (count > most)
      violation("polls are few", `${this.name} asks Registry ${partition} ${count} times within a window`);
  }

  /** A part that is on the disk, and intact, is not fetched again. */
  #requireLacking(path: string): void {
    const [, domain, id] = BLOB.exec(path) ?? [];
    if (domain === undefined || id === undefined || this.isDiskBad) return;
    const bytes = this.disk.files.get(`blobs/${domain}/${id}`);
    if (bytes === undefined || !equalBytes(stablelibHashing.sha256(bytes), fromHex(id))) return;
    this.#parts.violation(
      "a publish costs what changed",
      `${this.name} fetches ${id} of ${domain}, which it has`,
    );
  }

  #observed(event: string, [first, second]: readonly unknown[]): void {
    const { violation, trace } = this.#parts;
    if (event === "polled") this.#polled(first as number, second === null);
    else if (event === "ready") {
      this.held.set(first as string, second as number);
      if (!this.isDiskBad) this.#durable.set(first as string, second as number);
    } else if (event === "written") this.#durable = new Map(this.held);
    else if (event === "failed") {
      const why = first instanceof Error ? first.stack : String(first);
      violation("no fault of a replica's own", `${this.name}: ${why}`);
    }
    if (event !== "fetched" && event !== "progress")
      trace(
        () =>
          `${this.name}: ${event} ${first === undefined ? "" : String(first)} ${second === undefined ? "" : String(second)}`,
      );
  }

  #polled(partition: number, isGood: boolean): void {
    if (!isGood) {
      this.#failing.add(partition);
      return;
    }
    if (this.#failing.delete(partition)) this.hurt();
    const heard = this.#arrived.get(partition);
    if (heard === undefined) return;
    this.#noteMoment();
    this.#applied.set(partition, heard);
    this.#unnoticed = 0;
    this.isClockSound = true;
  }
}
