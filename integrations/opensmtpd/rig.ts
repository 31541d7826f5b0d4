/** Debian's OpenSMTPD, unpacked in a folder, with the files of this folder. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Cleanup } from "../../test/mta/support/cleanup.ts";
import { folder, ROOT } from "../../test/mta/support/command.ts";
import { Daemon, mailServer } from "../../test/mta/support/daemon.ts";
import { freePort } from "../../testing/ports.ts";
import type { Difference, LocalList, MailServer, Rig, Way } from "../rig.ts";

/** Where .ci/run has unpacked opensmtpd and the libraries that it needs. */
const UNPACKED = process.env.ROLLCALL_UNPACKED ?? "";
const SMTPD = join(UNPACKED, "usr/sbin/smtpd");

const MISSING: string | null = !existsSync(SMTPD)
  ? "ROLLCALL_UNPACKED does not name a folder with OpenSMTPD"
  : process.getuid?.() === 0
    ? null
    : "namespaces need root";

/** The files of `rollcall opensmtpd-table`: smtpd's user may not be able to read this clone. */
const COMMAND = ["package.json", "bin/rollcall.js", "dist/cli/opensmtpd-table.mjs"];

/**
 * Starts smtpd, which has its paths compiled in: it sees its package and our two programs in /usr, its users, and empty
 * folders for its state. The machine's own folders are not changed.
 */
const START = `set -e
hostname mx.example.org
mount --bind "$NODE" node
mount -t overlay overlay -o lowerdir="$PWD/usr:$UNPACKED/usr:/usr" /usr
mount --bind node /usr/bin/node
mount --bind passwd /etc/passwd
mount --bind group /etc/group
for folder in /run /var/spool /var/lib; do mount -t tmpfs -o mode=0755 tmpfs $folder; done
mkdir -p /var/lib/opensmtpd/empty
export PATH=/usr/sbin:/usr/bin
exec smtpd -d -f "$PWD/smtpd.conf"
`;

/** smtpd.conf's table of recipients. */
const TABLE = "rollcall:/127.0.0.1:10023";

/**
 * smtpd.conf for these domains: nothing else than addresses, domains and the table is changed.
 * @param table in place of {@link TABLE}
 */
