/** Debian's Sendmail, with the lines of this folder in Debian's own sendmail.mc. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Cleanup } from "../../test/mta/support/cleanup.ts";
import { folder } from "../../test/mta/support/command.ts";
import { mailServer } from "../../test/mta/support/daemon.ts";
import { Installed, whyNot } from "../../test/mta/support/installed.ts";
import { freePort } from "../../testing/ports.ts";
import {
  codesOfReply,
  type Difference,
  type LocalList,
  type MailServer,
  type Rig,
  type Way,
} from "../rig.ts";

const SENDMAIL = "/usr/libexec/sendmail/sendmail";
const TEMPLATE = "/usr/share/sendmail/cf/debian/sendmail.mc";

const WAY: Way = {
  name: "socketmap",
  title: "socketmap",
  asks: "socketmap",
  file: "rollcall.m4",
  codes: codesOfReply,
  patience: [
    {
      faults: ["stopped", "refusing"],
      defersInSession: "always",
      because: "Sendmail does not open a map again that it could not open, in the same session",
    },
    {
      faults: ["restarted"],
      defersInSession: "once",
      because: "Sendmail keeps one connection a session, and learns with the next lookup that it was closed",
    },
    {
      faults: ["backlog"],
      seconds: 150,
      defersInSession: "always",
      because:
        "Sendmail has no time limit for a connection that hangs: the kernel gives up after two minutes",
    },
  ],
};

const differences: readonly Difference[] = [
  {
    rows: ["bare"],
    codes: "250 2.1.5",
    because: "a local part without a domain is a user of this server: Debian has one that is called nobody",
  },
  {
    rows: ["literal"],
    codes: "550 5.1.1",
    because: "an address literal of the server is a local address, and it has no such user",
  },
  {
    rows: ["observe-empty"],
    codes: "550 5.7.1",
    because: "Sendmail relays to no empty local part",
  },
];

/**
 * Installs Sendmail as Debian does, with the include line that the page adds to sendmail.mc.
 * @param home an empty folder
 */
export const installSendmail = (
  home: string,
  bridge: string,
  domains: readonly string[],
  port: number,
): Installed => install(home, { m4: lines(bridge, domains), access: "" }, port);

/** What is not Debian's own: lines for sendmail.mc, and for the access map. */
interface Configuration {
  readonly m4: string;
  readonly access: string;
}

function install(home: string, { m4, access }: Configuration, port: number): Installed {
  const installed = new Installed(home, "smmta", ["var/spool/mqueue", "var/lib/sendmail", "var/log"]);
  installed.write("etc/mail/rollcall.m4", m4);
  // Files that the package makes when it is installed.
  for (const name of [
    "m4/dialup.m4",
    "m4/provider.m4",
    "local-host-names",
    "relay-domains",
    "trusted-users",
  ]) {
    installed.write(`etc/mail/${name}`, "");
  }
  installed.write("etc/mail/sendmail.mc", macros(installed.run("cat", [TEMPLATE]), port));
  installed.write("etc/mail/sendmail.cf", installed.run("m4", ["/etc/mail/sendmail.mc"]));
  // Clients on loopback need not wait before they speak.
  makeMap(installed, home, "access", `GreetPause:127\t0\n${access}`);
  // Sendmail waits until there is an @, the mark of a complete file.
  makeMap(installed, home, "aliases", "postmaster\troot\n@\t@\n");
  return installed;
}

function makeMap(installed: Installed, home: string, name: string, text: string): void {
  installed.write(`etc/mail/${name}`, text);
  installed.run("/usr/libexec/sendmail/makemap", ["-s", "hash", join(home, "etc/mail", name)], text);
}

/** A server, and how its other programs see the same files. */
type Sendmail = MailServer & { readonly installed: Installed };

/** Starts Sendmail, installed like this. */
export const startSendmail = (bridge: string, domains: readonly string[]): Promise<Sendmail> =>
  startWith({ m4: lines(bridge, domains), access: "" });

async function startWith(configuration: Configuration): Promise<Sendmail> {
  const cleanup = new Cleanup();
  const port = await freePort();
  const installed = install(folder(cleanup), configuration, port);
  const options = {
    PidFile: "/var/log/pid",
    ControlSocketName: "",
    BadRcptThrottle: "0",
    // On a busy machine it would refuse connections.
    RefuseLA: "1000",
    QueueLA: "1000",
  };
  const daemon = installed.start(SENDMAIL, [
    ...["-bD", "-X", "/var/log/smtp"],
    ...Object.entries(options).flatMap(([name, value]) => ["-O", `${name}=${value}`]),
  ]);
  const log = join(installed.pathOf("var/log"), "smtp");
  const logs = (): string => (existsSync(log) ? readFileSync(log, "utf8") : "");
  return { ...(await mailServer(daemon, port, cleanup, { logs })), installed };
}

/** Debian's sendmail.mc with our line, on a port of ours, and for clients whose domains no DNS knows. */
function macros(template: string, port: number): string {
  const own = "FEATURE(`accept_unresolvable_domains')dnl\ninclude(`/etc/mail/rollcall.m4')dnl\n";
  return replaceAll(template, [
    ["MAILER_DEFINITIONS\n", `${own}MAILER_DEFINITIONS\n`],
    ["Name=MTA-v4, Port=smtp", `Name=MTA-v4, Port=${port}`],
    ["\nDAEMON_OPTIONS(`Family=inet,  Name=MSP-v4", "\ndnl DAEMON_OPTIONS(`Family=inet,  Name=MSP-v4"],
  ]);
}

function lines(bridge: string, domains: readonly string[]): string {
  return replaceAll(readFileSync(join(import.meta.dirname, WAY.file), "utf8"), [
    ["`example.com'", `\`${domains.join(" ")}'`],
    ["`inet:10023@127.0.0.1'", `\`${bridge}'`],
  ]);
}

/** Sendmail's words for an address. @param address `127.0.0.1:PORT` */
const bridgeAt = (address: string): string => address.replace(/^(.*):(\d+)$/, "inet:$2@$1");

function replaceAll(text: string, changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`there is no ${from}`);
    return before.replace(from, to);
  }, text);
}

/** The access map that Debian's sendmail.mc has already: every recipient of the domain is refused, except the mailboxes. */
const accessMap: LocalList = {
  name: "access-map",
  title: "`access_db` with `blocklist_recipients`, hash",
  ways: [WAY.name],
  missing: null,
  start: (domain, names) =>
    startWith({
      m4: [
        "FEATURE(`relay_hosts_only')dnl",
        "FEATURE(`blocklist_recipients')dnl",
        `RELAY_DOMAIN(\`${domain}')dnl\n`,
      ].join("\n"),
      access: [
        ...names.map((name) => `To:${name}@${domain}\tRELAY\n`),
        `To:${domain}\tERROR:5.1.1:550 mailbox unknown\n`,
      ].join(""),
    }),
};

export const sendmail: Rig = {
  name: "sendmail",
  version() {
    const home = new Cleanup();
    const text = new Installed(folder(home), "smmta", []).run(SENDMAIL, ["-d0.1", "-bt", "-C", "/dev/null"]);
    void home.run();
    return `Sendmail ${/^Version (\S+)/m.exec(text)?.[1]}`;
  },
  ways: [WAY],
  differences,
  smtputf8: false,
  client: "127.0.0.3",
  missing: whyNot("usr/libexec/sendmail/sendmail", "smmta"),
  start: (_, { socketmap }, domains) => startSendmail(bridgeAt(socketmap), domains),
  localLists: [accessMap],
};
