/**
 * A disk in memory, with what real ones do to a replica: it is full, read-only or unreadable, it loses what was not
 * flushed when the power fails, it flips bits, and the host may die before any of its operations.
 */
import type { Disk } from "../src/bridge/replica/disk/disk.ts";

export type DiskFault = "full" | "read-only" | "unreadable";

const CODES: Readonly<Record<DiskFault, string>> = {
  full: "ENOSPC",
  "read-only": "EROFS",
  unreadable: "EIO",
};

export class MemoryDisk implements Disk {
  /** What a process sees. */
  readonly files = new Map<string, Uint8Array>();
  /** What a power failure leaves at the least. */
  #flushed = new Map<string, Uint8Array>();
  fault: DiskFault | null = null;
  /** Operations so far. */
  operations = 0;
  /** The host dies before this operation, which then never ends. */
  diesBefore = Number.POSITIVE_INFINITY;
  /** Called when it dies so. */
  died: () => void = () => undefined;
  /** What each operation waits for first; by default nothing. */
  wait: (() => Promise<void>) | null = null;

  async read(path: string): Promise<Uint8Array | null> {
    await this.#begin("unreadable");
    return this.files.get(path)?.slice() ?? null;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.#begin("full", "read-only");
    this.files.set(path, bytes.slice());
  }

  async flush(folder: string): Promise<void> {
    await this.#begin("read-only");
    for (const path of new Set([...this.files.keys(), ...this.#flushed.keys()])) {
      if (folderOf(path) !== folder) continue;
      const bytes = this.files.get(path);
      if (bytes === undefined) this.#flushed.delete(path);
      else this.#flushed.set(path, bytes);
    }
  }

  async remove(path: string): Promise<void> {
    await this.#begin("read-only");
    for (const name of [...this.files.keys()]) {
      if (name === path || name.startsWith(`${path}/`)) this.files.delete(name);
    }
  }

  async list(folder: string): Promise<readonly string[]> {
    await this.#begin("unreadable");
    const names = new Set<string>();
    for (const path of this.files.keys()) {
      if (path.startsWith(`${folder}/`)) names.add(path.slice(folder.length + 1).split("/", 1)[0] as string);
    }
    return [...names];
  }

  /**
   * The power fails, and the host starts again.
   * @param chance between 0 and 1, for each file: whether its last change survived without a flush
   */
  losePower(chance: () => number): void {
    for (const path of new Set([...this.files.keys(), ...this.#flushed.keys()])) {
      const before = this.#flushed.get(path);
      if (this.files.get(path) === before || chance() < 0.5) continue;
      if (before === undefined) this.files.delete(path);
      else this.files.set(path, before);
    }
    this.#flushed = new Map(this.files);
    this.diesBefore = Number.POSITIVE_INFINITY;
  }

  /** Flips one bit of a file. */
  flip(path: string, bit: number): void {
    const bytes = this.files.get(path)?.slice() as Uint8Array;
    const at = Math.floor(bit / 8) % bytes.length;
    bytes[at] = (bytes[at] as number) ^ (1 << (bit % 8));
    this.files.set(path, bytes);
  }

  async #begin(...faults: readonly DiskFault[]): Promise<void> {
    if (++this.operations >= this.diesBefore) {
      this.died();
      await new Promise(() => undefined);
    }
    if (this.wait !== null) await this.wait();
    if (this.fault !== null && faults.includes(this.fault)) {
      throw Object.assign(new Error(`the disk is ${this.fault}`), { code: CODES[this.fault] });
    }
  }
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
