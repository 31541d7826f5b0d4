/** Debian's Postfix, with the files of this folder. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { domainToUnicode } from "node:url";
import { Cleanup } from "../../test/mta/support/cleanup.ts";
import { folder } from "../../test/mta/support/command.ts";
import { startPostfix, WITHOUT_POSTFIX } from "../../test/mta/support/postfix.ts";
import {
  codesOfReply,
  type Difference,
  type Listeners,
  type LocalList,
  type MailServer,
  type Patience,
  type Rig,
  type Way,
} from "../rig.ts";

/** A table that says yes, no or later, to which Postfix gives its own replies. */
const tableCodes: Way["codes"] = ({ verdict, action }) => {
  if (action === "accept") return "250 2.1.5";
  return action === "defer" || verdict === "not-served" ? "451 4.3.0" : "550 5.1.1";
};

const SILENT_MAP: Patience = {
  faults: ["hung", "backlog"],
  seconds: 105,
  atLeast: 99,
  defersInSession: "always",
  because:
    "Postfix waits 100 s for a map that is silent, and does not ask it again in that session; socketmap_table(5) calls " +
    'this time "not (yet) configurable"',
};

const WAYS: readonly Way[] = [
  {
    name: "relay-recipient-maps",
    title: "recipient table",
    asks: "socketmap",
    file: "relay-recipient-maps.cf",
    codes: tableCodes,
    patience: [SILENT_MAP],
  },
  {
    name: "virtual-mailbox-maps",
    title: "virtual mailboxes",
    asks: "socketmap",
    file: "virtual-mailbox-maps.cf",
    codes: tableCodes,
    patience: [SILENT_MAP],
  },
  {
    name: "tcp-table",
    title: "tcp table",
    asks: "tcp",
    file: "tcp-table.cf",
    codes: tableCodes,
    patience: [
      {
        faults: ["stopped", "refusing"],
        seconds: 13,
        because: "Postfix makes ten attempts to connect to a tcp table, one a second",
      },
      {
        faults: ["hung", "backlog"],
        seconds: Number.POSITIVE_INFINITY,
        because:
          "Postfix connects again every 100 s for as long as the client waits; no setting changes that",
      },
    ],
  },
  {
    name: "access-map",
    title: "access map",
    asks: "socketmap",
    file: "access-map.cf",
    codes: codesOfReply,
    patience: [SILENT_MAP],
  },
  {
    name: "policy-service",
    title: "policy service",
    asks: "policy",
    file: "policy-service.cf",
    codes: codesOfReply,
    patience: [
      {
        faults: ["hung", "backlog"],
        seconds: 14,
        atLeast: 8,
        because: "two tries of smtpd_policy_service_timeout (4 s), and a second between them",
      },
    ],
  },
];

/** Ways that ask a table: all but the policy service. */
const TABLES = WAYS.map(({ name }) => name).filter((name) => name !== "policy-service");

const differences: readonly Difference[] = [
  {
    rows: ["foreign", "subdomain", "literal-elsewhere"],
    codes: "554 5.7.1",
    because: "`reject_unauth_destination` refuses what is not in the list of domains before the lookup",
  },
  {
    rows: ["literal"],
    codes: "550 5.1.1",
    because: "an address literal of the server is a local address, and it has no such user",
  },
  {
    rows: ["idn-u-nfd"],
    codes: "554 5.7.1",
    because: "Postfix compares the domain with its list as the client sent it, without normalising it",
  },
  {
    rows: ["case-sensitive"],
    ways: TABLES,
    codes: "550 5.1.1",
    because:
      'Postfix asks its tables in lower case: `case = "sensitive"` is only for a domain whose servers all use the policy service',
  },
  {
    rows: ["bare"],
    codes: "250 2.1.5",
    because: "a local part without a domain is a user of this server: Debian has one that is called nobody",
  },
];

type Asked = Pick<Listeners, "socketmap" | "policy" | "tcp">;

