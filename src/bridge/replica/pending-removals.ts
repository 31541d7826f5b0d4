/** Files and folders that the disk did not remove. They count as not there. */
export class PendingRemovals {
  readonly #paths = new Set<string>();

  get isEmpty(): boolean {
    return this.#paths.size === 0;
  }

  /** Those at this moment. */
  all(): readonly string[] {
    return [...this.#paths];
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  /** Whether a file has to go, by itself or with a folder. */
  covers(path: string): boolean {
    return !this.isEmpty && [path, ...foldersOf(path)].some((each) => this.#paths.has(each));
  }

  /** With a folder goes all that is in it. */
  add(path: string): void {
    for (const each of this.#paths) if (each.startsWith(`${path}/`)) this.#paths.delete(each);
    this.#paths.add(path);
  }

  /** A file is written: it stays, and so do the folders that it is in. */
  keep(path: string): void {
    for (const each of [path, ...foldersOf(path)]) this.#paths.delete(each);
  }

  done(path: string): void {
    this.#paths.delete(path);
  }
}

const foldersOf = (path: string): string[] =>
  path
    .split("/")
    .slice(0, -1)
    .map((_, i, names) => names.slice(0, i + 1).join("/"));
