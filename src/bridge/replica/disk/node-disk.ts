import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Disk } from "./disk.ts";

/** Names of files that are being written begin with this, so that no other name can be one. */
const TEMPORARY = ".new-";

/** {@link Disk} in a folder of this host. Files have mode 0600 and folders 0700, since keys are among them. */
export class NodeDisk implements Disk {
  readonly #root: string;
  #writes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async read(path: string): Promise<Uint8Array | null> {
    try {
      return await readFile(join(this.#root, path));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const target = join(this.#root, path);
    const temporary = join(dirname(target), `${TEMPORARY}${++this.#writes}`);
    try {
      const file = await this.#create(temporary);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, target);
    } catch (error) {
      // On a full disk the unfinished file would keep its space.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async flush(folder: string): Promise<void> {
    const handle = await open(join(this.#root, folder), "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.#root, path), { recursive: true, force: true });
  }

  async list(folder: string): Promise<readonly string[]> {
    try {
      return await readdir(join(this.#root, folder));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async #create(path: string): Promise<FileHandle> {
    try {
      return await open(path, "w", 0o600);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      return open(path, "w", 0o600);
    }
  }
}

const isMissing = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
};
