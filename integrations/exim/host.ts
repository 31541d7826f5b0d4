/** Debian's Exim as its package sets it up for an "internet site", with one file or with split files. */
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Daemon } from "../../test/mta/support/daemon.ts";
import { type Host, LOGIN, NAME } from "../host.ts";
import { exim } from "./rig.ts";

const run = (command: string, args: readonly string[] = []): string =>
  execFileSync(command, args, { encoding: "utf8" });

/** What dpkg-reconfigure asks: nothing is relayed for anybody else. */
const debconf = (isSplit: boolean): string => `dc_eximconfig_configtype='internet'
dc_other_hostnames='${NAME}'
dc_local_interfaces=''
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets=''
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='${isSplit}'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
`;

/** The examples of Debian's configuration, with a password in place of a file of passwords. */
const AUTHENTICATOR = `plain_server:
  driver = plaintext
  public_name = PLAIN
  server_condition = \${if and{{eq{$auth2}{${LOGIN.user}}}{eq{$auth3}{${LOGIN.password}}}}}
  server_set_id = $auth2
  server_prompts = :
`;

const PASTES: Readonly<Record<string, (path: (name: string) => string) => void>> = {
  "ACL, one file": (path) => {
    run("sh", ["-c", `cat '${path("acl.macros")}' >> /etc/exim4/exim4.conf.localmacros`]);
    cpSync(path("rollcall.acl"), "/etc/exim4/rollcall.acl");
  },
  "ACL, split files": (path) => {
    cpSync(path("acl.macros"), "/etc/exim4/conf.d/main/000_localmacros");
    cpSync(path("rollcall.acl"), "/etc/exim4/rollcall.acl");
  },
  "router, one file": (path) => {
    run("sh", ["-c", `cat '${path("router.macros")}' >> /etc/exim4/exim4.conf.localmacros`]);
    const template = "/etc/exim4/exim4.conf.template";
    const router = readFileSync(path("rollcall.router"), "utf8");
    writeFileSync(
      template,
      readFileSync(template, "utf8").replace(/^begin routers\n/m, (line) => `${line}\n${router}\n`),
    );
  },
  "router, split files": (path) => {
    cpSync(path("router.macros"), "/etc/exim4/conf.d/main/000_localmacros");
    cpSync(path("rollcall.router"), "/etc/exim4/conf.d/router/050_rollcall");
  },
};

const CONFIGURATION = "/etc/exim4/update-exim4.conf.conf";
let daemon: Daemon | null = null;

export const eximHost: Host = {
  name: "exim",
  ways: Object.keys(PASTES),
  missing: exim.missing,
  isUnpacked: true,
  hasUsers: true,
  configuration: ["/etc/exim4"],
  submission: () => ({ port: 25, tls: false }),
  install() {
    for (const folder of ["/var/spool/exim4", "/var/log/exim4"]) {
      mkdirSync(folder, { recursive: true });
      run("chown", ["Debian-exim:adm", folder]);
    }
    mkdirSync("/var/lib/exim4", { recursive: true });
    rmSync("/usr/sbin/sendmail", { force: true });
    symlinkSync("exim4", "/usr/sbin/sendmail");
    writeFileSync("/etc/aliases", `postmaster: root\nroot: ${LOGIN.user}\n`);
    writeFileSync(CONFIGURATION, debconf(false));
    const template = "/etc/exim4/exim4.conf.template";
    const text = readFileSync(template, "utf8");
    writeFileSync(
      template,
      text.replace(/^begin authenticators\n/m, (line) => `${line}\n${AUTHENTICATOR}\n`),
    );
    writeFileSync("/etc/exim4/conf.d/auth/40_login", AUTHENTICATOR);
    // Without TLS, which has nothing to do with this.
    appendFileSync("/etc/exim4/exim4.conf.localmacros", "AUTH_SERVER_ALLOW_NOTLS_PASSWORDS = true\n");
    writeFileSync("/etc/exim4/conf.d/main/000_login", "AUTH_SERVER_ALLOW_NOTLS_PASSWORDS = true\n");
  },
  paste(way) {
    // As the page says: list the domains, and where their mail goes.
    writeFileSync(
      CONFIGURATION,
      debconf(way.endsWith("split files")).replace("dc_relay_domains=''", "dc_relay_domains='example.com'"),
    );
    writeFileSync("/etc/exim4/hubbed_hosts", "example.com: 192.0.2.10\n");
    PASTES[way]?.((name) => join(import.meta.dirname, name));
  },
  start() {
    run("update-exim4.conf");
    const started = new Daemon(
      spawn("/usr/sbin/exim4", ["-bdf", "-q1m"], { stdio: ["ignore", "pipe", "pipe"] }),
    );
    daemon = started;
    return () => started.stop();
  },
  logs: () =>
    ["mainlog", "paniclog"]
      .map((name) => `/var/log/exim4/${name}`)
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, "utf8"))
      .join("") + (daemon?.output ?? ""),
  differences: {},
};
