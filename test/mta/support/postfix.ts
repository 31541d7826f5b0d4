/** Debian's own Postfix, from a folder of its own, on a port of loopback. Nothing of the machine's one is touched. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../testing/ports.ts";
import type { Cleanup } from "./cleanup.ts";
import { endWithUs, until } from "./waiting.ts";

const MASTER = "/usr/lib/postfix/sbin/master";
const SASL_PASSWORD = "/usr/sbin/saslpasswd2";

/** Why no Postfix can be run here, or null. */
export const WITHOUT_POSTFIX: string | null = whatIsMissing();

function whatIsMissing(): string | null {
  if (!existsSync(MASTER)) return "Postfix is not installed";
  if (!existsSync(SASL_PASSWORD)) return "sasl2-bin is not installed";
  return process.getuid?.() === 0 ? null : "Postfix's master wants to be started by root";
}

/** A login that {@link startPostfix} can be told to know. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface PostfixOptions {
  /** The host's name; one process of a test is told from another by it. */
  readonly name: string;
  /** Lines of main.cf, as they stand on a page of the documentation. */
  readonly main: string;
  /** Lines of the rig's: where mail goes, how fast it is tried again. They stand before those of the page. */
  readonly rig?: string;
  readonly port?: number;
  readonly login?: Login;
  /** Changes master.cf. */
  readonly master?: (text: string) => string;
}

/** Queue files; `dirs` is owned by postfix and closed to others. */
const QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"];
const CLOSED = [...QUEUES, "private", "saved", "trace"];

