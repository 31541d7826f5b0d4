/** Debian's Exim in its two schemes of configuration, with the files of this folder. */
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
import { constantDatabase } from "./cdb.ts";

const MISSING = whyNot("usr/sbin/exim4", "Debian-exim");

const fileOf = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");

/** Exim leaves the enhanced code out where it writes the reply itself. */
const codes: Way["codes"] = (answer) => (answer.action === "accept" ? "250" : codesOfReply(answer));

const WAYS: readonly Way[] = [
  { name: "acl", title: "ACL", asks: "line", file: "acl.macros", codes },
  {
    name: "router",
    title: "router",
    asks: "line",
    file: "router.macros",
    codes,
    patience: [
      {
        faults: ["silent"],
        seconds: 8,
        because:
          "Debian's ACL runs the routers twice for a recipient that they accept, and each run asks the bridge",
      },
    ],
  },
];

/** Where each way's files are pasted: one into the single file's macros, the other into the split files. */
const PASTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  acl: { "acl.macros": "etc/exim4/exim4.conf.localmacros", "rollcall.acl": "etc/exim4/rollcall.acl" },
  router: {
    "router.macros": "etc/exim4/conf.d/main/000_localmacros",
    "rollcall.router": "etc/exim4/conf.d/router/050_rollcall",
  },
};

const differences: readonly Difference[] = [
  {
    rows: ["foreign", "subdomain"],
    codes: "550",
    because: "Debian's ACL refuses what is not in `+relay_to_domains` before it asks: relay not permitted",
  },
  {
    rows: [
      ...["atext", "bang", "bang-unknown", "percent", "percent-unknown", "percent-foreign", "dot-first"],
      ...["quoted-at", "quoted-at-unknown"],
    ],
    codes: "550",
    because:
      "Debian's ACL refuses a dot first, `@ % ! & # ?` or a backquote before it asks: `CHECK_RCPT_REMOTE_LOCALPARTS`",
  },
  {
    rows: ["postmaster-off", "postmaster-disabled", "postmaster-unpublished"],
    codes: "250",
    because:
      "Debian's ACL accepts every postmaster before it asks (RFC 5321 §4.5.1): `CHECK_RCPT_POSTMASTER`",
  },
  {
    rows: ["literal", "literal-elsewhere"],
    codes: "501",
    because: "Exim takes no address literals unless `allow_domain_literals` is set",
  },
  {
    rows: ["trailing-dot", "trailing-dot-unknown"],
    codes: "501",
    because: "Exim does not take a dot after the domain",
  },
  {
    rows: ["bare"],
    codes: "501",
    because: "Exim takes no local part without a domain, except postmaster: `recipient_unqualified_hosts`",
  },
];

/** A server, and how its other programs see the same files. */
type Exim = MailServer & { readonly installed: Installed };

/** Starts Exim with the files of this folder. */
export const startExim = (way: Way, bridge: string, domains: readonly string[]): Promise<Exim> =>
  startWith(
    Object.entries(PASTED[way.name] ?? {}).map(([name, path]) => [
      path,
      name === way.file ? macros(name, bridge, domains) : fileOf(name),
    ]),
    way.name === "router",
    domains,
  );

/** Starts Exim as Debian installs it: a relay, configured with the answers to debconf's questions, and with these files. */
async function startWith(
  files: readonly (readonly [path: string, content: string | Uint8Array])[],
  isSplit: boolean,
  domains: readonly string[],
): Promise<Exim> {
  const cleanup = new Cleanup();
  const port = await freePort();
  const installed = new Installed(folder(cleanup), "Debian-exim", [
    "var/spool/exim4",
    "var/log/exim4",
    "var/lib/exim4",
  ]);
  installed.write("etc/mailname", "mx.example.org\n");
  installed.write("etc/exim4/update-exim4.conf.conf", debconf(isSplit, port, domains));
  // Nothing is delivered: no process listens on this address.
  installed.write("etc/exim4/hubbed_hosts", domains.map((domain) => `${domain}: 127.0.0.9\n`).join(""));
  for (const [path, content] of files) installed.write(path, content);
  installed.run("update-exim4.conf", []);
  const daemon = installed.start("exim4", ["-bdf"]);
  const logs = (): string =>
    ["mainlog", "paniclog"]
      .map((name) => join(installed.pathOf("var/log/exim4"), name))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, "utf8"))
      .join("");
  return { ...(await mailServer(daemon, port, cleanup, { logs })), installed };
}

