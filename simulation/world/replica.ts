/** One mail host with a replica, with what was shown to it, and what became of its disk. */
import type { ChangesAnswer } from "../../src/api/index.ts";
import type { PollFault } from "../../src/bridge/replica/ports.ts";
import type { LocalLists } from "../../src/bridge/replica/replica-source.ts";
import { LINGERING } from "../../testing/limits.ts";
import { ReplicaHost } from "../../testing/replica-host.ts";
import type { Answerer, Exchange, Moment } from "../model/answerer.ts";
import type { Token } from "../model/http-judge.ts";
import { ClockTrust } from "./clock-trust.ts";
import { HeardLogs } from "./heard-logs.ts";
import type { ReplicaParts } from "./replica-parts.ts";
import { ReplicaRequests } from "./replica-requests.ts";
import { type Damage, StoredLists } from "./stored-lists.ts";
import { WatchedDisk } from "./watched-disk.ts";

/** An answer that arrived, with the host's monotonic clock at that time. */
interface Heard extends Exchange {
  readonly monotonic: number;
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
  readonly #requests: ReplicaRequests;
  #token: Token | null = null;
  /** Windows that the last two answers named, and those that came since one was applied. */
  #windows: readonly number[];
  #hurtAt: number;
  /** Its run in which files were damaged last. */
  #damagedIn = -1;
  /** By partition: the last answer that arrived, and the last one that was applied. */
  #arrived = new Map<number, Heard>();
  #applied = new Map<number, Heard>();
  #evidence = new Map<number, number>();
  /** Partitions whose last poll failed. */
  readonly #failing = new Set<number>();
  unnoticed = 0;
  #isTimeKnown = true;
  #moments: Moment[] = [];
  /** Answers that arrived and were not applied yet, by partition. */
  readonly #unapplied = new Map<number, ChangesAnswer>();
  /** By domain: the head in the newest log that it knows, from polls or from its disk, and since when. */
  readonly heard: HeardLogs;
  /** Contacts that it knows of, by partition. */
  #contacts = new Map<number, number>();
  readonly #lists = new StoredLists(this.disk);
  run = 0;
  hasEnded = false;
  readonly clock: ClockTrust;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.heard = new HeardLogs({ now: () => parts.time.now(), partitionOf: parts.partitionOf });
    this.clock = new ClockTrust(() => parts.time.now());
    this.#windows = [parts.window, parts.window];
    this.#hurtAt = parts.time.now();
    this.disk.died = () => this.stop(true);
    this.disk.wentBack = (path) =>
      parts.violation("nobody goes back", `${this.name} stores an older ${path}`);
    this.disk.removed = (domain) => this.#lists.removed(domain);
    this.#requests = new ReplicaRequests({ ...parts, replica: this });
    this.#host = new ReplicaHost({
      time: parts.time,
      network: (request) => this.#requests.send(request),
      token: "",
      acceptGrace: parts.acceptGrace,
      disk: this.disk,
      seed: parts.random.integer(),
      observed: (event, details) => this.#observed(event, details),
    });
  }

  get settings(): Answerer["settings"] {
    return { ...this.#parts, window: Math.max(...this.#windows), cacheBytes: 64 * 1024 * 1024 };
  }

  get isRunning(): boolean {
    return this.#host.isRunning;
  }
  get token(): Token | null {
    return this.#token;
  }
  get shortestWindow(): number {
    return Math.min(...this.#windows);
  }

  /** Whether its token covers a domain. */
  readonly covers = (domain: string): boolean =>
    this.#token?.domains?.includes(domain) ?? this.#token !== null;

  /** What the bridge beside it asks it for. */
  get lists(): LocalLists {
    return this.#host.lists;
  }

  /** When a fault last met it, or now while one does. */
  get hurtAt(): number {
    const isHurt = !this.isRunning || this.#failing.size > 0 || this.disk.isBad || this.#requests.isWaiting;
    return isHurt ? this.#parts.time.now() : this.#hurtAt;
  }

  readonly isFailing = (partition: number): boolean => this.#failing.has(partition);

  /** Last contact with the Registry of a partition that it knows of. */
  contact(partition: number): number {
    return this.#contacts.get(partition) ?? Number.NEGATIVE_INFINITY;
  }

  /** Generations of the complete lists that it has, by domain. */
  get held(): ReadonlyMap<string, number> {
    return this.#lists.held;
  }

  /** Those of a partition that it may accept from for sure: none while its disk or its clock is not in order. */
  sure(partition: number): ReadonlyMap<string, number> {
    return this.disk.isBad || !this.clock.isSound(partition) ? new Map() : this.held;
  }

  hurt(): void {
    this.#hurtAt = this.#parts.time.now();
  }

  /** All moments since one at which it may have decided. @param answered what it had answered from by then */
  momentsSince(time: number, answered: ReadonlyMap<string, number> = this.answered): Moment[] {
    const past = this.#moments.filter((moment) => moment.time >= time);
    return [...past, ...this.#present()].map((moment) => ({ ...moment, answered: new Map(answered) }));
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
        unnoticed: this.unnoticed,
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
    this.#lists.keepOnly((domain) => this.covers(domain));
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
    [this.#arrived, this.#applied, this.#moments] = [new Map(), new Map(), []];
    this.#failing.clear();
    this.answered.clear();
    this.#lists.restarted();
    this.#contacts = this.disk.storedContacts();
    this.heard.clear();
    for (const [partition, { incarnation, heads }] of this.disk.storedLogs())
      this.heard.note(partition, incarnation, heads);
    this.hurt();
    const noticed = this.disk.noticedAt(time.now(), this.#host.wallOffset);
    this.unnoticed = noticed.lacks;
    // What the clock does not say, the first answer does.
    this.#isTimeKnown = noticed.isSound;
    if (!noticed.isSound) this.clock.noteChange();
    trace(() => `${this.name} starts, ${noticed.lacks} ms later than it knows`);
    void this.#host.start();
    time.after(0, () => this.hurt());
  }

  makeDiskWell(): void {
    this.disk.makeWell();
    this.hurt();
    this.#lists.hasRoomAt = this.#parts.time.now();
  }

  /** A window after the disk has room again, it has every list. */
  #requireWritten(): void {
    const { time, violation } = this.#parts;
    const lacking = this.#lists.lackingAfter(time.now() - this.settings.window - LINGERING);
    if (lacking === null) return;
    violation("the folder has every list", `${this.name} keeps that of ${lacking} in memory`);
  }

  setClock(by: number): void {
    this.#host.wallOffset += by;
    if (by !== 0) this.clock.noteChange();
    this.hurt();
  }

  readonly fallAsleep = (): void => this.#host.fallAsleep();
  wake(): void {
    this.hurt();
    this.#host.wake();
  }

  damage(how: Damage, files: string): void {
    const path = this.#lists.damage(this.#parts.random, how, files);
    if (path === null) return;
    this.#parts.trace(() => `on the disk of ${this.name}: ${how} ${path}`);
    this.#damagedIn = this.run;
    this.hurt();
  }

  /** Whether files were damaged since it started, when it reads all of them. */
  get isDamaged(): boolean {
    return this.#damagedIn === this.run;
  }

  /** A poll was answered. @param token with which it was sent */
  noteAnswer(answer: ChangesAnswer, sentAt: number, token: Token | null): void {
    const { partition, window, heads } = answer;
    const { time, violation, trace } = this.#parts;
    if (answer.full) this.heard.forgetHeads(partition);
    this.#unapplied.set(partition, answer);
    const what = `hears from Registry ${partition}, asked ${time.now() - sentAt} ms ago`;
    trace(() => `${this.name} ${what}: ${JSON.stringify(heads)}`);
    if (token !== null && sentAt > token.revokedAt)
      violation("revocation", `${this.name} hears of changes, and its token was revoked`);
    const foreign = heads.find(([domain]) => !(token?.domains?.includes(domain) ?? true));
    if (foreign !== undefined)
      violation("a replica hears of its own domains alone", `${this.name} hears of ${foreign[0]}`);
    if (1000 * window !== this.#windows.at(-1)) this.hurt();
    this.#windows = [...this.#windows, 1000 * window];
    this.#noteMoment();
    this.#arrived.set(partition, { sentAt, arrivedAt: time.now(), monotonic: this.#host.monotonic() });
    this.#evidence.set(partition, Math.max(sentAt, this.#evidence.get(partition) ?? 0));
  }

  #observed(event: string, [first, second]: readonly unknown[]): void {
    const { violation, trace } = this.#parts;
    if (event === "polled") this.#polled(first as number, second as PollFault | null);
    else if (event === "ready") this.#lists.ready(first as string, second as number);
    else if (event === "unwritable") this.#lists.unwritable();
    else if (event === "written") this.#lists.written();
    // A damaged part is found when it is read, and the edge is asked meanwhile.
    else if (event === "missing" && this.#lists.isSpoiled) this.hurt();
    else if (event === "failed") {
      const why = first instanceof Error ? first.stack : String(first);
      violation("no fault of a replica's own", `${this.name}: ${why}`);
    }
    if (event !== "fetched" && event !== "progress") trace(() => `${this.name}: ${event} ${first} ${second}`);
  }

  #polled(partition: number, fault: PollFault | null): void {
    // An answer of the edge is usable: nothing excuses that it was not used.
    if (fault !== null && fault !== "unusable") this.#failing.add(partition);
    if (fault !== null) return;
    this.#requireWritten();
    if (this.#failing.delete(partition)) this.hurt();
    const answer = this.#unapplied.get(partition);
    if (answer !== undefined) this.heard.note(partition, answer.incarnation, answer.heads);
    const heard = this.#arrived.get(partition);
    if (heard === undefined) return;
    this.#noteMoment();
    this.#applied.set(partition, heard);
    this.#windows = this.#windows.slice(-2);
    this.#contacts.set(partition, heard.sentAt);
    this.disk.noteContact(partition, heard.sentAt);
    // The answer shows the Registry's time at some moment of the exchange.
    this.unnoticed = Math.min(this.#isTimeKnown ? this.unnoticed : Infinity, heard.arrivedAt - heard.sentAt);
    this.#isTimeKnown = true;
    this.clock.noteContact(partition, heard.sentAt);
  }
}
