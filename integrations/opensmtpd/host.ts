/** Debian's OpenSMTPD with Debian's smtpd.conf, in which a user has a login. */
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../test/mta/support/command.ts";
import { Daemon } from "../../test/mta/support/daemon.ts";
import { type Host, LOGIN, NAME } from "../host.ts";
import { opensmtpd } from "./rig.ts";

const CONFIGURATION = "/etc/smtpd.conf";

/** A login, as smtpd.conf(5) shows it, below Debian's lines. */
const SUBMISSION = `
pki ${NAME} cert "/etc/ssl/mx.pem"
pki ${NAME} key "/etc/ssl/mx.key"
table logins file:/etc/smtpd.logins
listen on 0.0.0.0 smtps pki ${NAME} auth <logins>
match auth from any for any action "relay"
`;

let daemon: Daemon | null = null;

export const opensmtpdHost: Host = {
  name: "opensmtpd",
  ways: ["smtpd.conf"],
  missing: opensmtpd.missing,
  isUnpacked: true,
  hasUsers: true,
  configuration: [CONFIGURATION],
  submission: () => ({ port: 465, tls: true }),
  install() {
    for (const [i, user] of ["opensmtpd", "opensmtpq"].entries()) {
      appendFileSync(
        "/etc/passwd",
        `${user}:x:${9997 + i}:${9997 + i}::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n`,
      );
      appendFileSync("/etc/group", `${user}:x:${9997 + i}:\n`);
    }
    mkdirSync("/var/lib/opensmtpd/empty", { recursive: true });
    // As its postinst does.
    execFileSync("chgrp", ["opensmtpq", "/usr/sbin/smtpctl"]);
    chmodSync("/usr/sbin/smtpctl", 0o2755);
    writeFileSync("/etc/aliases", `postmaster: root\nroot: ${LOGIN.user}\n`);
    const key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj";
    execFileSync(
      "openssl",
      [...key.split(" "), `/CN=${NAME}`, "-keyout", "/etc/ssl/mx.key", "-out", "/etc/ssl/mx.pem"],
      {
        stdio: "ignore",
      },
    );
    const hash = execFileSync("/usr/libexec/opensmtpd/encrypt", [LOGIN.password], { encoding: "utf8" });
    writeFileSync("/etc/smtpd.logins", `${LOGIN.user} ${hash}`);
    appendFileSync(CONFIGURATION, SUBMISSION);
    // The command, as the package has it.
    for (const path of ["package.json", "bin/rollcall.js", "dist/cli/opensmtpd-table.mjs"]) {
      mkdirSync(dirname(`/usr/lib/rollcall/${path}`), { recursive: true });
      cpSync(join(ROOT, path), `/usr/lib/rollcall/${path}`);
    }
    writeFileSync("/usr/bin/rollcall", '#!/bin/sh\nexec node /usr/lib/rollcall/bin/rollcall.js "$@"\n');
    chmodSync("/usr/bin/rollcall", 0o755);
    cpSync(join(import.meta.dirname, "table-rollcall"), "/usr/libexec/opensmtpd/table-rollcall");
    chmodSync("/usr/libexec/opensmtpd/table-rollcall", 0o755);
  },
  paste(way) {
    // In place of Debian's, with the lines that were below.
    writeFileSync(CONFIGURATION, readFileSync(join(import.meta.dirname, way), "utf8") + SUBMISSION);
  },
  start() {
    const started = new Daemon(spawn("/usr/sbin/smtpd", ["-d"], { stdio: ["ignore", "pipe", "pipe"] }));
    daemon = started;
    return () => started.stop();
  },
  logs: () => daemon?.output ?? "",
  // Debian's smtpd takes mail for the host from the host alone.
  differences: { "mail from outside to a user of this host stays here": "refused" },
};
