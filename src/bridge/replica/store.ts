import {
  type DomainKey,
  domainKey,
  fromBase64Url,
  type Hashing,
  isContentId,
  toBase64Url,
} from "../../directory/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import type { Disk } from "./disk/disk.ts";
import type { SeenState } from "./edge-answers.ts";
import type { BehindList, EarlierDomain } from "./kept-lists.ts";
import { PendingRemovals } from "./pending-removals.ts";
import type { Uptime } from "./replica-time.ts";
import { seal, unseal } from "./sealed.ts";
import { WaitingFiles } from "./waiting-files.ts";

/** What the edge said of itself. */
export interface StoredSettings {
  readonly partitions: number;
  /** Milliseconds. */
  readonly window: number;
}

/** The log of one partition, as far as the token and the scope show it. */
export interface StoredLog {
  readonly incarnation: number;
  readonly number: number;
  readonly heads: readonly (readonly [domain: string, number: number])[];
  /** Lists that were behind their heads. */
  readonly behind?: readonly BehindList[];
  /** Domains that an earlier log listed, and whose lists may still accept. */
  readonly earlier?: readonly EarlierDomain[];
}

/** The Registry's time and the host's at one moment, and the last contact with each partition. Unix milliseconds. */
export interface StoredTime {
  readonly registry: number;
  readonly wall: number;
  /** The host's uptime at that moment; null if the platform does not say. */
  readonly uptime: Uptime | null;
  /** By partition: incarnation and the Registry's time at the last contact; null if there was none. */
  readonly contacts: readonly (readonly [incarnation: number, time: number] | null)[];
}

export interface StoreObserver {
  /** The folder cannot be written: what it lacks is kept in memory, and what has to go stays in it. */
  unwritable(error: Error): void;
  /** The folder has all that it should have, and nothing else. */
  written(): void;
  /** A file cannot be used; it is fetched again. */
  unusable(path: string, why: string): void;
}

/**
 * What a replica keeps on disk. Every file is verified when it is read, here or by the reader: one that is missing,
 * damaged or foreign counts as not there, and is fetched again. While the disk cannot be written, files are kept in
 * memory, up to a limit, and written later.
 *
 *   settings              {@link StoredSettings}
 *   time                  {@link StoredTime}
 *   logs/PARTITION        {@link StoredLog}
 *   seen                  by domain, the newest state that the edge named: {@link SeenState}
 *   keys/DOMAIN/EPOCH     a domain's key
 *   manifests/DOMAIN      the newest manifest of which all blobs were stored
 *   blobs/DOMAIN/ID       a shard, or a part of the departures
 */
export class ReplicaStore {
  readonly #disk: Disk;
  readonly #hashing: Hashing;
  readonly #observer: StoreObserver;
  /** Files that the disk did not take. */
  readonly #unwritten: WaitingFiles;
  readonly #unremoved = new PendingRemovals();
  /** A removal that comes late. Nothing is written meanwhile, since it may be in a folder that goes. */
  #removing: Promise<unknown> = Promise.resolve();
  /** Whether the disk may have been behind since it was last said that it is not. */
  #wasBehind = false;
  #isWritable = true;

  /** @param maxUnwritten bytes that may wait in memory for the disk */
  constructor(disk: Disk, hashing: Hashing, maxUnwritten: number, observer: StoreObserver) {
    this.#disk = disk;
    this.#hashing = hashing;
    this.#unwritten = new WaitingFiles(maxUnwritten);
    this.#observer = observer;
  }

  /** Whether to write to the disk at all. */
  get isWritable(): boolean {
    return this.#isWritable;
  }

  set isWritable(isWritable: boolean) {
    this.#isWritable = isWritable;
    this.#wasBehind ||= !isWritable;
  }

