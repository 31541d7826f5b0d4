/** Debian's Rspamd, unpacked in a folder, as a milter with integrations/rspamd/rollcall.lua and no other module. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import type { Cleanup } from "./cleanup.ts";
import { folder, ROOT } from "./command.ts";
import { endWithUs, freePort, until } from "./waiting.ts";

const UNPACKED = process.env.ROLLCALL_UNPACKED ?? "";
const PROGRAM = join(UNPACKED, "usr/bin/rspamd");

/** Why it cannot run here, or null. */
export const WITHOUT_RSPAMD: string | null = existsSync(PROGRAM)
  ? null
  : "ROLLCALL_UNPACKED does not name a folder with Rspamd";

export interface Rspamd {
  /** Of the milter, on 127.0.0.1. */
  readonly port: number;
  log(): string;
}

const configuration = (port: number): string => `
lua = "$RULESDIR/rspamd.lua"
.include "$CONFDIR/actions.conf"
options {
  pidfile = "$RUNDIR/rspamd.pid";
  # Nothing listens there: no rule asks the DNS.
  dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }
  filters = "";
  # Compiling all the names below which domains are registered takes seconds.
  disable_hyperscan = true;
  url_tld = "$RUNDIR/tld";
}
logging { type = "console"; level = "info"; }
worker "rspamd_proxy" {
  bind_socket = "127.0.0.1:${port}";
  milter = yes;
  timeout = 10s;
  upstream "local" { default = yes; self_scan = yes; }
  count = 1;
}
`;

/** @param line where the bridge listens: `127.0.0.1:PORT` */
export async function startRspamd(line: string, cleanup: Cleanup): Promise<Rspamd> {
  const port = await freePort();
  const home = folder(cleanup);
  const rules = readFileSync(join(ROOT, "integrations/rspamd/rollcall.lua"), "utf8");
  if (!rules.includes('"127.0.0.1:10025"')) throw new Error("rollcall.lua does not name its bridge");
  mkdirSync(join(home, "lua.local.d"));
  writeFileSync(join(home, "lua.local.d/rollcall.lua"), rules.replace('"127.0.0.1:10025"', `"${line}"`));
  writeFileSync(join(home, "rspamd.conf"), configuration(port));
  writeFileSync(join(home, "tld"), "com\nexample\n");
  const share = join(UNPACKED, "usr/share/rspamd");
  const paths = {
    CONFDIR: join(UNPACKED, "etc/rspamd"),
    LOCAL_CONFDIR: home,
    DBDIR: home,
    RUNDIR: home,
    LOGDIR: home,
    SHAREDIR: share,
    RULESDIR: join(share, "rules"),
    LUALIBDIR: join(share, "lualib"),
    PLUGINSDIR: join(share, "plugins"),
  };
  // -i: it may run as root.
  const args = ["-f", "-i", "-c", join(home, "rspamd.conf")];
  for (const [name, path] of Object.entries(paths)) args.push("--var", `${name}=${path}`);
  const libraries = [join(UNPACKED, "usr/lib/rspamd"), join(UNPACKED, "usr/lib/x86_64-linux-gnu")];
  const child = spawn(PROGRAM, args, {
    // With its workers, which it would wait for.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", TMPDIR: home, LD_LIBRARY_PATH: libraries.join(":") },
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
  }
  endWithUs(child);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  cleanup.add(async () => {
    if (child.exitCode === null) process.kill(-(child.pid as number), "SIGKILL");
    await ended;
  });
  await until("Rspamd listens", () => {
    if (child.exitCode !== null) throw new Error(`Rspamd ended:\n${log}`);
    return listens(port);
  });
  return { port, log: () => log };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const over = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => over(true)).once("error", () => over(false));
  });
}
