import {
  type Answer,
  type DomainKey,
  deriveDomainKey,
  KV_ROSTER,
  type Mac,
  partitionOf,
  type Roster,
  rosterMac,
  tokenMac,
} from "../directory/index.ts";
import { Memory } from "./blob-cache.ts";
import { Faults } from "./faults.ts";
import { Confirmation } from "./log-view.ts";
import type { Ports, ReaderSettings as Settings } from "./ports.ts";
import { Tally } from "./tally.ts";

/** Manifests of domains not known to be served that may be read before a roster is there, between refreshes. */
const COLD_LOADS = 16;
/** From this age on KV's own roster is read anew before anybody is called not served, milliseconds. */
export const KV_ROSTER_AGE = 60_000;
/** Where that fails for this long, nothing is known of exports. */
const KV_ROSTER_LIFE = 600_000;
/** Failures remembered; past it all are forgotten, which costs a few operations. */
const MAX_FAILURES = 10_000;

/** Domains that offline exports put into KV, as KV's own roster lists them. */
interface KvRoster {
  readonly heads: ReadonlyMap<string, number>;
  /** When it was read, Unix milliseconds. */
  readonly readAt: number;
}

/** A piece of work that one request does for all. */
interface Lease {
  /** When it ends by itself, Unix milliseconds. */
  readonly end: number;
  readonly aim: number;
}

/** All that one isolate remembers between requests: settled values only. */
export class Isolate {
  readonly settings: Settings;
  readonly ports: Ports;
  readonly memory: Memory;
  readonly tally = new Tally();
  readonly faults: Faults;
  readonly tokens: Mac;
  readonly rosters: Mac;
  readonly keyFor: (domain: string, epoch: number) => DomainKey;
  readonly #confirmations: readonly Confirmation[];
  /** Number of the generation that each domain was last answered from, outside of what may be evicted. */
  readonly #answered = new Map<string, { readonly incarnation: number; readonly generation: number }>();
  readonly #leases = new Map<string, Lease>();
  readonly #failures = new Map<string, number>();
  /** When a refresh last ended, well or not, by partition. */
  readonly #refreshedAt: number[];
  kvRoster: KvRoster = { heads: new Map(), readAt: Number.NEGATIVE_INFINITY };
  coldLoads = COLD_LOADS;

  constructor(settings: Settings, ports: Ports) {
    this.settings = settings;
    this.ports = ports;
    this.memory = new Memory(settings.cacheBytes);
    this.faults = new Faults(ports, (kind, domain) => this.tally.countFault(kind, domain));
    this.tokens = tokenMac(ports.hashing, settings.masterKey);
    this.rosters = rosterMac(ports.hashing, settings.masterKey);
    this.keyFor = (domain, epoch) => deriveDomainKey(ports.hashing, settings.masterKey, domain, epoch);
    this.#confirmations = Array.from(
      { length: settings.partitions },
      () => new Confirmation(settings.window),
    );
    this.#refreshedAt = new Array<number>(settings.partitions).fill(Number.NEGATIVE_INFINITY);
  }

  now(): number {
    return this.ports.clock.now();
  }

  partitionOf(domain: string): number {
    return partitionOf(this.ports.hashing, domain, this.settings.partitions);
  }

  confirmation(partition: number): Confirmation {
    return this.#confirmations[partition] as Confirmation;
  }

  /** Whether any Registry has told that a token was revoked. */
  isRevoked(tokenId: string): boolean {
    for (const confirmation of this.#confirmations) if (confirmation.isRevoked(tokenId)) return true;
    return false;
  }

  /** The generation below which this isolate may not answer about a domain any more from one log's numbers. */
  answeredFrom(domain: string, incarnation: number): number {
    const last = this.#answered.get(domain);
    // An earlier log is behind it altogether; an export (of no log) is overruled where there is a head.
    if (last !== undefined && last.incarnation > incarnation && incarnation > 0)
      return Number.POSITIVE_INFINITY;
    return last?.incarnation === incarnation ? last.generation : 0;
  }

  /** Counts an answer: by its domain where that is served here, so that no asker can make the table long. */
  count(answer: Answer): void {
    const { domain, generation } = answer;
    const isServed =
      generation !== null ||
      (domain !== null && this.confirmation(this.partitionOf(domain)).known(domain) !== undefined);
    this.tally.countAnswer(answer, isServed ? domain : null);
  }

  /** Notes what a domain was answered from. */
  noteAnswer(domain: string, incarnation: number, generation: number): void {
    const last = this.#answered.get(domain);
    if (last?.incarnation === incarnation && last.generation >= generation) return;
    this.#answered.set(domain, { incarnation, generation });
  }

  /** When a refresh of a partition last ended, well or not; Unix milliseconds. */
  refreshedAt(partition: number): number {
    return this.#refreshedAt[partition] as number;
  }

  noteRefresh(partition: number): void {
    this.#refreshedAt[partition] = this.now();
    this.coldLoads = COLD_LOADS;
  }

  /** Milliseconds since KV's own roster was read. */
  exportsAge(now: number): number {
    return now - this.kvRoster.readAt;
  }

  /** Whether it is known, as well as KV tells, which domains stand there by export. */
  knowsExports(now: number): boolean {
    return this.exportsAge(now) <= KV_ROSTER_LIFE;
  }

  /** Whether an export says that it serves a domain. */
  isExported(domain: string): boolean {
    return this.kvRoster.heads.has(domain);
  }

  takeKvRoster(roster: Roster | null, readAt: number): void {
    const heads = roster?.partition === KV_ROSTER ? Object.entries(roster.heads) : [];
    this.kvRoster = { heads: new Map(heads), readAt };
  }

  /** Takes the lease on one piece of work, so that only one request does it; false where another has it. */
  takeLease(name: string, life: number, aim = 0): boolean {
    const now = this.now();
    if ((this.#leases.get(name)?.end ?? 0) > now) return false;
    this.#leases.set(name, { end: now + life, aim });
    return true;
  }

  hasLease(name: string): boolean {
    return (this.#leases.get(name)?.end ?? 0) > this.now();
  }

  /** What the work that has a lease reaches for. */
  leaseAim(name: string): number {
    return this.#leases.get(name)?.aim ?? Number.NEGATIVE_INFINITY;
  }

  endLease(name: string): void {
    this.#leases.delete(name);
  }

  /** Remembers that a piece of work failed, so that it is not begun again at once. */
  noteFailure(name: string, pause: number): void {
    if (this.#failures.size >= MAX_FAILURES) this.#failures.clear();
    this.#failures.set(name, this.now() + pause);
  }

  hasJustFailed(name: string): boolean {
    return (this.#failures.get(name) ?? 0) > this.now();
  }

  endFailure(name: string): void {
    this.#failures.delete(name);
  }
}
