/** What a replica's folder knows of the Registries' logs, and how to have it forget that. */
import type { Position } from "../../api/index.ts";
import type { Hashing } from "../../directory/index.ts";
import { FolderError, openFolder, STORED } from "./disk/folder.ts";
import type { LockOwner } from "./disk/lock.ts";
import { NodeDisk } from "./disk/node-disk.ts";
import { ReplicaStore } from "./store.ts";

/** What is stored of a partition's log. */
export interface KnownLog extends Position {
  readonly partition: number;
  readonly domains: number;
}

/** What a folder knows of each partition's log. A bridge may use the folder meanwhile. */
export async function knownLogs(folder: string, hashing: Hashing): Promise<KnownLog[]> {
  const disk = new NodeDisk(folder);
  const ignore = (): void => undefined;
  const store = new ReplicaStore(disk, hashing, 0, {
    unwritable: ignore,
    written: ignore,
    unusable: ignore,
  });
  const names = (await disk.list("logs")).filter((name) => /^\d{1,3}$/.test(name));
  const logs = await Promise.all(
    names.map(async (name) => {
      const log = await store.log(Number(name));
      return log === null
        ? []
        : [
            {
              partition: Number(name),
              incarnation: log.incarnation,
              number: log.number,
              domains: log.heads.length,
            },
          ];
    }),
  );
  return logs.flat().sort((a, b) => a.partition - b.partition);
}

/**
 * Removes all that is stored in a folder: its bridge starts as on a new host.
 * @throws FolderError if a bridge uses the folder, or if it is no replica's or cannot be written
 */
export async function forgetReplica(path: string, owner: LockOwner): Promise<void> {
  const opened = await openFolder(path, owner);
  if ("format" in opened) {
    throw new FolderError(`a newer release wrote ${path}`, "use the command of that release");
  }
  const { folder, fault } = opened;
  try {
    if (fault?.kind === "unwritable") throw fault.error;
    for (const name of STORED) await folder.disk.remove(name);
    await folder.disk.flush("");
  } catch (error) {
    throw new FolderError(`${path} cannot be written: ${(error as Error).message}`, "run this as root");
  } finally {
    await folder.release();
  }
}
