import type { Position, QuestionAnswer } from "../../api/index.ts";
import { type Answer, type Hashing, parseRecipient } from "../../directory/index.ts";
import { type Observer, Reader, type ReaderContext } from "../../reader/index.ts";
import type { Timers } from "../../runtime/ports.ts";
import type { KeyRing } from "./key-ring.ts";
import type { ReplicaTime } from "./replica-time.ts";
import type { StoredLog, StoredSettings, StoredTime } from "./store.ts";

export interface ReaderHostParts {
  readonly settings: StoredSettings;
  /** Milliseconds. */
  readonly acceptGrace: number;
  /** Bytes of manifests and blobs that may be cached. */
  readonly cacheBytes: number;
  readonly time: ReplicaTime;
  readonly timers: Timers;
  readonly hashing: Hashing;
  readonly keys: KeyRing;
  readonly context: ReaderContext;
  readonly observer: Observer;
}

/** The project's reader over a replica's own store. It hears of the log from the poller alone. */
export class ReaderHost {
  readonly settings: StoredSettings;
  readonly #parts: ReaderHostParts;
  readonly #reader: Reader;
  /** By partition, the domains that have a head. */
  readonly #domains: readonly Set<string>[];

  constructor(parts: ReaderHostParts) {
    const { settings, acceptGrace, cacheBytes, time, timers, hashing, keys, observer } = parts;
    const { partitions, window } = settings;
    this.#parts = parts;
    this.settings = settings;
    this.#reader = new Reader(
      { window, acceptGrace, cacheBytes, partitions, mostHeads: Number.MAX_SAFE_INTEGER },
      {
        clock: time,
        registryClock: { now: () => time.earliest() },
        silence: (contact) => time.silence(contact),
        timers,
        hashing,
        keyFor: keys.keyFor,
        // No roster is ever read here.
        rosterMac: hashing.hmac(new Uint8Array(1)),
        observer,
      },
    );
    this.#domains = Array.from({ length: partitions }, () => new Set<string>());
  }

  /** Starts from what an earlier run stored. It confirms nothing. @param contact of this log, on the replica's clock */
  startFrom(partition: number, { incarnation, number, heads }: StoredLog, contact: number): void {
    const { partitions } = this.settings;
    const roster = { partition: String(partition), partitions, incarnation, asOf: number };
    const named = { heads: Object.fromEntries(heads), revoked: [], heartbeat: contact };
    this.#reader.views.at(partition).startFrom({ ...roster, ...named });
    for (const [domain] of heads) this.#domains[partition]?.add(domain);
  }

  /**
   * Another one over the same store that knows of no log: whatever list it reads counts, and may only accept. It judges no
   * age.
   */
  ofNoLog(): ReaderHost {
    const reader = new ReaderHost({ ...this.#parts, acceptGrace: Number.POSITIVE_INFINITY });
    for (const partition of this.#domains.keys())
      reader.startFrom(partition, { incarnation: 0, number: 0, heads: [] }, Number.NEGATIVE_INFINITY);
    return reader;
  }

  /** Takes a domain for served, though no log is known. */
  suppose(domain: string): void {
    const view = this.#reader.views.of(domain);
    if (view.head(domain) === undefined) view.noteChange({ incarnation: 0, number: 0 }, { [domain]: 0 });
  }

  /** Takes over what another one knows of the same partitions. It confirms nothing. */
  continueFrom(other: ReaderHost): void {
    for (const partition of this.#domains.keys()) {
      const position = other.position(partition);
      if (position === null) continue;
      this.startFrom(partition, { ...position, heads: other.heads(partition) }, other.lastContact(partition));
    }
  }

  partitionOf(domain: string): number {
    return this.#reader.partitionOf(domain);
  }

  /** What the next question asks from. */
  position(partition: number): Position | null {
    return this.#reader.views.at(partition).position;
  }

  /** Last contact with a partition's Registry, on the replica's clock; minus infinity if there was none. */
  lastContact(partition: number): number {
    return this.#reader.views.at(partition).lastContact;
  }

  /** The last contact with each partition, for the store. @param registry the Registry's time now */
  contacts(registry: number): StoredTime["contacts"] {
    const { time } = this.#parts;
    return this.#domains.map((_, partition) => {
      const [position, contact] = [this.position(partition), this.lastContact(partition)];
      if (position === null || contact === Number.NEGATIVE_INFINITY) return null;
      return [position.incarnation, Math.floor(registry - time.silence(contact))];
    });
  }

  /** Whether a partition's log was confirmed within the window. */
  isFresh(partition: number): boolean {
    return this.#reader.views.at(partition).isFresh(this.#parts.time.now());
  }

  /** The head of a domain, null if none is known. */
  head(domain: string): Position | null {
    const view = this.#reader.views.of(domain);
    const number = view.head(domain);
    return number === undefined ? null : { incarnation: view.incarnation, number };
  }

  /**
   * What was heard of a domain's log: its head, or that of the list it is an alias of if that is higher. Null before
   * anything was heard.
   */
  heard(domain: string): Position | null {
    const view = this.#reader.views.of(domain);
    if (view.position === null) return null;
    const heads = [domain, this.aliasOf(domain)].map((of) => (of === null ? 0 : (view.head(of) ?? 0)));
    return { incarnation: view.incarnation, number: Math.max(...heads) };
  }

  /** The domain that this one is an alias of, as far as it was read; a tombstone keeps the policy and stands for no list. */
  aliasOf(domain: string): string | null {
    const manifest = this.#reader.cache.get(domain)?.manifest;
    return manifest?.deletedUntil === null ? manifest.policy.alias : null;
  }

  /** The list of a domain that it answers from, as far as it was read. */
  list(domain: string): Position | null {
    const manifest = this.#reader.cache.get(domain)?.manifest;
    return manifest === undefined ? null : { incarnation: manifest.incarnation, number: manifest.generation };
  }

  /** Domains of a partition that have a head. */
  domains(partition: number): string[] {
    return [...(this.#domains[partition] as Set<string>)];
  }

  heads(partition: number): (readonly [domain: string, number: number])[] {
    const view = this.#reader.views.at(partition);
    return this.domains(partition).map((domain) => [domain, view.head(domain) as number]);
  }

  /**
   * Applies an answer that was found to be in order, with the heads in scope only.
   * @param askedAt when the question was sent: the window starts before the question
   */
  apply(partition: number, answer: QuestionAnswer, askedAt: number): void {
    const view = this.#reader.views.at(partition);
    const domains = this.#domains[partition] as Set<string>;
    view.apply(answer, askedAt, view.position);
    for (const [domain] of answer.heads) domains.add(domain);
    for (const domain of domains) if (view.head(domain) === undefined) domains.delete(domain);
  }

  /** Checks one recipient: at once if all that it needs is in memory. Never rejects, and sends nothing. */
  check(text: string, minGeneration: number): Answer | Promise<Answer> {
    const query = { text, recipient: parseRecipient(text), minGeneration, isNamed: false };
    return this.#reader.check(this.#parts.context, query);
  }
}
