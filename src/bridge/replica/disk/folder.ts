import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { utf8 } from "../../../directory/index.ts";
import { type LockOwner, type LockResult, lockFolder } from "./lock.ts";
import { NodeDisk } from "./node-disk.ts";

/** The format that this release reads and writes. */
const FORMAT = 1;
const FORMAT_FILE = "format";
const FORMAT_TEXT = /^rollcall-replica (\d{1,9})\n$/;
/** What a replica stores in its folder. Logs first: lists without them are not used. */
export const STORED: readonly string[] = ["logs", "seen", "settings", "time", "manifests", "blobs", "keys"];
/** Names in the folder of a replica, apart from locks and interrupted writes. */
const NAMES: ReadonlySet<string> = new Set([FORMAT_FILE, ...STORED]);

/** The folder cannot be used at all: the bridge must not start with it. */
export class FolderError extends Error {
  /** What to do about it. */
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.name = "FolderError";
    this.hint = hint;
  }
}

/** What keeps this process from writing in a folder. */
export type FolderFault = Exclude<LockResult, { readonly kind: "held" }>;

/** A replica's folder: its format, and the lock that keeps other bridges out. */
export class ReplicaFolder {
  readonly disk: NodeDisk;
  readonly #path: string;
  readonly #owner: LockOwner;
  #lock: Extract<LockResult, { kind: "held" }> | null = null;

  #wasLost = false;

  constructor(path: string, owner: LockOwner) {
    this.disk = new NodeDisk(path);
    this.#path = path;
    this.#owner = owner;
  }

  /**
   * Takes the lock if this process does not have it: at the start, after the folder was deleted, after another bridge
   * ended, or once the folder can be written.
   * @returns what keeps this process from writing in the folder; null if nothing does
   */
  async check(): Promise<FolderFault | null> {
    if (await this.#lock?.isOurs()) return null;
    if (this.#lock !== null) this.#wasLost = true;
    this.#lock = null;
    const lock = await lockFolder(this.#path, this.#owner);
    this.#wasLost ||= lock.kind === "busy";
    if (lock.kind !== "held") return lock;
    this.#lock = lock;
    try {
      if ((await readFormat(this.#path)) === null) await writeFormat(this.disk);
      for (const name of ["", "logs", "manifests"]) await removeInterrupted(this.disk, name);
      return null;
    } catch (error) {
      return { kind: "unwritable", error: error as Error };
    }
  }

  /** Whether the folder was deleted, or another bridge used it, since this was last asked. */
  wasLost(): boolean {
    const wasLost = this.#wasLost;
    this.#wasLost = false;
    return wasLost;
  }

  async release(): Promise<void> {
    if (await this.#lock?.isOurs()) await this.#lock?.release();
    this.#lock = null;
  }
}

/**
 * Opens a replica's folder; makes it if it does not exist.
 * @param predecessor process id of a bridge that may still use it, since this one replaces it
 * @returns the folder, and what keeps this process from writing in it; or the format of a newer release, which this one
 * must not touch
 * @throws FolderError if another bridge uses it, or if it is no replica's folder
 */
export async function openFolder(
  path: string,
  owner: LockOwner,
  predecessor: number | null = null,
): Promise<
  { readonly folder: ReplicaFolder; readonly fault: FolderFault | null } | { readonly format: number }
> {
  const strangers = (await namesIn(path)).filter((name) => !NAMES.has(name) && !isPassing(name));
  const format = await readFormat(path);
  if (format === null && strangers.length > 0) {
    throw new FolderError(
      `${path} has other files, such as ${strangers[0]}, and is no folder of a replica`,
      "name an empty folder, or one that does not exist",
    );
  }
  if (format !== null && format > FORMAT) return { format };
  const folder = new ReplicaFolder(path, owner);
  const fault = await folder.check();
  if (fault?.kind === "busy" && fault.pid !== predecessor) {
    throw new FolderError(
      `another bridge (process ${fault.pid}) uses ${path}`,
      "stop that bridge, or give this one a folder of its own",
    );
  }
  return { folder, fault };
}

/** Null if the folder says none that can be read. */
async function readFormat(path: string): Promise<number | null> {
  try {
    const [, format] = FORMAT_TEXT.exec(await readFile(join(path, FORMAT_FILE), "utf8")) ?? [];
    return format === undefined ? null : Number(format);
  } catch {
    return null;
  }
}

async function writeFormat(disk: NodeDisk): Promise<void> {
  await disk.write(FORMAT_FILE, utf8(`rollcall-replica ${FORMAT}\n`));
  await disk.flush("");
}

async function removeInterrupted(disk: NodeDisk, folder: string): Promise<void> {
  for (const name of await disk.list(folder)) {
    if (name.startsWith(".")) await disk.remove(folder === "" ? name : `${folder}/${name}`);
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    throw new FolderError(`cannot read ${path}: ${message}`, "check the path and its permissions");
  }
}

const isPassing = (name: string): boolean =>
  name.startsWith(".") || name.startsWith("lock") || name === "lost+found";
