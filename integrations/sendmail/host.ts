/** Debian's Sendmail as its package sets it up, for a host that receives mail. */
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Daemon } from "../../test/mta/support/daemon.ts";
import { type Host, LOGIN, NAME } from "../host.ts";
import { sendmail } from "./rig.ts";

const SENDMAIL = "/usr/libexec/sendmail/sendmail";
const LOG = "/var/log/sendmail";
const MC = "/etc/mail/sendmail.mc";

const run = (command: string, args: readonly string[] = [], input = ""): string =>
  execFileSync(command, args, { encoding: "utf8", input, stdio: ["pipe", "pipe", "pipe"] });

/** Changes a file. @throws if there is no such text */
function change(path: string, ...changes: readonly (readonly [from: string, to: string])[]): void {
  let text = readFileSync(path, "utf8");
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${path}: there is no ${from}`);
    text = text.replace(from, () => to);
  }
  writeFileSync(path, text);
}

/** The answer to all its questions is what it proposes. */
const sendmailconfig = (): string => run("sendmailconfig", ["--no-reload"], "\n".repeat(100));

let daemon: Daemon | null = null;

export const sendmailHost: Host = {
  name: "sendmail",
  ways: ["rollcall.m4"],
  missing: sendmail.missing,
  isUnpacked: true,
  hasUsers: true,
  configuration: ["/etc/mail"],
  submission: () => ({ port: 25, tls: false }),
  install() {
    // As its postinst does.
    for (const name of ["sendmail", "newaliases"]) {
      rmSync(`/usr/sbin/${name}`, { force: true });
      symlinkSync(SENDMAIL, `/usr/sbin/${name}`);
    }
    run("chgrp", ["smmsp", SENDMAIL]);
    run("chmod", ["2755", SENDMAIL]);
    writeFileSync("/etc/aliases", `postmaster: root\nroot: ${LOGIN.user}\n`);
    for (const name of ["sendmail.mc", "submit.mc"]) {
      cpSync(`/usr/share/sendmail/cf/debian/${name}`, `/etc/mail/${name}`);
    }
    // Its exit code counts files that it made.
    run("sh", ["-c", "/usr/share/sendmail/update_sendmail || :"]);
    // It listens on loopback alone, and without IPv6.
    change(
      MC,
      ["MTA-v4, Port=smtp, Addr=127.0.0.1", "MTA-v4, Port=smtp"],
      ["dnl DAEMON_OPTIONS(`Family=inet6, Name=MTA-v6", "DAEMON_OPTIONS(`Family=inet6, Name=MTA-v6"],
      [
        "\nMAILER_DEFINITIONS\n",
        "\ninclude(`/etc/mail/sasl/sasl.m4')dnl\nFEATURE(`mailertable')dnl\nMAILER_DEFINITIONS\n",
      ],
    );
    // More sessions a minute than it takes from a stranger, and without its pause of 5 s.
    change(
      "/etc/mail/access",
      ["ClientRate:\t\t\t\t10", "ClientRate:\t\t\t\t0"],
      ["GreetPause:\t\t\t\t5000", "GreetPause:\t\t\t\t0"],
    );
    change("/etc/mail/sasl/Sendmail.conf.2", ["pwcheck_method: saslauthd", "pwcheck_method: auxprop"]);
    run("saslpasswd2", ["-c", "-p", "-u", NAME, LOGIN.user], LOGIN.password);
    writeFileSync("/etc/mail/mailertable", "");
    sendmailconfig();
  },
  newAliases: () => void run("newaliases"),
  paste(way) {
    // As the page says.
    appendFileSync("/etc/mail/mailertable", "example.com\tesmtp:[192.0.2.10]\n");
    cpSync(join(import.meta.dirname, way), "/etc/mail/rollcall.m4");
    change(MC, ["\nMAILER_DEFINITIONS\n", "\ninclude(`/etc/mail/rollcall.m4')dnl\nMAILER_DEFINITIONS\n"]);
    sendmailconfig();
  },
  start() {
    mkdirSync(LOG, { recursive: true });
    const started = new Daemon(
      spawn(SENDMAIL, ["-bD", "-q1m", "-X", `${LOG}/smtp`], { stdio: ["ignore", "pipe", "pipe"] }),
    );
    daemon = started;
    return () => started.stop();
  },
  waiting() {
    const folder = "/var/spool/mqueue-client";
    const texts = readdirSync(folder)
      .filter((name) => name.startsWith("qf"))
      .map((name) => readFileSync(join(folder, name), "utf8"));
    return texts.filter((text) => /^MDeferred: /m.test(text)).join("\n");
  },
  logs: () => (existsSync(`${LOG}/smtp`) ? readFileSync(`${LOG}/smtp`, "utf8") : "") + (daemon?.output ?? ""),
  // The command sends over SMTP, to the server that asks the bridge.
  differences: { "the command writes to a mailbox of our domain": "mailboxes or deferred" },
};