  /** What is on the disk, whatever waits in memory. */
  onDisk(): ReplicaStore {
    return new ReplicaStore(this.#disk, this.#hashing, 0, this.#observer);
  }

  /** Bytes that wait in memory for the disk. */
  get unwrittenBytes(): number {
    return this.#unwritten.bytes;
  }

  async settings(): Promise<StoredSettings | null> {
    return (await this.#sealed("settings", isSettings)) ?? null;
  }

  putSettings(settings: StoredSettings): Promise<void> {
    return this.#putSealed("settings", settings);
  }

  async time(): Promise<StoredTime | null> {
    return (await this.#sealed("time", isTime)) ?? null;
  }

  putTime(time: StoredTime): Promise<void> {
    return this.#putSealed("time", time);
  }

  async log(partition: number): Promise<StoredLog | null> {
    return (await this.#sealed(`logs/${partition}`, isLog)) ?? null;
  }

  putLog(partition: number, log: StoredLog): Promise<void> {
    return this.#putSealed(`logs/${partition}`, log);
  }

  async seen(): Promise<readonly SeenState[]> {
    return (await this.#sealed("seen", isSeen)) ?? [];
  }

  putSeen(states: readonly SeenState[]): Promise<void> {
    return this.#putSealed("seen", states);
  }

  /** A domain's key at an epoch, null if it is not stored. */
  async key(domain: string, epoch: number): Promise<DomainKey | null> {
    const path = `keys/${domain}/${epoch}`;
    const stored = await this.#sealed(path, isKey);
    if (stored === undefined) return null;
    return domainKey(this.#hashing, fromBase64Url(stored.key), domain, epoch);
  }

  putKey({ domain, epoch, secret }: DomainKey): Promise<void> {
    return this.#putSealed(`keys/${domain}/${epoch}`, { key: toBase64Url(secret) });
  }

  /** Bytes of a domain's manifest, not verified; null if there is none. */
  manifest(domain: string): Promise<Uint8Array | null> {
    return this.#read(`manifests/${domain}`);
  }

  /** To be called once all blobs that the manifest names are stored. */
  async putManifest(domain: string, bytes: Uint8Array): Promise<void> {
    const path = `manifests/${domain}`;
    // A manifest whose key or blobs were lost with the power would take the place of a complete one.
    if ([`blobs/${domain}`, `keys/${domain}`].some((folder) => this.#unwritten.namesIn(folder).length > 0)) {
      this.#unwritten.put(path, bytes);
      await this.writeWaiting();
      return;
    }
    await this.#flush(`blobs/${domain}`);
    await this.#write(path, bytes);
  }

  /** Bytes of a blob, not verified; null if it is not there. */
  blob(domain: string, id: string): Promise<Uint8Array | null> {
    return this.#read(`blobs/${domain}/${id}`);
  }

  async putBlob(domain: string, id: string, bytes: Uint8Array): Promise<void> {
    await this.#put(`blobs/${domain}/${id}`, bytes);
  }

  /** Removes a blob that was found to be damaged. */
  removeBlob(domain: string, id: string): Promise<void> {
    return this.#remove(`blobs/${domain}/${id}`);
  }

  /** Ids of a domain's blobs. */
  async blobIds(domain: string): Promise<Set<string>> {
    const folder = `blobs/${domain}`;
    const written = (await this.#list(folder)).filter(
      (id) => isContentId(id) && !this.#unremoved.covers(`${folder}/${id}`),
    );
    return new Set([...written, ...this.#unwritten.namesIn(folder)]);
  }

  /** Removes what a domain's manifest no longer needs, unless the manifest on disk is an older one. */
  async tidy(domain: string, ids: ReadonlySet<string>, epoch: number): Promise<void> {
    if (this.#unwritten.get(`manifests/${domain}`) !== undefined) return;
    const keep = new Set([...ids, String(epoch)]);
    for (const folder of [`blobs/${domain}`, `keys/${domain}`]) {
      for (const name of await this.#list(folder)) {
        if (!keep.has(name)) await this.#remove(`${folder}/${name}`);
      }
    }
  }

  /** Domains of which anything is stored. */
  async domains(): Promise<Set<string>> {
    const folders = await Promise.all(["manifests", "blobs", "keys"].map((folder) => this.#list(folder)));
    return new Set(folders.flat());
  }

  async removeDomain(domain: string): Promise<void> {
    await this.#remove(`manifests/${domain}`);
    await this.#remove(`blobs/${domain}`);
    await this.#remove(`keys/${domain}`);
  }

  /**
   * Removes what has to go, and writes what waits in memory, as far as the disk takes it. A manifest waits behind its blobs
   * and its key.
   */
  async writeWaiting(): Promise<void> {
    if (!this.#wasBehind || !this.isWritable) return;
    // First, since a full disk has more room then.
    await this.#removeWaiting();
    const folders = new Set<string>();
    for (const [path, bytes] of this.#unwritten.all()) {
      if (this.#unwritten.get(path) !== bytes) continue;
      if (path.startsWith("manifests/")) await this.#flushAll(folders);
      if (!(await this.#isWritten(path, bytes))) return;
      folders.add(folderOf(path));
      if (this.#unwritten.get(path) === bytes) this.#unwritten.forget(path);
    }
    await this.#flushAll(folders);
    // Another one may have come meanwhile.
    if (!this.#unwritten.isEmpty || !this.#unremoved.isEmpty) return;
    this.#wasBehind = false;
    this.#observer.written();
  }

  async #removeWaiting(): Promise<void> {
    for (const path of this.#unremoved.all()) {
      // It may have been written since.
      if (!this.#unremoved.has(path)) continue;
      const removing = this.#isRemoved(path);
      this.#removing = removing;
      if (!(await removing)) return;
    }
  }

  async #flushAll(folders: Set<string>): Promise<void> {
    for (const folder of folders) await this.#flush(folder);
    folders.clear();
  }

  async #sealed<T>(path: string, check: (value: unknown) => value is T): Promise<T | undefined> {
    const bytes = await this.#read(path);
    if (bytes === null) return undefined;
    const value = unseal(this.#hashing, path, bytes);
    if (check(value)) return value;
    this.#observer.unusable(path, "it is damaged");
    return undefined;
  }

  #putSealed(path: string, value: unknown): Promise<void> {
    return this.#write(path, seal(this.#hashing, path, value));
  }

  async #read(path: string): Promise<Uint8Array | null> {
    const waiting = this.#unwritten.get(path);
    if (waiting !== undefined) return waiting;
    if (this.#unremoved.covers(path)) return null;
    try {
      return await this.#disk.read(path);
    } catch (error) {
      this.#observer.unusable(path, messageOf(error));
      return null;
    }
  }

  async #list(folder: string): Promise<readonly string[]> {
    try {
      return await this.#disk.list(folder);
    } catch (error) {
      this.#observer.unusable(folder, messageOf(error));
      return [];
    }
  }

  /** Writes a file whose name must survive a crash. */
  async #write(path: string, bytes: Uint8Array): Promise<void> {
    await this.#put(path, bytes);
    await this.#flush(folderOf(path));
  }

  async #put(path: string, bytes: Uint8Array): Promise<void> {
    this.#unremoved.keep(path);
    await this.#removing;
    if (await this.#isWritten(path, bytes)) {
      this.#unwritten.forget(path);
      return;
    }
    this.#wasBehind = true;
    this.#unwritten.put(path, bytes);
  }

  async #isWritten(path: string, bytes: Uint8Array): Promise<boolean> {
    if (!this.isWritable) return false;
    try {
      await this.#disk.write(path, bytes);
      return true;
    } catch (error) {
      this.#observer.unwritable(error as Error);
      return false;
    }
  }

  async #flush(folder: string): Promise<void> {
    try {
      if (this.isWritable) await this.#disk.flush(folder);
    } catch {
      // If its files could not be written either, that was reported. If only their names are lost, they are missing later.
    }
  }

  async #remove(path: string): Promise<void> {
    this.#unwritten.forget(path);
    for (const name of this.#unwritten.namesIn(path)) this.#unwritten.forget(`${path}/${name}`);
    if (await this.#isRemoved(path)) return;
    this.#wasBehind = true;
    this.#unremoved.add(path);
  }

  async #isRemoved(path: string): Promise<boolean> {
    if (!this.isWritable) return false;
    try {
      await this.#disk.remove(path);
      this.#unremoved.done(path);
      return true;
    } catch (error) {
      this.#observer.unwritable(error as Error);
      return false;
    }
  }
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isPair = (value: unknown, first: "string" | "number"): boolean =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === first && isWhole(value[1]);

const isSettings = (value: unknown): value is StoredSettings =>
  isObject(value) && isWhole(value.partitions) && value.partitions > 0 && isWhole(value.window);

const isLog = (value: unknown): value is StoredLog =>
  isObject(value) &&
  isWhole(value.incarnation) &&
  isWhole(value.number) &&
  Array.isArray(value.heads) &&
  value.heads.every((head) => isPair(head, "string")) &&
  isListOf(value.behind ?? [], (list) => isNamed(list, 3)) &&
  isListOf(value.earlier ?? [], (domain) => isNamed(domain, 1));

const isListOf = (value: unknown, isOne: (one: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(isOne);
/** A domain with so many numbers. */
const isNamed = (value: unknown, numbers: number): boolean =>
  Array.isArray(value) &&
  value.length === numbers + 1 &&
  typeof value[0] === "string" &&
  value.slice(1).every(isWhole);

const isSeen = (value: unknown): value is SeenState[] => isListOf(value, (state) => isNamed(state, 3));

const isUptime = (value: unknown): value is Uptime =>
  isObject(value) && typeof value.boot === "string" && Number.isFinite(value.ms);

const isTime = (value: unknown): value is StoredTime =>
  isObject(value) &&
  Number.isFinite(value.registry) &&
  Number.isFinite(value.wall) &&
  (value.uptime === null || isUptime(value.uptime)) &&
  Array.isArray(value.contacts) &&
  value.contacts.every((contact) => contact === null || isPair(contact, "number"));

const isKey = (value: unknown): value is { readonly key: string } =>
  isObject(value) && typeof value.key === "string";
