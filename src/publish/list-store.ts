import {
  chmodSync,
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type DomainKey, fingerprint, tailOf } from "../directory/index.ts";
import { giveToOwner, makeFolder } from "./owner.ts";
import type { LastCounts } from "./source-counts.ts";

/** Characters to collect before a write. */
const BUFFER = 64 * 1024;

/**
 * What the publishing host remembers: for each domain the names of the list that it published last, so that a plan
 * can name who leaves, when it last found that list to be the head, and how many names each source gave then. This is the only
 * place that stores names.
 * Files have mode 0600, folders 0700.
 *
 *   lists/DOMAIN       one canonical local part per line
 *   published/DOMAIN   JSON: {@link Published}
 */
export class ListStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts to write a domain's list, next to the stored one. */
  begin(domain: string): ListWriter {
    return new ListWriter(this.#file("lists", domain));
  }

  /**
   * Names with these tails in the list that was published last.
   * @param progress receives the share of the work that is done, 0 to 1
   * @returns local parts by tail; empty if no list is stored
   */
  async namesOf(
    domain: string,
    key: DomainKey,
    tails: ReadonlyMap<number, unknown>,
    progress?: (done: number) => void,
  ): Promise<Map<number, string>> {
    const names = new Map<number, string>();
    if (tails.size === 0) return names;
    await eachName(this.#file("lists", domain), (name, done) => {
      progress?.(done);
      const tail = tailOf(fingerprint(key.names, name));
      if (tails.has(tail)) names.set(tail, name);
      return names.size < tails.size;
    });
    return names;
  }

  /** Records that a list was published, or found to be the head. */
  notePublished(domain: string, published: Published): void {
    const path = this.#file("published", domain);
    writeFileSync(`${path}.next`, `${JSON.stringify(published)}\n`, { mode: 0o600 });
    giveToOwner(`${path}.next`);
    renameSync(`${path}.next`, path);
  }

  /** When this host last found its list to be the head, or null. */
  published(domain: string): Published | null {
    try {
      return JSON.parse(readFileSync(join(this.#folder, "published", domain), "utf8")) as Published;
    } catch {
      return null;
    }
  }

  #file(kind: string, domain: string): string {
    const folder = join(this.#folder, kind);
    makeFolder(folder);
    return join(folder, domain);
  }
}

/** Reads a file of names until `take` returns false. Does nothing if there is no such file. */
async function eachName(path: string, take: (name: string, done: number) => boolean): Promise<void> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path);
  } catch {
    return;
  }
  try {
    const { size } = await file.stat();
    let read = 0;
    for await (const name of file.readLines()) {
      read += name.length + 1;
      if (!take(name, Math.min(1, read / size))) break;
    }
  } finally {
    await file.close();
  }
}

export interface Published {
  /** URL of the edge, as the user wrote it. */
  readonly url: string;
  readonly generation: number;
  /** Unix milliseconds. */
  readonly time: number;
  /** What each source gave, by its name; left out if the list came from none of rollcall.toml. Numbers only. */
  readonly sources?: LastCounts;
}

/** Writes a list next to the stored one, which it replaces once it is published. */
export class ListWriter {
  readonly #path: string;
  #file: number | null;
  #buffer = "";

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(`${path}.next`, "w", 0o600);
    // An earlier run may have left the file with another mode.
    chmodSync(`${path}.next`, 0o600);
    giveToOwner(`${path}.next`);
  }

  add(name: string): void {
    this.#buffer += `${name}\n`;
    if (this.#buffer.length > BUFFER) this.#flush();
  }

  /** Ends the list. The file stays closed from here on, since there may be thousands of domains. */
  end(): void {
    this.#flush();
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  /**
   * Names in the list that was written. Call {@link end} first.
   * @param places ascending, counted from 0
   */
  async namesAt(places: readonly number[], progress?: (done: number) => void): Promise<string[]> {
    const names: string[] = [];
    if (places.length === 0) return names;
    let place = 0;
    await eachName(`${this.#path}.next`, (name, done) => {
      progress?.(done);
      if (place++ === places[names.length]) names.push(name);
      return names.length < places.length;
    });
    return names;
  }

  /** Replaces the stored list with this one. */
  keep(): void {
    this.end();
    renameSync(`${this.#path}.next`, this.#path);
  }

  discard(): void {
    this.end();
    rmSync(`${this.#path}.next`, { force: true });
  }

  #flush(): void {
    if (this.#file !== null && this.#buffer !== "") writeSync(this.#file, this.#buffer);
    this.#buffer = "";
  }
}
