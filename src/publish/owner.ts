import { chownSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Gives a file to the owner of its folder. Root may run by hand what a service runs as its own user, which must be able to
 * read the files afterwards. Does nothing for other users, who may not.
 */
export function giveToOwner(path: string): void {
  const folder = statSync(dirname(path));
  if (statSync(path).uid === folder.uid) return;
  try {
    chownSync(path, folder.uid, folder.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}

/** Makes a folder of mode 0700, and those above it, each for the owner of the one that it is in. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  mkdirSync(path, { recursive: true, mode: 0o700 });
  giveToOwner(path);
}
