import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pid as ownPid } from "node:process";
import { inputError } from "../exit.ts";

const LOCK = "dev.lock";

interface Holder {
  readonly pid: number;
  /** Distinguishes a process from a later one with the same pid; null if the platform does not tell. */
  readonly born: string | null;
}

/**
 * Locks a state folder for this process, so that no two write to the same storage.
 * @returns a function that unlocks it
 * @throws CliError exit 3 if a running process holds the lock
 */
export function lockState(directory: string, shown: string): () => void {
  const file = join(directory, LOCK);
  const own: Holder = { pid: ownPid, born: bornOf(ownPid) };
  for (let attempt = 1; ; attempt++) {
    try {
      const handle = openSync(file, "wx", 0o600);
      writeSync(handle, JSON.stringify(own));
      closeSync(handle);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 2) throw error;
    }
    const holder = readHolder(file);
    if (holder !== null && lives(holder)) {
      throw inputError(
        `the state folder ${shown} is in use by another \`rollcall dev\` (process ${holder.pid})`,
        "stop that one first, or name another folder with --state",
      );
    }
    // The process that held it was killed before it could unlock.
    rmSync(file, { force: true });
  }
}

function readHolder(file: string): Holder | null {
  try {
    const { pid, born } = JSON.parse(readFileSync(file, "utf8")) as Partial<Holder>;
    return typeof pid === "number" && pid > 0 ? { pid, born: born ?? null } : null;
  } catch {
    return null;
  }
}

function lives(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const born = bornOf(holder.pid);
  return born === null || holder.born === null || born === holder.born;
}

/**
 * When a process started, and in which boot of the machine; Linux only. A zombie counts as ended.
 */
function bornOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // The name is in parentheses and may contain anything; the start time is the 20th field after it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? `${boot}/ended` : `${boot}/${fields[19]}`;
  } catch {
    return null;
  }
}
