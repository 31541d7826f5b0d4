import type { StoredLog, StoredSettings, StoredTime } from "../../src/bridge/replica/store.ts";
import { readManifest } from "../../src/directory/index.ts";
import { MemoryDisk } from "../../testing/memory-disk.ts";
import type { Random } from "../../testing/random.ts";

const SEALED = /^(time|settings|logs\/\d+)$/;
const MANIFEST = /^manifests\/(.+)$/;

/** A disk on which no manifest goes back. */
export class WatchedDisk extends MemoryDisk {
  /** Paths under which files with a checksum, and manifests, were written. */
  readonly #written = new WeakMap<Uint8Array, string>();
  /** What each folder had when it was last looked at; nothing if it could not be listed. */
  readonly #listed = new Map<string, ReadonlySet<string>>();
  /** Whether nothing but the replica ever changed a file, and every write could be done. */
  isTrusted = true;
  /** By partition: the last contact, and the one before, which was stored before the last one was asked for. */
  readonly #contacts = new Map<number, readonly [before: number, last: number]>();
  wentBack: (path: string) => void = () => undefined;
  /** Called when a domain's manifest was removed. */
  removed: (domain: string) => void = () => undefined;

  get isBad(): boolean {
    return this.fault !== null || this.wait !== null;
  }

  makeWell(): void {
    this.isTrusted = false;
    this.fault = null;
    this.wait = null;
  }

  /** The times that the replica stored last; null if that file is not as it was written. */
  storedTime(): StoredTime | null {
    return this.#asWritten<StoredTime>("time");
  }

  /** The logs that the replica stored, by partition; those whose file is as it was written. */
  storedLogs(): Map<number, StoredLog> {
    const logs = new Map<number, StoredLog>();
    // Without its settings a folder says nothing of its partitions.
    const { partitions } = this.#asWritten<StoredSettings>("settings") ?? { partitions: 0 };
    for (let partition = 0; partition < partitions; partition++) {
      const log = this.#asWritten<StoredLog>(`logs/${partition}`);
      if (log !== null) logs.set(partition, log);
    }
    return logs;
  }

  #asWritten<T>(path: string): T | null {
    const bytes = this.files.get(path);
    if (bytes === undefined || this.#written.get(bytes) !== path) return null;
    const text = new TextDecoder().decode(bytes);
    return JSON.parse(text.slice(text.indexOf("\n"))) as T;
  }

  /**
   * What a start learns from the stored time and the host's clock.
   * @returns `lacks`: milliseconds that passed since without being noticed
   */
  noticedAt(now: number, wallOffset: number): { readonly lacks: number; readonly isSound: boolean } {
    const stored = this.storedTime();
    if (stored === null) return { lacks: 0, isSound: true };
    const shown = now + wallOffset - stored.wall;
    // A clock before the stored time is noticed.
    const lacks = shown < 0 ? 0 : Math.max(0, now - stored.registry - shown);
    return { lacks, isSound: shown >= 0 };
  }

  /** Of a stored manifest; 0 if there is none that can be read. */
  generation(domain: string): number {
    try {
      return readManifest(this.files.get(`manifests/${domain}`) ?? new Uint8Array(), domain).generation;
    } catch {
      return 0;
    }
  }

  /** The replica knows of a contact. */
  noteContact(partition: number, at: number): void {
    const [, last = Number.NEGATIVE_INFINITY] = this.#contacts.get(partition) ?? [];
    this.#contacts.set(partition, [last, at]);
  }

  /** The last contacts that the replica stored, by partition; those at the least that it had to store. */
  storedContacts(): Map<number, number> {
    const { contacts = [] } = this.storedTime() ?? {};
    const stored = new Map(
      contacts.flatMap((contact, i) => (contact === null ? [] : [[i, contact[1]] as const])),
    );
    for (const [partition, [before]] of this.isTrusted ? this.#contacts : [])
      stored.set(partition, Math.max(before, stored.get(partition) ?? before));
    return stored;
  }

  /** Does something to a file whose path begins so. @returns its path; null if there is none */
  damage(random: Random, how: "flip" | "missing" | "swap", files: string): string | null {
    this.isTrusted = false;
    const paths = [...this.files.keys()].filter((path) => path.startsWith(files)).sort();
    if (paths.length === 0) return null;
    const path = random.pick(paths);
    if (how === "flip") this.flip(path, random.integer());
    else if (how === "missing") this.files.delete(path);
    else {
      const other = random.pick(paths.length === 1 ? paths : paths.filter((each) => each !== path));
      const [a, b] = [this.files.get(path), this.files.get(other)];
      this.files.set(path, b as Uint8Array);
      this.files.set(other, a as Uint8Array);
    }
    return path;
  }

  /** Whether a file was there when its folder was last looked at: a write of a process that was killed may end later. */
  wasListed(folder: string, name: string): boolean {
    return this.#listed.get(folder)?.has(name) ?? false;
  }

  override async list(folder: string): Promise<readonly string[]> {
    this.#listed.delete(folder);
    const names = await super.list(folder);
    this.#listed.set(folder, new Set(names));
    return names;
  }

  override async remove(path: string): Promise<void> {
    await super.remove(path);
    const [, domain] = MANIFEST.exec(path) ?? [];
    if (domain !== undefined) this.removed(domain);
  }

  override async write(path: string, bytes: Uint8Array): Promise<void> {
    const [, domain] = MANIFEST.exec(path) ?? [];
    const before = this.files.get(path);
    // A damaged one says nothing of its generation.
    const isWhole = before !== undefined && this.#written.get(before) === path;
    if (domain !== undefined && isWhole && isOlder(bytes, before, domain)) this.wentBack(path);
    await super.write(path, bytes);
    if (domain !== undefined || SEALED.test(path))
      this.#written.set(this.files.get(path) as Uint8Array, path);
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
