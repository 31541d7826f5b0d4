import type { Random } from "../../testing/random.ts";
import type { WatchedDisk } from "./watched-disk.ts";

export type Damage = "flip" | "missing" | "swap" | "copy" | "older copy";

interface Copy {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly durable: ReadonlyMap<string, number>;
}

/** Complete lists that a replica has for sure: generations by domain. */
export class StoredLists {
  readonly #disk: WatchedDisk;
  held = new Map<string, number>();
  /** Those that the disk has, also after a power failure. */
  #durable = new Map<string, number>();
  #copy: Copy | null = null;
  /** Files that were damaged, as the damage left them: undefined for those that it took away. */
  readonly #damaged = new Map<string, Uint8Array | undefined>();
  readonly #removed = new Set<string>();
  #isWaiting = false;
  /** When trouble of the disk ended in this run; infinity if there was none, or if it was looked at since. */
  hasRoomAt = Number.POSITIVE_INFINITY;
  /** Whether anything but the replica ever changed a file. */
  isSpoiled = false;

  constructor(disk: WatchedDisk) {
    this.#disk = disk;
  }

  ready(domain: string, generation: number): void {
    this.#removed.delete(domain);
    if (this.#isDamaged(domain)) return;
    this.held.set(domain, generation);
    if (!this.#isWaiting && !this.#disk.isBad) this.#durable.set(domain, generation);
  }

  /** A file waits in memory: it may be the log, without which no list is used after a start. */
  unwritable(): void {
    this.#isWaiting = true;
  }

  /** What waited in memory is on the disk now. */
  written(): void {
    this.#isWaiting = false;
    this.#durable = new Map(this.held);
  }

  /** The replica removed what it had of a domain. */
  removed(domain: string): void {
    this.#removed.add(domain);
  }

  /** Whether a file that a domain's list needs is still as a damage left it, and not written since. */
  #isDamaged(domain: string): boolean {
    return [...this.#damaged].some(
      ([path, bytes]) => this.#disk.files.get(path) === bytes && isNeeded(path, domain),
    );
  }

  restarted(): void {
    this.#isWaiting = false;
    this.hasRoomAt = Number.POSITIVE_INFINITY;
    // One that was written after others had to wait may be there before it is said that nothing waits any more.
    for (const [domain, generation] of this.#durable)
      if (this.#disk.generation(domain) > generation) this.#durable.delete(domain);
    this.held = new Map(this.#durable);
  }

  /**
   * Looks once at a disk that has had room since a moment.
   * @returns a domain whose list on it is older than the one that is held; null if there is none
   */
  lackingAfter(since: number): string | null {
    if (this.hasRoomAt > since || this.#disk.isBad) return null;
    this.hasRoomAt = Number.POSITIVE_INFINITY;
    for (const [domain, generation] of this.held) {
      if (!this.#removed.has(domain) && this.#disk.generation(domain) < generation) return domain;
    }
    return null;
  }

  keepOnly(isKept: (domain: string) => boolean): void {
    for (const lists of [this.held, this.#durable])
      for (const domain of lists.keys()) if (!isKept(domain)) lists.delete(domain);
  }

  /**
   * Does something to a file whose path begins so; lists that need it are not sure then.
   * @returns its path, null if there is none
   */
  damage(random: Random, how: Damage, of: string): string | null {
    if (how === "copy") {
      this.#copy = { files: new Map(this.#disk.files), durable: new Map(this.#durable) };
      return null;
    }
    this.isSpoiled = true;
    const { files } = this.#disk;
    if (how === "older copy") return this.#putBack();
    const before = new Map(files);
    const path = this.#disk.damage(random, how, of);
    for (const each of before.keys())
      if (files.get(each) !== before.get(each)) this.#damaged.set(each, files.get(each));
    for (const lists of [this.held, this.#durable])
      for (const domain of lists.keys()) if (this.#isDamaged(domain)) lists.delete(domain);
    return path;
  }

  /** The copy of the folder takes its place. */
  #putBack(): string | null {
    if (this.#copy === null) return null;
    const { files } = this.#disk;
    this.#disk.isTrusted = false;
    files.clear();
    for (const [name, bytes] of this.#copy.files) files.set(name, bytes);
    this.held = new Map();
    this.#durable = new Map([...this.#copy.durable].filter(([domain]) => !this.#isDamaged(domain)));
    return "all";
  }
}

/** Whether a domain's list needs a file: of other domains alone it needs none. */
const isNeeded = (path: string, domain: string): boolean => {
  const [, of] = /^(?:keys|manifests|blobs)\/([^/]+)/.exec(path) ?? [];
  return of === undefined || of === domain;
};
