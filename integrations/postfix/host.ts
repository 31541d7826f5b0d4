/** Debian's Postfix as its package sets it up for an "Internet Site". */
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WITHOUT_POSTFIX } from "../../test/mta/support/postfix.ts";
import { type Host, LOGIN, NAME } from "../host.ts";

const run = (command: string, args: readonly string[], input = ""): string =>
  execFileSync(command, args, {
    encoding: "utf8",
    input,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });

const GREYLISTING = "relay-recipient-maps.cf, greylisting.cf";
const POSTSCREEN = "relay-recipient-maps.cf, postscreen.cf";

/** Debian's example of it in master.cf, without TLS, which has nothing to do with this. */
const SUBMISSION = "submission inet n - y - - smtpd\n";

/** Does what postscreen.master.cf says: its lines in place of the line of smtpd. */
function pasteMaster(): void {
  const path = "/etc/postfix/master.cf";
  const lines = readFileSync(join(import.meta.dirname, "postscreen.master.cf"), "utf8");
  writeFileSync(
    path,
    readFileSync(path, "utf8").replace(/^smtp +inet .* smtpd\n/m, () => lines),
  );
}

export const postfixHost: Host = {
  name: "postfix",
  ways: [
    "relay-recipient-maps.cf",
    "virtual-mailbox-maps.cf",
    "tcp-table.cf",
    "access-map.cf",
    "policy-service.cf",
    GREYLISTING,
    POSTSCREEN,
  ],
  missing: WITHOUT_POSTFIX,
  isUnpacked: false,
  hasUsers: true,
  configuration: ["/etc/postfix"],
  // postscreen has no login for clients that it does not know yet.
  submission: (way) => ({ port: way === POSTSCREEN ? 587 : 25, tls: false }),
  install() {
    const answers = {
      "main_mailer_type select": "Internet Site",
      "mailname string": NAME,
      "root_address string": LOGIN.user,
    };
    const lines = Object.entries(answers).map(
      ([question, answer]) => `postfix postfix/${question} ${answer}\n`,
    );
    run("debconf-set-selections", [], lines.join(""));
    run("rm", ["-f", "/etc/postfix/main.cf", "/etc/aliases"]);
    // Its postinst writes main.cf.
    run("dpkg-reconfigure", ["postfix"]);
    run("saslpasswd2", ["-c", "-p", "-u", NAME, LOGIN.user], LOGIN.password);
    run("mkdir", ["-p", "/var/spool/postfix/etc"]);
    run("install", ["-g", "postfix", "-m", "0640", "/etc/sasldb2", "/var/spool/postfix/etc/"]);
    writeFileSync("/etc/postfix/sasl/smtpd.conf", "pwcheck_method: auxprop\nmech_list: PLAIN\n");
    appendFileSync(
      "/etc/postfix/main.cf",
      `smtpd_sasl_auth_enable = yes\nsmtpd_sasl_local_domain = ${NAME}\nmaillog_file = /var/log/mail.log\n`,
    );
    appendFileSync("/etc/postfix/master.cf", SUBMISSION);
  },
  newAliases: () => void run("newaliases", []),
  paste(way) {
    for (const file of way.split(", ")) {
      appendFileSync("/etc/postfix/main.cf", `\n${readFileSync(join(import.meta.dirname, file), "utf8")}`);
    }
    if (way === POSTSCREEN) pasteMaster();
  },
  start() {
    run("postfix", ["start"]);
    return async () => void run("postfix", ["stop"]);
  },
  logs: () => (existsSync("/var/log/mail.log") ? readFileSync("/var/log/mail.log", "utf8") : ""),
  differences: {},
};
