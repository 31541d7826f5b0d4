import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { giveToOwner } from "../publish/index.ts";

/** Writes a file so that a reader sees the old or the new content, whole. */
export function writeWhole(path: string, content: Uint8Array | string, mode: number): void {
  const next = `${path}.next`;
  // A run that was killed may have left one, with another mode.
  rmSync(next, { force: true });
  writeFileSync(next, content, { mode, flag: "wx" });
  // Whatever the umask, such as 0077 of the service.
  chmodSync(next, mode);
  giveToOwner(next);
  renameSync(next, path);
}
