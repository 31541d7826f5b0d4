import type { Position } from "../../api/index.ts";
import { type Release, Semaphore } from "../../runtime/semaphore.ts";
import type { ReplicaObserver } from "./ports.ts";
import { reasonOf } from "./reason.ts";
import { type SyncPorts, syncDomain } from "./sync-domain.ts";

/** Domains that are fetched at the same time, and requests for them. */
const MAX_SYNCS = 4;
const MAX_REQUESTS = 8;
/** After a fetch of a domain, nothing that is found missing starts another one for so long, ms. */
const PAUSE = 1_000;

/** A complete list in the store. */
interface Held {
  readonly head: Position;
  /** When it was last known to be the newest, on the replica's clock; minus infinity if that was never. */
  newestAt: number;
}

/** What the queue asks and tells its replica. */
export interface SyncedLists {
  /** The head of a domain, null if it has none. */
  headOf(domain: string): Position | null;
  /** Whether the list of a domain without a head stays. */
  isHeld(domain: string): boolean;
  /** The last contact with a domain's Registry, on the replica's clock; minus infinity if there was none. */
  contact(domain: string): number;
  /** The list of a domain is complete in the store. @param newestAt when it was last known to be the newest */
  synced(domain: string, head: Position, newestAt: number): void;
  /** The replica's clock. */
  now(): number;
}

/** Fetches the lists of domains that are behind the log, or of which a part is missing. */
export class SyncQueue {
  readonly #ports: SyncPorts;
  readonly #observer: ReplicaObserver;
  readonly #lists: SyncedLists;
  readonly #semaphore = new Semaphore(MAX_REQUESTS);
  readonly #held = new Map<string, Held>();
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  /** Domains whose list was complete when a part of it was found missing. */
  readonly #spoiled = new Set<string>();
  /** When a fetch of the domain last ended, or was last found to be needed. */
  readonly #triedAt = new Map<string, number>();
  #isStopped = false;

  constructor(ports: Omit<SyncPorts, "turn"> & { readonly observer: ReplicaObserver }, lists: SyncedLists) {
    const { store, keys, edge, hashing, observer } = ports;
    this.#ports = { store, keys, edge, hashing, observer, turn: () => this.#turn() };
    this.#observer = observer;
    this.#lists = lists;
  }

  /** The complete list of a domain in the store, as far as it is known; null if there is none. */
  held(domain: string): Readonly<Held> | null {
    return this.#held.get(domain) ?? null;
  }

  /** Starts nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The log was confirmed: the lists that are at their heads are the newest. */
  noteNewest(domains: readonly string[], askedAt: number): void {
    for (const domain of domains) {
      const held = this.#held.get(domain);
      if (held !== undefined && this.#isCurrent(domain)) held.newestAt = askedAt;
    }
  }

  /** Fetches a domain's list, unless the one that is stored is known to be complete and the newest. */
  addIfBehind(domain: string): void {
    if (!this.#isCurrent(domain)) this.#add(domain);
  }

  /** The store may have lost any list: each is looked for again. */
  distrust(): void {
    for (const domain of this.#held.keys()) this.#spoiled.add(domain);
    this.#held.clear();
  }

  /** A check found that a part of a list is not there, or is damaged. @param blob its id, null for the manifest */
  noteMissing(domain: string, blob: string | null): void {
    if (this.#lists.headOf(domain) === null || this.#running.has(domain)) return;
    const triedAt = this.#triedAt.get(domain);
    // A list that waits for its turn, or for the next poll after a failure, is known to lack parts.
    if (!this.#held.has(domain) && (this.#waiting.has(domain) || triedAt !== undefined)) return;
    if (triedAt !== undefined && this.#lists.now() - triedAt < PAUSE) return;
    // A list that is behind is about to be replaced. Of another one the fetch says what is missing.
    if (this.#isCurrent(domain) && this.#held.delete(domain)) this.#spoiled.add(domain);
    this.#triedAt.set(domain, this.#lists.now());
    if (blob === null) this.#add(domain);
    else void this.#ports.store.removeBlob(domain, blob).then(() => this.#add(domain));
  }

  /** Removes all that is stored of a domain that has no head. */
  async remove(domain: string): Promise<void> {
    if (!this.#running.has(domain)) await this.#removeStored(domain);
  }

  async #removeStored(domain: string): Promise<void> {
    this.#held.delete(domain);
    this.#spoiled.delete(domain);
    this.#triedAt.delete(domain);
    this.#ports.keys.forget(domain);
    await this.#ports.store.removeDomain(domain);
  }

  #isCurrent(domain: string): boolean {
    const [head, held] = [this.#lists.headOf(domain), this.#held.get(domain)?.head];
    return head === null || (held !== undefined && reaches(held, head));
  }

  #add(domain: string): void {
    this.#waiting.add(domain);
    this.#start();
  }

  #start(): void {
    for (const domain of this.#waiting) {
      if (this.#isStopped || this.#running.size >= MAX_SYNCS) return;
      if (this.#running.has(domain)) continue;
      this.#waiting.delete(domain);
      this.#running.add(domain);
      void this.#sync(domain);
    }
  }

  async #sync(domain: string): Promise<void> {
    try {
      const need = this.#lists.headOf(domain);
      if (need === null) return;
      // The log may go on while the list is fetched, which may take long.
      const begun = this.#lists.contact(domain);
      const { manifest, fetched } = await syncDomain(this.#ports, domain, need, this.#spoiled.delete(domain));
      const head = { incarnation: manifest.incarnation, number: manifest.generation };
      const present = this.#lists.headOf(domain);
      const isNewest = present !== null && reaches(head, present);
      const newestAt = isNewest ? this.#lists.contact(domain) : begun;
      this.#held.set(domain, { head, newestAt });
      this.#lists.synced(domain, head, newestAt);
      this.#observer.ready(domain, head.number, fetched);
    } catch (error) {
      if (!this.#isStopped) this.#observer.syncFailed(domain, reasonOf(error));
    } finally {
      this.#triedAt.set(domain, this.#lists.now());
      // It was left alone if it lost its head meanwhile.
      const isGone = this.#lists.headOf(domain) === null && !this.#lists.isHeld(domain);
      if (isGone && !this.#isStopped) await this.#removeStored(domain);
      this.#running.delete(domain);
      this.#start();
    }
  }

  /** Waits for a turn to send a request. @throws after the stop */
  async #turn(): Promise<Release> {
    const release = await this.#semaphore.acquire();
    if (!this.#isStopped) return release;
    release();
    throw new Error("the bridge is stopping");
  }
}

const reaches = (list: Position, head: Position): boolean =>
  list.incarnation === head.incarnation && list.number >= head.number;
