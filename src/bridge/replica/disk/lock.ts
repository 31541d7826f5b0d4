import { chmod, chown, link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

const NAME = "lock";

/** The process that holds a lock: its id alone could be another process by now. */
interface Holder {
  readonly pid: number;
  /** When it started, in ticks since the boot; null if the platform does not say. */
  readonly started: string | null;
  /** Id of the boot; null if the platform does not say. */
  readonly boot: string | null;
}

interface Identity extends Pick<Holder, "started" | "boot"> {
  /** It keeps its id only until its parent asks how it ended. */
  readonly hasEnded: boolean;
}

/** States of a process that runs no more (proc_pid_stat(5)). */
const ENDED = /^[ZXx]$/;

/** The process that asks for the lock. */
export interface LockOwner {
  readonly pid: number;
  /** Whether a process of this id runs. */
  isRunning(pid: number): boolean;
}

export type LockResult =
  | {
      readonly kind: "held";
      /** Whether the lock is still there, and nobody else's. */
      isOurs(): Promise<boolean>;
      release(): Promise<void>;
    }
  /** Another bridge uses the folder. */
  | { readonly kind: "busy"; readonly pid: number }
  /** The folder cannot be written, so nobody can change it. */
  | { readonly kind: "unwritable"; readonly error: Error };

/**
 * Takes the lock of a folder, and makes the folder if it does not exist. The lock of a process that has ended does not
 * count.
 */
export async function lockFolder(folder: string, owner: LockOwner): Promise<LockResult> {
  const path = join(folder, NAME);
  const mine = `${path}.${owner.pid}`;
  const { started, boot } = await identityOf(owner.pid);
  const me: Holder = { pid: owner.pid, started, boot };
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(mine, `${JSON.stringify(me)}\n`, { mode: 0o600 });
    // The folder's user must be able to read it, if root runs by hand what a service runs: a lock that cannot be read counts
    // as that of a process that has ended.
    const { uid, gid } = await stat(folder);
    await chown(mine, uid, gid).catch(() => undefined);
  } catch (error) {
    return { kind: "unwritable", error: error as Error };
  }
  // It may belong to another user, who then has to answer for its mode.
  await chmod(folder, 0o700).catch(() => undefined);
  try {
    for (;;) {
      // A link appears whole, and only if there is no lock.
      if (await isLinked(mine, path)) {
        return {
          kind: "held",
          isOurs: async () => (await readHolder(path))?.pid === owner.pid,
          release: () => rm(path, { force: true }),
        };
      }
      const holder = await readHolder(path);
      if (holder !== null && (await isAlive(holder, owner))) return { kind: "busy", pid: holder.pid };
      await discard(path, mine, owner);
    }
  } finally {
    await rm(mine, { force: true });
  }
}

async function isLinked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Removes the lock of a process that has ended. Only one process at a time may do that: otherwise one of them could
 * remove the lock that another has taken meanwhile.
 */
async function discard(path: string, mine: string, owner: LockOwner): Promise<void> {
  const guard = `${path}.removal`;
  // The process that removes it may have ended in the middle.
  if (!(await isLinked(mine, guard))) return removeIfDead(guard, owner);
  try {
    await removeIfDead(path, owner);
  } finally {
    await rm(guard, { force: true });
  }
}

/** Removes the lock of a process that has ended, or one that cannot be read. */
async function removeIfDead(path: string, owner: LockOwner): Promise<void> {
  const text = await readText(path);
  // Without a lock there is nothing to remove, and the next one may be taken at any moment.
  if (text === null) return;
  const holder = parseHolder(text);
  if (holder === null || !(await isAlive(holder, owner))) await rm(path, { force: true });
}

/** Null if there is none, or none that can be read. */
async function readHolder(path: string): Promise<Holder | null> {
  const text = await readText(path);
  return text === null ? null : parseHolder(text);
}

/** Null if there is no such file, empty if it cannot be read. */
async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? null : "";
  }
}

/** Null if the text is not a lock's. */
function parseHolder(text: string): Holder | null {
  try {
    const { pid, started, boot } = JSON.parse(text) as Partial<Holder>;
    if (!Number.isSafeInteger(pid)) return null;
    return { pid: pid as number, started: started ?? null, boot: boot ?? null };
  } catch {
    return null;
  }
}

async function isAlive({ pid, started, boot }: Holder, owner: LockOwner): Promise<boolean> {
  if (!owner.isRunning(pid)) return false;
  const now = await identityOf(pid);
  const isSame = (before: string | null, after: string | null): boolean =>
    before === null || after === null || before === after;
  return !now.hasEnded && isSame(boot, now.boot) && isSame(started, now.started);
}

/** What tells a process from an earlier one of the same id, on Linux, and whether it has ended. */
async function identityOf(pid: number): Promise<Identity> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    ]);
    // The name of the process, in parentheses, may contain spaces; the state is the first field after it, the start the 20th.
    const [state = "", ...more] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { started: more[18] ?? null, boot: boot.trim(), hasEnded: ENDED.test(state) };
  } catch {
    return { started: null, boot: null, hasEnded: false };
  }
}
