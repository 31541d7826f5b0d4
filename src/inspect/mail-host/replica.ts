import { accessSync, constants, readFileSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../problem.ts";
import type { MailHostPorts } from "./ports.ts";

/** A list of a million mailboxes takes about 5 MB, and is stored twice while it changes. */
const LEAST_FREE_BYTES = 50 * 1024 ** 2;

/** Whether a replica's folder exists, is closed to other users, has room, and is in use by a bridge. */
export function examineReplica(folder: string, { isRunning }: Pick<MailHostPorts, "isRunning">): string {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new Problem(
      `the folder ${folder} does not exist`,
      "start the bridge with this setting: it makes the folder",
    );
  }
  if (!found.isDirectory()) throw new Problem(`${folder} is not a folder`, "name another path in `replica`");
  if ((found.mode & 0o077) !== 0) {
    throw new Problem(
      `other users can read ${folder}, which holds the keys of the domains`,
      `chmod 0700 ${folder}`,
    );
  }
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
  } catch {
    throw new Problem(`this user may not read ${folder}`, "run doctor as root");
  }
  const pid = holderOf(folder);
  if (pid === null || !isRunning(pid)) {
    throw new Problem(
      `no bridge uses ${folder}`,
      "start the bridge, or restart it if it was started without this setting (its log has `unwritable` if it cannot write there)",
    );
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free < LEAST_FREE_BYTES) {
    throw new Problem(
      `the disk of ${folder} has ${Math.floor(free / 1024 ** 2)} MiB left`,
      "free space: until then, new lists are kept in memory, and are lost at a restart",
    );
  }
  return `${folder} is used by process ${pid}`;
}

/** The process in the folder's lock; null if there is none. */
function holderOf(folder: string): number | null {
  try {
    const { pid } = JSON.parse(readFileSync(join(folder, "lock"), "utf8")) as { pid?: unknown };
    return typeof pid === "number" ? pid : null;
  } catch {
    return null;
  }
}