export class Postfix {
  readonly name: string;
  readonly port: number;
  readonly folder: string;
  readonly #master: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(name: string, port: number, folder: string) {
    this.name = name;
    this.port = port;
    this.folder = folder;
    // Its own process group, which it ends together with itself.
    this.#master = spawn(MASTER, ["-c", this.configuration, "-d"], {
      detached: true,
      stdio: "ignore",
      env: {
        PATH: process.env.PATH ?? "",
        MAIL_CONFIG: this.configuration,
        POSTLOG_SERVICE: "postlog",
        POSTLOG_HOSTNAME: name,
      },
    });
    this.#ended = new Promise((resolve) => this.#master.once("close", resolve).once("error", resolve));
    endWithUs(this.#master);
  }

  get configuration(): string {
    return join(this.folder, "etc");
  }

  get hasEnded(): boolean {
    return this.#master.exitCode !== null || this.#master.signalCode !== null;
  }

  /** What it wrote to its log. */
  log(): string {
    const file = join(this.folder, "log");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  /** Messages that it holds: on the way in, being tried, and waiting to be tried again. */
  queued(): { readonly waiting: number; readonly all: number } {
    const count = (queue: string): number => this.#idsIn(queue).length;
    const waiting = count("deferred");
    return { waiting, all: waiting + count("incoming") + count("active") + count("maildrop") };
  }

  /** The queue of each message that it holds, and the last lines of its log, about the message and at all. */
  remaining(): string {
    const lines = this.log().trimEnd().split("\n");
    const each = ["maildrop", "incoming", "active", "deferred"].flatMap((queue) =>
      this.#idsIn(queue).map((id) => [
        `${queue} ${id}`,
        ...lines.filter((line) => line.includes(` ${id}: `)).slice(-5),
      ]),
    );
    return [...each.flat(), "the end of its log:", ...lines.slice(-20)].join("\n");
  }

  #idsIn(queue: string): string[] {
    const found = readdirSync(join(this.folder, "queue", queue), { recursive: true, withFileTypes: true });
    return found.filter((each) => each.isFile()).map(({ name }) => name);
  }

  /** `postconf`'s value of a parameter. */
  setting(parameter: string): string {
    return execFileSync("postconf", ["-c", this.configuration, "-h", parameter], { encoding: "utf8" }).trim();
  }

  /** `postmap -q KEY TABLE`. */
  query(table: string, key: string): Promise<{ code: number; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      execFile("postmap", ["-c", this.configuration, "-q", key, table], (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  }

  async stop(): Promise<void> {
    if (!this.hasEnded) this.#master.kill("SIGTERM");
    await this.#ended;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/**
 * Starts a Postfix and waits until it says 220.
 * @throws if it does not come up, with its log
 */
export async function startPostfix(options: PostfixOptions, cleanup: Cleanup): Promise<Postfix> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-mta-"));
  const port = options.port ?? (await freePort());
  layOut(folder, options, port);
  const postfix = new Postfix(options.name, port, folder);
  cleanup.add(() => postfix.stop());
  const isUp = await until(
    `${options.name} greets`,
    async () => postfix.hasEnded || (await greets(port)),
  ).then(
    () => !postfix.hasEnded,
    () => false,
  );
  if (!isUp) throw new Error(`${options.name} does not come up:\n${postfix.log()}`);
  return postfix;
}

function layOut(
  folder: string,
  { name, main, rig = "", login, master = (text) => text }: PostfixOptions,
  port: number,
): void {
  const id = (...args: string[]): number => Number(execFileSync("id", args, { encoding: "utf8" }));
  const user = id("-u", "postfix");
  const drop = Number(
    execFileSync("getent", ["group", "postdrop"], { encoding: "utf8" }).split(":")[2] ?? Number.NaN,
  );
  const make = (path: string, mode: number, uid = 0, gid = 0): void => {
    const whole = join(folder, path);
    mkdirSync(whole, { recursive: true });
    chownSync(whole, uid, gid);
    // After mkdir, for the umask takes bits away.
    chmodSync(whole, mode);
  };
  make(".", 0o755);
  make("etc", 0o755);
  make("data", 0o700, user);
  make("queue", 0o755);
  make("queue/pid", 0o755);
  for (const queue of CLOSED) make(`queue/${queue}`, 0o700, user);
  make("queue/public", 0o710, user, drop);
  make("queue/maildrop", 0o730, user, drop);
  writeFileSync(join(folder, "etc", "main.cf"), lastOfEach(`${base(folder, name)}${rig}\n${main}\n`));
  writeFileSync(join(folder, "etc", "master.cf"), master(masterOf(port)));
  if (login !== undefined) {
    const realm = name;
    execFileSync(SASL_PASSWORD, ["-c", "-p", "-f", join(folder, "sasldb2"), "-u", realm, login.user], {
      input: login.password,
    });
    chownSync(join(folder, "sasldb2"), user, 0);
    writeFileSync(
      join(folder, "etc", "smtpd.conf"),
      `pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: ${join(folder, "sasldb2")}\nmech_list: PLAIN\n`,
    );
  }
}

/**
 * The settings of a main.cf, of each the last one, which is the one that counts. Each process of Postfix warns of an
 * earlier one. If the log's socket is full then, postlogd waits for ever to warn itself, and all others wait for it.
 */
export function lastOfEach(text: string): string {
  const settings = new Map<string, string>();
  // A line that begins with white space continues the one before it.
  for (const setting of text
    .replaceAll(/^[ \t]*#.*\n/gm, "")
    .trim()
    .split(/\n+(?=\S)/)) {
    settings.set(setting.split("=", 1)[0]?.trim() ?? "", setting);
  }
  return `${[...settings.values()].join("\n")}\n`;
}

/** What makes it one of many on this machine. Clients on 127.0.0.2 are its own network, others are strangers. */
const base = (folder: string, name: string): string => `
compatibility_level = 3.10
queue_directory = ${folder}/queue
data_directory = ${folder}/data
maillog_file = ${folder}/log
maillog_file_prefixes = ${folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = ${name}
mynetworks = 127.0.0.2/32
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_tls_security_level = none
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = ${name}
cyrus_sasl_config_path = ${folder}/etc
import_environment = MAIL_CONFIG POSTLOG_SERVICE POSTLOG_HOSTNAME
`;

/**
 * Without chroot, and without services that a relay does not use. qmgr looks into the incoming queue each second, not every
 * 300: there it puts a message whose next try was due while the last one held it, for at least 60.
 */
const masterOf = (port: number): string => `
127.0.0.1:${port} inet n - n - - smtpd
cleanup  unix  n - n - 0 cleanup
qmgr     unix  n - n 1 1 qmgr
tlsmgr   unix  - - n 1000? 1 tlsmgr
rewrite  unix  - - n - - trivial-rewrite
bounce   unix  - - n - 0 bounce
defer    unix  - - n - 0 bounce
trace    unix  - - n - 0 bounce
verify   unix  - - n - 1 verify
flush    unix  n - n 1000? 0 flush
proxymap unix  - - n - - proxymap
smtp     unix  - - n - - smtp
relay    unix  - - n - - smtp
showq    unix  n - n - - showq
error    unix  - - n - - error
discard  unix  - - n - - discard
retry    unix  - - n - - error
anvil    unix  - - n - 1 anvil
scache   unix  - - n - 1 scache
postlog  unix-dgram n - n - 1 postlogd
`;

/** Whether an SMTP server says 220 on this port. */
export function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const over = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    // Another connection may be greeted: a server may forget one for ever.
    socket.setTimeout(3_000, () => over(false));
    socket.once("data", (bytes) => over(bytes.toString("latin1").startsWith("220")));
    socket.once("error", () => over(false)).once("close", () => over(false));
  });
}

/**
 * Waits until nothing is left to deliver.
 * @throws with what the log says about each message that is left
 */
export async function untilEmpty(postfix: Postfix): Promise<void> {
  try {
    await until(`${postfix.name}'s queue is empty`, () => postfix.queued().all === 0);
  } catch (error) {
    throw new Error(`${(error as Error).message}; left:\n${postfix.remaining()}`, { cause: error });
  }
}
