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
  /** A blob that is damaged is found when it is read: from then on no list is complete for sure. */
  #isDamaged = false;

  constructor(disk: WatchedDisk) {
    this.#disk = disk;
  }

  ready(domain: string, generation: number): void {
    if (this.#isDamaged) return;
    this.held.set(domain, generation);
    if (!this.#disk.isBad) this.#durable.set(domain, generation);
  }

  /** What waited in memory is on the disk now. */
  written(): void {
    this.#durable = new Map(this.held);
  }

  restarted(): void {
    this.held = new Map(this.#durable);
  }

  /** A domain whose list on the disk is older than the one that is held; null if there is none. */
  lacking(): string | null {
    for (const [domain, generation] of this.held) {
      const stored = this.#disk.generation(domain);
      // A list that was removed is not lacking.
      if (stored > 0 && stored < generation) return domain;
    }
    return null;
  }

  keepOnly(isKept: (domain: string) => boolean): void {
    for (const lists of [this.held, this.#durable])
      for (const domain of lists.keys()) if (!isKept(domain)) lists.delete(domain);
  }

  /** Does something to a file whose path begins so; nothing is sure then. @returns its path, null if there is none */
  damage(random: Random, how: Damage, files: string): string | null {
    if (how === "copy") {
      this.#copy = { files: new Map(this.#disk.files), durable: new Map(this.#durable) };
      return null;
    }
    const copy = this.#copy;
    if (how === "older copy" && copy === null) return null;
    const path = how === "older copy" ? "all" : this.#disk.damage(random, how, files);
    if (path === null) return null;
    this.held = new Map();
    this.#durable = new Map();
    if (how !== "older copy") this.#isDamaged = true;
    else if (copy !== null) {
      this.#disk.files.clear();
      for (const [name, bytes] of copy.files) this.#disk.files.set(name, bytes);
      if (!this.#isDamaged) this.#durable = new Map(copy.durable);
    }
    return path;
  }
}
