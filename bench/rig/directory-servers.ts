/** The servers that Postfix asks for recipients today: MariaDB, OpenLDAP and an SMTP backend, each with the same list. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cleanup } from "../../test/mta/support/cleanup.ts";
import { startSink } from "../../test/mta/support/sink.ts";
import { DOMAIN, isKnown, KNOWN, writeList } from "./lists.ts";
import { type Started, start, temporaryFolder } from "./processes.ts";

/** A server that a Postfix table asks. */
export interface TableServer extends Started {
  /** For `relay_recipient_maps`: `mysql:/path/recipients.cf`. */
  readonly table: string;
}

/** A MariaDB of its own on a unix socket, with a table whose primary key is the address. */
export async function serveMariadb(mailboxes: number): Promise<TableServer> {
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  const [data, socket] = [join(folder.path, "data"), join(folder.path, "socket")];
  const quiet = { stdio: "ignore" } as const;
  execFileSync(
    "mariadb-install-db",
    ["--no-defaults", `--datadir=${data}`, "--user=root", "--auth-root-authentication-method=normal"],
    quiet,
  );
  const options = ["--no-defaults", `--datadir=${data}`, `--socket=${socket}`, "--skip-networking"];
  const server = await start("mariadbd", [...options, "--user=root"], {
    folder,
    isReady: () => existsSync(socket),
  });
  const list = join(folder.path, "list");
  writeList(list, mailboxes, DOMAIN);
  const sql = `CREATE DATABASE mail; USE mail;
    CREATE TABLE mailboxes (address VARCHAR(320) CHARACTER SET ascii COLLATE ascii_general_ci PRIMARY KEY);
    LOAD DATA LOCAL INFILE '${list}' INTO TABLE mailboxes (address);
    CREATE USER postfix@localhost IDENTIFIED BY 'secret'; GRANT SELECT ON mail.* TO postfix@localhost;`;
  execFileSync("mariadb", ["--no-defaults", "--local-infile=1", `--socket=${socket}`, "-uroot"], {
    input: sql,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const file = join(folder.path, "recipients.cf");
  writeFileSync(
    file,
    `hosts = unix:${socket}
user = postfix
password = secret
dbname = mail
query = SELECT 'OK' FROM mailboxes WHERE address = '%s'
domain = ${DOMAIN}
`,
  );
  return { ...server, table: `mysql:${file}` };
}

/** Where the entries of {@link serveSlapd} start. */
export const LDAP_BASE = "dc=bench,dc=example";

/** An slapd of its own on a loopback port, with the addresses indexed as Postfix's LDAP_README advises. */
export async function serveSlapd(mailboxes: number, port: number): Promise<TableServer> {
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  mkdirSync(join(folder.path, "data"));
  const configuration = join(folder.path, "slapd.conf");
  writeFileSync(
    configuration,
    `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile ${folder.path}/pid
sizelimit unlimited
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 4294967296
suffix "${LDAP_BASE}"
directory ${folder.path}/data
index objectClass eq
index mail eq
`,
  );
  const entries = join(folder.path, "entries.ldif");
  writeFileSync(entries, ldifOf(LDAP_BASE, mailboxes));
  execFileSync("slapadd", ["-q", "-f", configuration, "-l", entries], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const url = `ldap://127.0.0.1:${port}`;
  const server = await start("slapd", ["-f", configuration, "-h", url, "-d", "0"], {
    folder,
    isReady: () => existsSync(join(folder.path, "pid")),
  });
  const file = join(folder.path, "recipients.cf");
  writeFileSync(
    file,
    `server_host = ${url}
search_base = ${LDAP_BASE}
version = 3
bind = no
query_filter = (mail=%s)
result_attribute = mail
domain = ${DOMAIN}
`,
  );
  return { ...server, table: `ldap:${file}` };
}

function ldifOf(base: string, mailboxes: number): string {
  const people = Array.from({ length: mailboxes }, (_, i) => {
    const name = `${KNOWN}${i}`;
    return `dn: uid=${name},${base}
objectClass: inetOrgPerson
uid: ${name}
cn: ${name}
sn: ${name}
mail: ${name}@${DOMAIN}
`;
  });
  return `dn: ${base}
objectClass: dcObject
objectClass: organization
dc: bench
o: bench

${people.join("\n")}`;
}

/** An SMTP server that knows the mailboxes, for `reject_unverified_recipient`. */
export async function serveBackend(): Promise<AsyncDisposable & { readonly port: number }> {
  const cleanup = new Cleanup();
  const { port } = await startSink(cleanup, isKnown);
  return { port, [Symbol.asyncDispose]: () => cleanup.run() };
}
