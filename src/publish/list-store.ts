import {
  chmodSync,
  closeSync,
  mkdirSync,
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

/** Characters collected before they are written. */
const BUFFER = 64 * 1024;

/**
 * What the publisher's host remembers, in a folder of its own: the names of the list that it published last for
 * each domain, so that a plan can name who leaves, and when it last found the list to be the head. It is the one
 * place where names are kept; files have mode 0600, folders 0700.
 *
 *   lists/DOMAIN       a canonical local part a line
 *   published/DOMAIN   JSON: {@link Published}
 */
export class KeptLists {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Begins to write a domain's list beside the one that is kept. */
  begin(domain: string): ListWriter {
    return new ListWriter(this.#file("lists", domain));
  }

  /**
   * Names of tails, as far as the list that was published last has them.
   * @param progress gets the share of the work that is done, 0 to 1
   * @returns local parts by tail; empty where no list is kept
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

  /** Takes down that a list was published, or found to be the head. */
  notePublished(domain: string, published: Published): void {
    const path = this.#file("published", domain);
    writeFileSync(`${path}.next`, `${JSON.stringify(published)}\n`, { mode: 0o600 });
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
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return join(folder, domain);
  }
}

/** Reads a file of names until `take` returns false; nothing where there is no such file. */
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
  /** The edge, as its URL was given. */
  readonly url: string;
  readonly generation: number;
  /** Unix milliseconds. */
  readonly time: number;
}

/** Writes a list beside the one that is kept, and puts it in its place when it was published. */
export class ListWriter {
  readonly #path: string;
  #file: number | null;
  #buffer = "";

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(`${path}.next`, "w", 0o600);
    // An earlier run may have left the file with another mode.
    chmodSync(`${path}.next`, 0o600);
  }

  add(name: string): void {
    this.#buffer += `${name}\n`;
    if (this.#buffer.length > BUFFER) this.#flush();
  }

  /** No name follows. The file waits closed, since there may be thousands of domains. */
  end(): void {
    this.#flush();
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  /**
   * Names of the list that was written, once it has ended.
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

  /** Puts the list in the place of the one that was published before. */
  keep(): void {
    this.end();
    renameSync(`${this.#path}.next`, this.#path);
  }

  drop(): void {
    this.end();
    rmSync(`${this.#path}.next`, { force: true });
  }

  #flush(): void {
    if (this.#file !== null && this.#buffer !== "") writeSync(this.#file, this.#buffer);
    this.#buffer = "";
  }
}