function configurationOf(table: string, domains: readonly string[], port: number, home: string): string {
  let text = readFileSync(join(import.meta.dirname, "smtpd.conf"), "utf8");
  const changes = [
    ["{ example.com }", `{ ${domains.join(", ")} }`],
    [TABLE, table],
    ["listen on 0.0.0.0\nlisten on ::\n", `listen on 127.0.0.1 port ${port}\n`],
    ["file:/etc/aliases", `file:${home}/aliases`],
    // Nothing is delivered: no process listens on port 9.
    ["smtp://192.0.2.10", "smtp://127.0.0.1:9"],
  ] as const;
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`smtpd.conf does not have ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

function prepare(home: string, configuration: string): void {
  const put = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
    chmodSync(join(home, path), mode);
  };
  const script = readFileSync(join(import.meta.dirname, "table-rollcall"), "utf8");
  put("usr/libexec/opensmtpd/table-rollcall", script, 0o755);
  for (const path of COMMAND) {
    put(`usr/lib/rollcall/${path}`, "");
    copyFileSync(join(ROOT, path), join(home, "usr/lib/rollcall", path));
  }
  put("usr/bin/rollcall", '#!/bin/sh\nexec node /usr/lib/rollcall/bin/rollcall.js "$@"\n', 0o755);
  // Mount points, for a Node that smtpd's user may not be able to reach.
  put("usr/bin/node", "");
  put("node", "");
  const users = ["opensmtpd", "opensmtpq"].map((name, i) => [name, 9997 + i] as const);
  const passwd = users.map(
    ([name, id]) => `${name}:x:${id}:${id}::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n`,
  );
  put("passwd", readFileSync("/etc/passwd", "utf8") + passwd.join(""));
  put("group", readFileSync("/etc/group", "utf8") + users.map(([name, id]) => `${name}:x:${id}:\n`).join(""));
  put("aliases", "");
  put("smtpd.conf", configuration);
}

/** @param tableIn makes the table of recipients in the server's folder, and returns its name in smtpd.conf */
async function startOpenSmtpd(
  tableIn: (home: string) => string,
  domains: readonly string[],
): Promise<MailServer> {
  const cleanup = new Cleanup();
  const port = await freePort();
  const home = folder(cleanup);
  chmodSync(home, 0o755);
  prepare(home, configurationOf(tableIn(home), domains, port, home));
  const daemon = new Daemon(
    spawn("unshare", ["--mount", "--uts", "sh", "-c", START], {
      cwd: home,
      env: { PATH: process.env.PATH ?? "", NODE: process.execPath, UNPACKED },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  return mailServer(daemon, port, cleanup);
}

const WAYS: readonly Way[] = [
  {
    name: "table",
    title: "table",
    asks: "socketmap",
    file: "smtpd.conf",
    // A table says yes, no or later, and smtpd gives its own replies: without enhanced codes, if it is not a yes.
    codes({ verdict, action }) {
      if (action === "accept") return "250 2.1.5";
      return action === "defer" || verdict === "not-served" ? "451" : "550";
    },
    patience: [
      {
        faults: ["backlog"],
        defersInSession: "once",
        because: "all sessions share one process and its connection, which is tried again every two seconds",
      },
      {
        faults: ["silent"],
        seconds: 18,
        because:
          "smtpd asks one question at a time, and all sessions wait for it: five recipients at once are up to five times 3 s. The bridge's circuit breaker ends this after five failures",
      },
    ],
  },
];

const differences: readonly Difference[] = [
  {
    rows: ["foreign", "subdomain", "literal", "literal-elsewhere"],
    codes: "550",
    because: "no `match` rule for strangers names the domain, and OpenSMTPD refuses what no rule matches",
  },
  {
    rows: ["postmaster-bare"],
    codes: "550",
    because:
      "OpenSMTPD completes a local part without a domain with its host name, which no `match` rule names",
  },
  {
    rows: ["case-sensitive"],
    codes: "550",
    because: 'OpenSMTPD asks in lower case: publish no domain with `case = "sensitive"` that it relays',
  },
  {
    rows: [
      "quoted",
      "quoted-at",
      "quoted-at-unknown",
      "quoted-case",
      "quoted-dots",
      "quoted-empty",
      "quoted-mark",
      "quoted-mark-unknown",
      "quoted-needlessly",
      "quoted-needlessly-unknown",
      "quoted-pair",
      "quoted-subaddress",
      "quoted-unknown",
      "pattern-quoted",
      "postmaster-quoted",
      "catch-all-empty",
      "catch-all-quoted",
      "observe-empty",
    ],
    codes: "501 5.1.3",
    because: "OpenSMTPD knows no quoted local parts, and has no setting for them",
  },
  {
    rows: ["dot-first", "dot-last", "dots-two", "dots-listed"],
    codes: "501 5.1.3",
    because: "OpenSMTPD checks the syntax before it asks",
  },
  {
    rows: ["trailing-dot", "trailing-dot-unknown"],
    codes: "501 5.1.3",
    because: "OpenSMTPD takes a domain with a dot at its end for a syntax error",
  },
];

/** table(5): a list in a file, which smtpd reads when it starts. */
const fileTable: LocalList = {
  name: "file",
  title: "`table recipients file:…`",
  ways: ["table"],
  missing: null,
  start: (domain, names) =>
    startOpenSmtpd(
      (home) => {
        const path = join(home, "recipients");
        writeFileSync(path, names.map((name) => `${name}@${domain}\n`).join(""));
        return `file:${path}`;
      },
      [domain],
    ),
};

export const opensmtpd: Rig = {
  name: "opensmtpd",
  version() {
    const { stderr } = spawnSync(SMTPD, ["-h"], { encoding: "utf8" });
    return `OpenSMTPD ${/version: OpenSMTPD (\S+?)(?:-portable)?\s/.exec(stderr)?.[1]}`;
  },
  ways: WAYS,
  differences,
  smtputf8: false,
  // Clients on 127.0.0.1 are the host itself.
  client: "127.0.0.3",
  missing: MISSING,
  start: (_way, { socketmap }, domains) => startOpenSmtpd(() => `rollcall:/${socketmap}`, domains),
  localLists: [fileTable],
};
