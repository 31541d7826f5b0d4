/** Sources of the same list, each filled and running, with the client that dumps it. */
import { execFileSync } from "node:child_process";
import { chmodSync, createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { POSTGRES, startMariadb, startPostgres } from "../../test/publish/support/databases.ts";
import { freePort } from "../../testing/ports.ts";
import { LDAP_BASE, serveSlapd } from "./directory-servers.ts";
import { DOMAIN, KNOWN, writeList } from "./lists.ts";
import { type Folder, temporaryFolder } from "./processes.ts";

/** A source that is ready to be read. */
export interface ServedSource extends AsyncDisposable {
  /** What it is, with the version of the server. */
  readonly what: string;
  /** Its table in rollcall.toml. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The client's own way to print the same rows: a command of the shell. */
  readonly dump: { readonly what: string; readonly command: string };
}

/** Secrets of the sources, for the environment of who reads them. */
export const SOURCE_ENV = { DB_PASSWORD: "secret", PGPASSWORD: "secret", MYSQL_PWD: "secret" };

export interface SourceKindOfBench {
  readonly id: string;
  /** Whether a server's own client is the peer, so that there is a bar. */
  readonly isBarred: boolean;
  readonly share: number;
  serve(rows: number): Promise<ServedSource>;
}

const versionIn = (text: string): string => /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0] ?? "?";
const versionOf = (command: string, ...args: string[]): string =>
  versionIn(execFileSync(command, args, { encoding: "utf8" }));

/** Numbers from 0 as addresses, in the SQL of PostgreSQL, MariaDB and SQLite. */
const concat = (number: string): string => `'${KNOWN}' || ${number} || '@${DOMAIN}'`;
const QUERY = "SELECT username AS address FROM mailbox";
const TABLE = "CREATE TABLE mailbox (id INT PRIMARY KEY, username VARCHAR(255));";

async function postgresql(rows: number): Promise<ServedSource> {
  const folder = temporaryFolder();
  // PostgreSQL runs as another user.
  chmodSync(folder.path, 0o755);
  const server = await startPostgres(join(folder.path, "pg"));
  server.sql(
    `${TABLE} INSERT INTO mailbox SELECT n, ${concat("n")} FROM generate_series(0, ${rows - 1}) n; ANALYZE;`,
  );
  const at = `-h 127.0.0.1 -p ${server.port} -U reader -d postgres`;
  return {
    what: `PostgreSQL ${versionOf(join(POSTGRES as string, "postgres"), "--version")}`,
    settings: {
      kind: "postgresql",
      url: `postgresql://reader@127.0.0.1:${server.port}/postgres`,
      password_env: "DB_PASSWORD",
      query: QUERY,
    },
    dump: {
      what: "psql COPY",
      command: `PGSSLMODE=disable psql ${at} -c "COPY (SELECT username FROM mailbox) TO STDOUT"`,
    },
    [Symbol.asyncDispose]: () => stopped(folder, () => server.stop()),
  };
}

async function mariadb(rows: number): Promise<ServedSource> {
  const folder = temporaryFolder();
  const server = await startMariadb(join(folder.path, "my"));
  server.sql(
    `USE mail; ${TABLE} INSERT INTO mailbox SELECT seq, CONCAT('${KNOWN}', seq, '@${DOMAIN}') FROM seq_0_to_${rows - 1};`,
  );
  const at = `--no-defaults --skip-ssl -h 127.0.0.1 -P ${server.port} -u reader`;
  return {
    what: `MariaDB ${versionIn(execFileSync("mariadbd", ["--version"], { encoding: "utf8" }).replace(/.*Ver /, ""))}`,
    settings: {
      kind: "mariadb",
      host: "127.0.0.1",
      port: server.port,
      user: "reader",
      database: "mail",
      password_env: "DB_PASSWORD",
      query: QUERY,
    },
    dump: {
      what: "mariadb --quick",
      command: `mariadb ${at} --quick --batch --skip-column-names -e "SELECT username FROM mailbox" mail`,
    },
    [Symbol.asyncDispose]: () => stopped(folder, () => server.stop()),
  };
}

async function sqlite(rows: number): Promise<ServedSource> {
  const folder = temporaryFolder();
  const path = join(folder.path, "mail.db");
  execFileSync("sqlite3", [path], {
    input: `${TABLE} WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows - 1})
      INSERT INTO mailbox SELECT i, ${concat("i")} FROM n;`,
  });
  return {
    what: `SQLite ${versionOf("sqlite3", "--version")}`,
    settings: { kind: "sqlite", path, query: QUERY },
    dump: { what: "sqlite3", command: `sqlite3 ${path} "SELECT username FROM mailbox"` },
    [Symbol.asyncDispose]: () => stopped(folder),
  };
}

async function ldap(rows: number): Promise<ServedSource> {
  const port = await freePort();
  const server = await serveSlapd(rows, port);
  const url = `ldap://127.0.0.1:${port}`;
  const filter = "(objectClass=inetOrgPerson)";
  const version = execFileSync("sh", ["-c", "slapd -VV 2>&1; true"], { encoding: "utf8" });
  return {
    what: `OpenLDAP ${versionIn(version)}`,
    settings: { kind: "ldap", url, base: LDAP_BASE, filter },
    dump: {
      what: "ldapsearch -E pr",
      command: `ldapsearch -x -LLL -o ldif-wrap=no -H ${url} -b ${LDAP_BASE} -E pr=500/noprompt "${filter}" mail`,
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A file, and a program that prints it. */
async function file(
  rows: number,
  name: string,
  settingsOf: (path: string) => ServedSource["settings"],
  dump: string,
): Promise<ServedSource> {
  const folder = temporaryFolder();
  const path = join(folder.path, name);
  const plain = join(folder.path, "plain");
  if (name.endsWith(".gz")) {
    writeList(plain, rows);
    await pipeline(createReadStream(plain), createGzip(), createWriteStream(path));
  } else if (name.endsWith(".csv")) writeList(path, rows, DOMAIN, ",active", "address,state\n");
  else writeList(path, rows);
  return {
    what: name,
    settings: settingsOf(path),
    dump: { what: dump, command: `${dump} ${path}` },
    [Symbol.asyncDispose]: () => stopped(folder),
  };
}

async function stopped(folder: Folder, stop?: () => Promise<void>): Promise<void> {
  await stop?.();
  folder[Symbol.dispose]();
}

const ofFile = (path: string) => ({ kind: "file", path });
const ofProgram = (path: string) => ({ kind: "command", command: ["cat", path] });

/** All of them. `share`: of the rows of the others, since a directory takes long to fill. */
export const SOURCES: readonly SourceKindOfBench[] = [
  { id: "postgresql", isBarred: true, share: 1, serve: postgresql },
  { id: "mariadb", isBarred: true, share: 1, serve: mariadb },
  { id: "sqlite", isBarred: true, share: 1, serve: sqlite },
  { id: "ldap", isBarred: true, share: 0.2, serve: ldap },
  { id: "text", isBarred: false, share: 1, serve: (rows) => file(rows, "text", ofFile, "cat") },
  { id: "csv", isBarred: false, share: 1, serve: (rows) => file(rows, "list.csv", ofFile, "cat") },
  { id: "gzip", isBarred: false, share: 1, serve: (rows) => file(rows, "list.txt.gz", ofFile, "zcat") },
  { id: "command", isBarred: false, share: 1, serve: (rows) => file(rows, "list.txt", ofProgram, "cat") },
];
