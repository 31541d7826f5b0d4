/** A clean Debian 13 in a folder, made with mmdebstrap from the mirror that it is configured for. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ONLY_FULL } from "../../support/full.ts";
import { environment, ROOT, Running } from "../../support/processes.ts";

const TOOLS = ["mmdebstrap", "dpkg-deb", "chroot", "unshare", "flock", "tar"];

/** Why no Debian is made here, or null. Its minute of work is for CI. */
export const WITHOUT_DEBIAN: string | null = ONLY_FULL ?? whatIsMissing(TOOLS);

/** @returns the first program that is missing, or null */
export function whatIsMissing(programs: readonly string[]): string | null {
  const missing = programs.find((program) => spawnSync("which", [program]).status !== 0);
  if (missing !== undefined) return `${missing} is not installed`;
  return process.getuid?.() === 0 ? null : "chroot needs root";
}

/** What the package depends on, so that a test installs it without a network. */
const PACKAGES = ["nodejs", "ca-certificates", "systemd", "man-db"];

/**
 * An archive of the clean system. Made once a week, since it takes half a minute; test files that start at the same time
 * wait for each other.
 */
export function debianArchive(): string {
  const folder = join(ROOT, "dist", "debian");
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, "trixie.tar");
  const options = [
    "--variant=minbase",
    `--include=${PACKAGES.join(",")}`,
    // As on a host that has manual pages, and as apt is set up here.
    ...hostAptOptions().map((option) => `--aptopt=${option}`),
  ];
  const script = `
    if [ -z "$(find "$1" -mtime -7 2>/dev/null)" ]; then
      mmdebstrap --quiet "\${@:2}" trixie "$1.new.tar" && mv "$1.new.tar" "$1"
    fi`;
  execFileSync("flock", [`${archive}.lock`, "bash", "-c", script, "bash", archive, ...options], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return archive;
}

/** How apt of this host reaches its mirror: a proxy, or a clock that differs. */
function hostAptOptions(): string[] {
  const said = spawnSync("apt-config", ["dump", "--format", "%f %v%n", "Acquire"], { encoding: "utf8" });
  return (said.stdout ?? "").split("\n").flatMap((line) => {
    const [, name, value] =
      /^(Acquire::(?:https?::Proxy|Check-Valid-Until|Check-Date)) (\S+)$/.exec(line) ?? [];
    return name === undefined ? [] : [`${name} "${value}"`];
  });
}

/** A clean system that a test may change. */
export class DebianRoot {
  readonly path: string;

  /** @param path a new folder below a temporary one */
  constructor(path: string) {
    this.path = path;
    mkdirSync(path);
    execFileSync("tar", ["-xf", debianArchive(), "-C", path]);
  }

  /** Runs a command inside, without a network. @returns its output @throws if it fails, with its output */
  run(file: string, ...args: string[]): string {
    const { status, stdout, stderr } = spawnSync("unshare", ["--net", "chroot", this.path, file, ...args], {
      encoding: "utf8",
      env: ENVIRONMENT,
    });
    if (status !== 0) throw new Error(`${file} ${args.join(" ")}: exit ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Starts a command inside, as a user. The network is the host's: both share loopback. */
  start(user: string, file: string, ...args: string[]): Running {
    return new Running("chroot", ["--userspec", `${user}:${user}`, this.path, file, ...args], {
      env: ENVIRONMENT,
    });
  }

  has(path: string): boolean {
    return existsSync(join(this.path, path));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const ENVIRONMENT = {
  ...environment("/nonexistent"),
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  DEBIAN_FRONTEND: "noninteractive",
  LC_ALL: "C.UTF-8",
};
