/**
 * Debian's Rspamd, unpacked in a folder, as a milter with integrations/rspamd/rollcall.lua and no other module, and the
 * Postfix whose milter it is.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../../testing/ports.ts";
import type { Cleanup } from "./cleanup.ts";
import { folder, ROOT } from "./command.ts";
import { Daemon } from "./daemon.ts";
import { type Postfix, startPostfix, WITHOUT_POSTFIX } from "./postfix.ts";
import { listens } from "./waiting.ts";

const UNPACKED = process.env.ROLLCALL_UNPACKED ?? "";
const PROGRAM = join(UNPACKED, "usr/bin/rspamd");

/** Why they cannot run here, or null. */
export const WITHOUT_RSPAMD: string | null = existsSync(PROGRAM)
  ? WITHOUT_POSTFIX
  : "ROLLCALL_UNPACKED does not name a folder with Rspamd";

export interface Rspamd {
  /** Of the milter, on 127.0.0.1. */
  readonly port: number;
  isRunning(): boolean;
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
async function startRspamd(line: string, cleanup: Cleanup): Promise<Rspamd> {
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
  const daemon = new Daemon(child);
  cleanup.add(async () => {
    if (daemon.isRunning()) process.kill(-(child.pid as number), "SIGKILL");
    await daemon.ended;
  });
  await daemon.untilReady(() => listens(port));
  return { port, isRunning: () => daemon.isRunning(), log: () => daemon.output };
}

/**
 * An Rspamd, and a relay for example.com and example.net with this milter, which asks nobody itself.
 * @param line where the bridge listens: `127.0.0.1:PORT`
 * @param transport where the relay sends messages
 */
export async function startRspamdRelay(
  line: string,
  transport: string,
  cleanup: Cleanup,
): Promise<{ rspamd: Rspamd; postfix: Postfix }> {
  const rspamd = await startRspamd(line, cleanup);
  const main = [
    "relay_domains = example.com, example.net",
    "smtpd_recipient_restrictions = reject_unauth_destination",
    "smtpd_relay_restrictions =",
    "mynetworks =",
    `relay_transport = ${transport}`,
    `smtpd_milters = inet:127.0.0.1:${rspamd.port}`,
    "milter_default_action = tempfail",
  ].join("\n");
  return { rspamd, postfix: await startPostfix({ name: "rspamd.example.org", main }, cleanup) };
}
