/** There is no room in memory for what cannot be written. */
export class StoreFullError extends Error {
  constructor() {
    super("the folder cannot be written, and memory has no room for more");
    this.name = "StoreFullError";
  }
}

/** Files that wait in memory for the disk, in the order in which they came. */
export class WaitingFiles {
  readonly #most: number;
  readonly #files = new Map<string, Uint8Array>();
  #bytes = 0;

  /** @param most bytes that may wait */
  constructor(most: number) {
    this.#most = most;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  get(path: string): Uint8Array | undefined {
    return this.#files.get(path);
  }

  /** The files that wait at this moment. */
  all(): (readonly [path: string, bytes: Uint8Array])[] {
    return [...this.#files];
  }

  /** Names of the files in a folder. */
  namesIn(folder: string): string[] {
    const start = `${folder}/`;
    return [...this.#files.keys()]
      .filter((path) => path.startsWith(start))
      .map((path) => path.slice(start.length));
  }

  /** Puts a file behind all others. @throws StoreFullError */
  put(path: string, bytes: Uint8Array): void {
    const before = this.#files.get(path)?.length ?? 0;
    if (this.#bytes - before + bytes.length > this.#most) throw new StoreFullError();
    this.forget(path);
    this.#files.set(path, bytes);
    this.#bytes += bytes.length;
  }

  forget(path: string): void {
    this.#bytes -= this.#files.get(path)?.length ?? 0;
    this.#files.delete(path);
  }
}
