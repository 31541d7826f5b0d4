import { type Stats, statSync } from "node:fs";
import { dirname } from "node:path";

/** A user of the system. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gids: readonly number[];
}

const WRITE = 2;
const SEARCH = 1;

/** Why a user cannot connect to a unix socket, and how to fix it; null if the user can. */
export function connectFault(
  path: string,
  user: User,
): { readonly why: string; readonly fix: string } | null {
  for (const folder of foldersOf(path)) {
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found === undefined)
      return { why: `the folder ${folder} does not exist`, fix: `create it: ${CREATE}` };
    if (!may(user, found, SEARCH)) {
      const why = `the user ${user.name} may not enter ${folder} (mode ${octal(found)}, group ${found.gid})`;
      return { why, fix: `give it the group of ${user.name} and mode 2750: ${CREATE}` };
    }
  }
  const socket = statSync(path, { throwIfNoEntry: false });
  if (socket === undefined) return { why: "the socket does not exist", fix: "start the bridge" };
  if (!socket.isSocket())
    return { why: "the file is not a socket", fix: "remove it, and restart the bridge" };
  if (may(user, socket, WRITE)) return null;
  return {
    why: `the user ${user.name} may not write to it (mode ${octal(socket)}, group ${socket.gid})`,
    fix: `put it into a folder of the group of ${user.name} (${CREATE}), or add ${user.name} to the socket's group`,
  };
}

const CREATE = "see packaging/tmpfiles.d/rollcall-postfix.conf";

/** From the root to the folder of a file. */
function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === path
    ? [folder]
    : [...foldersOf(folder), folder].filter((each, i, all) => all.indexOf(each) === i);
}

function may({ uid, gids }: User, { mode, uid: owner, gid }: Stats, bit: number): boolean {
  if (uid === 0) return true;
  const shift = uid === owner ? 6 : gids.includes(gid) ? 3 : 0;
  return ((mode >> shift) & bit) !== 0;
}

const octal = ({ mode }: Stats): string => (mode & 0o7777).toString(8).padStart(4, "0");