/** Clients on 127.0.0.2 are of its own network, as are those on 127.0.0.1, which Debian adds. */
const debconf = (isSplit: boolean, port: number, domains: readonly string[]): string => `
dc_eximconfig_configtype='internet'
dc_other_hostnames='mx.example.org'
dc_local_interfaces='127.0.0.1.${port}'
dc_relay_domains='${domains.join(":")}'
dc_relay_nets='127.0.0.2'
dc_minimaldns='true'
dc_use_split_config='${isSplit}'
dc_localdelivery='mail_spool'
`;

/** A file's lines for these domains and this bridge, and more patience with bad syntax than a server should have. */
function macros(file: string, bridge: string, domains: readonly string[]): string {
  let text = fileOf(file);
  for (const [from, to] of [
    ["ROLLCALL_DOMAINS = example.com\n", `ROLLCALL_DOMAINS = ${domains.join(" : ")}\n`],
    ["ROLLCALL_BRIDGE = inet:127.0.0.1:10025\n", `ROLLCALL_BRIDGE = ${bridge}\n`],
  ] as const) {
    if (!text.includes(from)) throw new Error(`${file} does not have ${from}`);
    text = text.replace(from, to);
  }
  return `${text}smtp_max_synprot_errors = 1000\n`;
}

/** What Exim's specification gives for a large list: a constant database (chapter 9.3). */
const CDB = "/etc/exim4/recipients.cdb";

const LOCAL_ACL = `deny
  domains = bench.example
  !recipients = cdb;${CDB}
  message = 550 5.1.1 mailbox unknown
`;

const LOCAL_ROUTER = `local_list:
  driver = redirect
  domains = bench.example
  verify_only
  allow_fail
  data = \${lookup{$local_part@$domain}cdb{${CDB}}{}{:fail: 550 5.1.1 mailbox unknown}}
`;

/** In the same place as a way's own files: an ACL or a router that looks into the list. */
const localList = (way: string, title: string, path: string, text: string, macros: string): LocalList => ({
  name: `${way}-cdb`,
  title,
  ways: [way],
  missing: null,
  start: (domain, names) =>
    startWith(
      [
        [path, text.replace("bench.example", domain)],
        [
          way === "acl" ? "etc/exim4/exim4.conf.localmacros" : "etc/exim4/conf.d/main/000_localmacros",
          macros,
        ],
        [CDB.slice(1), constantDatabase(names.map((name) => `${name}@${domain}`))],
      ],
      way === "router",
      [domain],
    ),
});

const MANY_BAD = "CHECK_RCPT_NO_FAIL_TOO_MANY_BAD_RCPT = true\n";

const LOCAL_LISTS: readonly LocalList[] = [
  localList(
    "acl",
    "ACL, `recipients = cdb;…`",
    "etc/exim4/local.acl",
    LOCAL_ACL,
    `CHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/local.acl\n${MANY_BAD}`,
  ),
  localList(
    "router",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is Exim's.
    "router, `${lookup{…}cdb{…}}`",
    "etc/exim4/conf.d/router/050_local_list",
    LOCAL_ROUTER,
    MANY_BAD,
  ),
];

export const exim: Rig = {
  name: "exim",
  version() {
    const home = new Cleanup();
    const text = new Installed(folder(home), "Debian-exim", []).run("exim4", ["-bV"]);
    void home.run();
    return `Exim ${/^Exim version (\S+)/m.exec(text)?.[1]}`;
  },
  ways: WAYS,
  differences,
  smtputf8: false,
  client: "127.0.0.3",
  missing: MISSING,
  start: (way, { line }, domains) => startExim(way, `inet:${line}`, domains),
  localLists: LOCAL_LISTS,
};
