/** A clean Debian whose systemd runs: as process 1 of namespaces of its own, with the network of this host. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pause, Running, temporaryFolder } from "../../support/processes.ts";
import { type DebianRoot, WITHOUT_DEBIAN, whatIsMissing } from "./debian-root.ts";

/** Where the unified hierarchy of control groups is mounted, which systemd needs. */
const CGROUPS = readFileSync("/proc/self/mounts", "utf8").match(/^\S+ (\S+) cgroup2 /m)?.[1];

/** Why no systemd can run here, or null. */
export const WITHOUT_SYSTEMD: string | null =
  WITHOUT_DEBIAN ??
  whatIsMissing(["nsenter", "setpriv", "pivot_root"]) ??
  (CGROUPS === undefined || !canWrite(CGROUPS) ? "there are no control groups to write to" : null);

function canWrite(cgroups: string): boolean {
  try {
    rmdirSync(mkdtempSync(join(cgroups, "rollcall-probe-")));
    return true;
  } catch {
    return false;
  }
}

/** Runs in the new namespaces, with the root and a file for messages, and becomes systemd. */
const BOOT = `
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
# Nothing of the host's kernel may change.
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for each in null zero full random urandom tty; do touch dev/$each && mount --bind /dev/$each dev/$each; done
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
touch dev/console && mount --bind "$2" dev/console
mkdir -p mnt && pivot_root . mnt
cd / && umount -l /mnt
# As at boot: credentials of services are mounted by another process.
mount --make-rshared /
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_boot,-sys_rawio,-syslog \\
  env -i container=rollcall-test PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --log-target=console
`;

export class BootedDebian {
  readonly #running: Running;
  readonly #cgroup: string;
  /** Of its systemd, as this host sees it. */
  readonly #pid: number;

  private constructor(running: Running, cgroup: string, pid: number) {
    this.#running = running;
    this.#cgroup = cgroup;
    this.#pid = pid;
  }

  /** @returns when all its services are started */
  static async start(root: DebianRoot): Promise<BootedDebian> {
    const messages = join(temporaryFolder(), "console");
    writeFileSync(messages, "");
    const cgroup = mkdtempSync(join(CGROUPS as string, "rollcall-test-"));
    const namespaces = ["--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"];
    const enter = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"';
    const running = new Running("sh", [
      ...["-c", enter, "sh", cgroup, "unshare", ...namespaces],
      ...["sh", "-c", BOOT, "sh", root.path, messages],
    ]);
    const pid = await childOf(running);
    const booted = new BootedDebian(running, cgroup, pid);
    for (;;) {
      const { stdout } = booted.#enter("systemctl", "is-system-running");
      if (/^(?:running|degraded)$/m.test(stdout)) return booted;
      if (running.child.exitCode !== null) {
        throw new Error(`systemd ended:\n${readFileSync(messages, "utf8")}${running.stderr}`);
      }
      await pause(100);
    }
  }

  /** Runs a command inside. @returns its output @throws if it fails, with its output */
  run(...command: string[]): string {
    const { status, stdout, stderr } = this.#enter(...command);
    if (status !== 0) throw new Error(`${command.join(" ")}: exit ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A property of a unit, as systemd knows it. */
  property(unit: string, name: string): string {
    return this.#enter("systemctl", "show", "--value", "--property", name, unit).stdout.trim();
  }

  /** @param pid as the system inside numbers it */
  isRunning(pid: number): boolean {
    return this.#enter("test", "-d", `/proc/${pid}`).status === 0;
  }

  /** What a unit wrote, for the message of a failed test. */
  journal(unit: string): string {
    return this.#enter("journalctl", "--no-pager", "--unit", unit).stdout;
  }

  /** The path under which this host finds a file of the system, /run included. */
  path(inside: string): string {
    return `/proc/${this.#pid}/root${inside}`;
  }

  async stop(): Promise<void> {
    process.kill(this.#pid, "SIGKILL");
    await this.#running.ended;
    // Empty now: all processes of the namespaces have ended.
    if (existsSync(this.#cgroup)) {
      spawnSync("find", [this.#cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
    }
  }

  #enter(...command: string[]): { status: number | null; stdout: string; stderr: string } {
    const namespaces = ["--mount", "--pid", "--ipc", "--uts", "--cgroup"];
    return spawnSync("nsenter", ["--target", String(this.#pid), ...namespaces, ...command], {
      encoding: "utf8",
      env: { PATH: "/usr/sbin:/usr/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    });
  }
}

/** The process that unshare started. */
async function childOf(running: Running): Promise<number> {
  for (;;) {
    const { stdout } = spawnSync("pgrep", ["--parent", String(running.child.pid)], { encoding: "utf8" });
    // Before unshare there is no child, and before exec it is a shell.
    const pid = Number(stdout.trim().split("\n")[0]);
    if (pid > 0 && readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "systemd") {
      return pid;
    }
    if (running.child.exitCode !== null) throw new Error(`systemd did not start:\n${running.stderr}`);
    await pause(50);
  }
}