/** The addresses of the files, and what stands there in a test. */
const addressesOf = (listeners: Asked): [from: string, to: string][] => [
  ["127.0.0.1:10023", listeners.socketmap],
  ["127.0.0.1:10024", listeners.policy],
  ["127.0.0.1:10028", listeners.tcp],
];

/** A file's lines for `domains`: nothing else than addresses and domains is changed. */
function mainOf(file: string, listeners: Asked, domains: readonly string[]): string {
  let text = readFileSync(join(import.meta.dirname, file), "utf8");
  const names = new Set(domains.flatMap((domain) => [domain, domainToUnicode(domain)]));
  const list = /(^(?:relay_domains|virtual_mailbox_domains) =\n)(?: {4}\S+\n)+/m;
  const pairs = /(^rollcall_domains = inline:\{\n)(?: {4}\{ \S+ = rollcall \}(?: \})?\n)+/m;
  if (!list.test(text) && !pairs.test(text)) throw new Error(`${file} does not list its domains`);
  const linesOf = (line: (name: string) => string): string =>
    [...names].map((name) => `    ${line(name)}\n`).join("");
  text = text
    .replace(list, (_, head: string) => `${head}${linesOf((name) => name)}`)
    .replace(pairs, (_, head: string) => `${head}${linesOf((name) => `{ ${name} = rollcall }`)}    }\n`);
  for (const [from, to] of addressesOf(listeners)) text = text.replaceAll(from, to);
  // Nothing is delivered: no process listens on port 9.
  return text
    .replaceAll("[192.0.2.10]:25", "[127.0.0.1]:9")
    .replaceAll("lmtp:inet:127.0.0.1:24", "smtp:[127.0.0.1]:9");
}

/**
 * Clients of the rig never send the messages that they begin. After a hundred of these Postfix would wait a second before
 * each new one, for its queue to drain.
 */
const RIG = "in_flow_delay = 0\n";

async function start(name: string, main: string, cleanup: Cleanup): Promise<MailServer> {
  const server = await startPostfix({ name, main, rig: RIG }, cleanup);
  return {
    port: server.port,
    isRunning: () => !server.hasEnded,
    logs: () => server.log(),
    stop: () => cleanup.run(),
  };
}

const LMDB = "/usr/lib/postfix/postfix-lmdb.so";

/** The recipient table of our page, with Postfix's own table in place of the bridge's. */
const lmdb: LocalList = {
  name: "lmdb",
  title: "`relay_recipient_maps = lmdb:…`",
  ways: ["relay-recipient-maps", "tcp-table", "policy-service"],
  missing: existsSync(LMDB) ? null : "postfix-lmdb is not installed",
  start(domain, names) {
    const cleanup = new Cleanup();
    const home = folder(cleanup);
    const [list, etc] = [join(home, "recipients"), join(home, "etc")];
    writeFileSync(list, names.map((name) => `${name}@${domain} OK\n`).join(""));
    mkdirSync(etc);
    writeFileSync(join(etc, "main.cf"), "compatibility_level = 3.10\nmyhostname = mx.example.org\n");
    execFileSync("postmap", ["-c", etc, `lmdb:${list}`]);
    // For smtpd, which is another user.
    execFileSync("chmod", ["-R", "a+rX", home]);
    const socketmap = "127.0.0.1:10023";
    const main = mainOf("relay-recipient-maps.cf", { socketmap, policy: "", tcp: "" }, [domain]);
    return start(
      "lmdb.example.org",
      main.replace(`socketmap:inet:${socketmap}:recipients`, `lmdb:${list}`),
      cleanup,
    );
  },
};

export const postfix: Rig = {
  name: "postfix",
  version: () => `Postfix ${execFileSync("postconf", ["-dh", "mail_version"], { encoding: "utf8" }).trim()}`,
  ways: WAYS,
  differences,
  smtputf8: true,
  missing: WITHOUT_POSTFIX,
  start: (way, listeners, domains) =>
    start(`${way.name}.example.org`, mainOf(way.file, listeners, domains), new Cleanup()),
  localLists: [lmdb],
};
