/**
 * Debian's Exim and Sendmail, of which a machine can have only one, and none beside Postfix. Their packages are unpacked in
 * a folder, and their programs run in namespaces where they see what they would see if they were installed.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Daemon } from "./daemon.ts";

/** Where .ci/run has unpacked the packages. */
const UNPACKED = process.env.ROLLCALL_UNPACKED ?? "";

/** Why a program cannot run here, or null. @param program its path, such as `usr/sbin/exim4` */
export const whyNot = (program: string, user: string): string | null => {
  if (!existsSync(join(UNPACKED, program))) return `ROLLCALL_UNPACKED does not name a folder with ${program}`;
  if (process.getuid?.() !== 0) return "namespaces need root";
  return exists(user) ? null : `there is no user ${user}`;
};

function exists(user: string): boolean {
  try {
    execFileSync("id", ["-u", user], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Files of /etc and folders of /var as its programs see them; what a package brings is there besides. */
export class Installed {
  readonly #home: string;
  readonly #writable: readonly string[];

  /**
   * @param home an empty folder
   * @param writable folders below /var, which belong to the user
   */
  constructor(home: string, user: string, writable: readonly string[]) {
    this.#home = home;
    this.#writable = writable;
    for (const path of writable) {
      // The place of the folder, and the folder.
      mkdirSync(join(home, path), { recursive: true });
      mkdirSync(this.pathOf(path), { recursive: true });
      execFileSync("chown", [`${user}:`, this.pathOf(path)]);
    }
    this.write("etc/hosts", "127.0.0.1 mx.example.org mx localhost\n");
  }

  /** Where a writable folder, or a file in it, is for us. */
  pathOf(path: string): string {
    return join(this.#home, "writable", path);
  }

  /** Writes a file for the programs that start after this. @param path such as `etc/exim4/rollcall.acl` */
  write(path: string, content: string | Uint8Array): void {
    const file = join(this.#home, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  /** Runs a command to its end. @returns standard output @throws if it fails */
  run(command: string, args: readonly string[], input = ""): string {
    return execFileSync("unshare", this.#inside(command, args), { encoding: "utf8", input });
  }

  /** The same for a command whose exit code is part of its answer. */
  ask(command: string, args: readonly string[], input = ""): string {
    return spawnSync("unshare", this.#inside(command, args), { encoding: "utf8", input }).stdout;
  }

  /** Starts a server that stays in the foreground. */
  start(command: string, args: readonly string[]): Daemon {
    return new Daemon(spawn("unshare", this.#inside(command, args), { stdio: ["ignore", "pipe", "pipe"] }));
  }

  /** Writes a program that runs a command there. */
  writeProgram(path: string, command: string): void {
    const quoted = ["unshare", ...this.#inside(command, [])].map((word) => `'${word}'`).join(" ");
    writeFileSync(path, `#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin exec ${quoted} "$@"\n`, {
      mode: 0o755,
    });
  }

  #inside(command: string, args: readonly string[]): string[] {
    const lower = (name: string): string =>
      [join(this.#home, name), join(UNPACKED, name), `/${name}`].filter((path) => existsSync(path)).join(":");
    // Without quotation marks, which would end those of writeProgram().
    const script = [
      "hostname mx.example.org",
      ...["usr", "etc", "var"].map((name) => `mount -t overlay overlay -o lowerdir=${lower(name)} /${name}`),
      ...this.#writable.map((path) => `mount --bind ${this.pathOf(path)} /${path}`),
      'exec "$@"',
    ].join(" && ");
    return ["--mount", "--uts", "sh", "-c", script, "sh", command, ...args];
  }
}
