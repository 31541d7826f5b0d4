import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Source } from "../../src/publish/index.ts";
import { temporaryFolder } from "../support/folders.ts";
import {
  isInstalled,
  note,
  POSTGRES,
  type Server,
  startMariadb,
  startPostgres,
} from "./support/databases.ts";
import { hostOf, linesOf, openOne, refusal } from "./support/reading.ts";

const folder = temporaryFolder();
// PostgreSQL refuses to run as root.
chmodSync(folder, 0o755);

const open = (settings: Readonly<Record<string, unknown>>, more: Parameters<typeof hostOf>[1] = {}): Source =>
  openOne(settings, hostOf(folder, more));

const COUNT = 20_000;

const TABLE = `CREATE TABLE mailbox (id INT PRIMARY KEY, username VARCHAR(255), active INT);`;

interface Database {
  readonly name: string;
  readonly missing: string | null;
  /** The error that a connection which breaks is reported as. */
  readonly broken: RegExp;
  start(): Promise<Server>;
  /** Statements that fill the table with {@link COUNT} rows. */
  readonly fill: string;
  /** Where the statements are run. */
  readonly prefix: string;
  settings(port: number): Record<string, unknown>;
  readonly wrongTable: RegExp;
  readonly readOnly: RegExp;
}

const DATABASES: readonly Database[] = [
  {
    name: "PostgreSQL",
    missing: POSTGRES === null ? "postgresql is not installed" : null,
    start: () => startPostgres(join(folder, "pg")),
    prefix: "",
    fill: `INSERT INTO mailbox SELECT n, 'user' || n || '@example.com', n % 2 FROM generate_series(1, ${COUNT}) n;`,
    settings: (port) => ({
      kind: "postgresql",
      url: `postgresql://reader@localhost:${port}/postgres`,
      password_env: "DB_PASSWORD",
    }),
    broken: /terminat|ECONNRESET|closed/,
    wrongTable: /relation "mailboxes" does not exist/,
    readOnly: /syntax error|read-only/,
  },
  {
    name: "MariaDB",
    missing: isInstalled("mariadbd") ? null : "mariadb-server is not installed",
    start: () => startMariadb(join(folder, "my")),
    prefix: "USE mail; ",
    fill: `INSERT INTO mailbox SELECT seq, CONCAT('user', seq, '@example.com'), seq % 2 FROM seq_1_to_${COUNT};`,
    settings: (port) => ({
      kind: "mariadb",
      host: "localhost",
      port,
      user: "reader",
      database: "mail",
      password_env: "DB_PASSWORD",
    }),
    broken: /ECONNRESET|closed|lost/i,
    wrongTable: /Table 'mail\.mailboxes' doesn't exist/,
    readOnly: /denied|READ ONLY/i,
  },
];

for (const database of DATABASES) {
  describe.skipIf(database.missing !== null)(`${database.name} as a source${note(database.missing)}`, () => {
    let server: Server;
    const env = { PATH: process.env.PATH, DB_PASSWORD: "secret" };
    const source = (query: string, more: object = {}, host: Parameters<typeof hostOf>[1] = {}): Source =>
      open({ ...database.settings(server.port), query, ...more }, { env, ...host });

    beforeAll(async () => {
      server = await database.start();
      server.sql(`${database.prefix}${TABLE} ${database.fill}`);
    });
    afterAll(() => server?.stop());

    it("streams the rows of a query, with their states", async () => {
      const lines = await linesOf(
        source("SELECT username AS address, active AS state FROM mailbox ORDER BY id;", {
          states: { "1": "active", "0": "disabled" },
        }),
      );
      expect(lines).toHaveLength(COUNT);
      expect(lines.slice(0, 2)).toEqual(["1 user1@example.com active", "2 user2@example.com disabled"]);
      expect(lines.at(-1)).toBe(`${COUNT} user${COUNT}@example.com disabled`);
    });

    it("may have other columns, if they are named, and no rows", async () => {
      const named = { columns: { address: "USERNAME" } };
      expect(await linesOf(source("SELECT * FROM mailbox WHERE id = 7", named))).toEqual([
        "1 user7@example.com active",
      ]);
      expect(await linesOf(source("SELECT username AS address FROM mailbox WHERE id < 0"))).toEqual([]);
    });

    it("is refused if the columns are others, also without rows", async () => {
      for (const where of ["id = 1", "id < 0"]) {
        const unnamed = await refusal(() => linesOf(source(`SELECT username FROM mailbox WHERE ${where}`)));
        expect(unnamed).toMatchObject({
          fault: "input",
          message: "source hr: the query yields no column address",
          details: ["its columns: username"],
        });
        const extra = `SELECT username AS address, id FROM mailbox WHERE ${where}`;
        expect((await refusal(() => linesOf(source(extra)))).message).toBe(
          "source hr: the query yields a column id, whose meaning is unknown",
        );
      }
    });

    it("reports rows that are no mailboxes, and continues", async () => {
      const query =
        "SELECT NULL AS address, 1 AS state UNION ALL SELECT '', 1 UNION ALL SELECT 'a@x', 7 UNION ALL SELECT 'b@x', NULL";
      expect(await linesOf(source(query, { states: { "1": "active" } }))).toEqual([
        "1 ! the address is empty",
        "2 ! the address is empty",
        '3 ! unknown state "7": add it to `states` of the source',
        "4 b@x active",
      ]);
    });

    it("is refused if the query fails, also in the middle", async () => {
      expect((await refusal(() => linesOf(source("SELECT 1 AS address FROM mailboxes")))).message).toMatch(
        database.wrongTable,
      );
      const late =
        database.name === "PostgreSQL"
          ? `SELECT username AS address, (10 / (id - ${COUNT - 1}))::text AS state FROM mailbox`
          : `SELECT username AS address, (SELECT id FROM mailbox b WHERE b.id >= a.id AND a.id > ${COUNT - 2}) AS state FROM mailbox a`;
      let seen = 0;
      const error = await refusal(() =>
        source(late).read({ entry: () => seen++, fault: () => seen++ }, new AbortController().signal),
      );
      expect(error.message).toMatch(
        /^source hr was not read to its end: .*(division by zero|more than 1 row)/,
      );
      expect(seen).toBeGreaterThan(1000);
    });

    it("is refused with two statements, of which one would be left out", async () => {
      const one = "SELECT username AS address FROM mailbox WHERE id = 1";
      const error = await refusal(() => linesOf(source(`${one}; ${one.replace("= 1", "= 2")}`)));
      expect(error.message).toMatch(/multiple commands|syntax/);
      expect(await linesOf(source(`${one}; -- only this one`))).toHaveLength(1);
    });

    it("is refused if two columns have the name of one that is used", async () => {
      const query = "SELECT username AS address, active AS state, 1 AS STATE FROM mailbox WHERE id = 1";
      for (const more of [{}, { columns: { address: "address", state: "state" } }]) {
        const error = await refusal(() => linesOf(source(query, more)));
        expect(error.message).toBe("source hr: the query yields two columns state");
      }
    });

    it("reports an address that is not text", async () => {
      const bytes = database.name === "PostgreSQL" ? "'\\x61ff'::bytea" : "CAST(x'61ff' AS BINARY)";
      expect(await linesOf(source(`SELECT ${bytes} AS address`))).toEqual(["1 ! the address is not text"]);
    });

    it("cannot be written to by its query", async () => {
      const statement = "DELETE FROM mailbox";
      expect((await refusal(() => linesOf(source(statement)))).message).toMatch(database.readOnly);
      expect(await linesOf(source("SELECT username AS address FROM mailbox WHERE id = 1"))).toHaveLength(1);
    });

    it("is refused with a wrong password, or without one, and the message has no secret", async () => {
      for (const password of ["wrong-password", undefined]) {
        const settings = password === undefined ? { password_env: undefined } : {};
        const error = await refusal(() =>
          linesOf(source("SELECT 1 AS address", settings, { env: { ...env, DB_PASSWORD: password } })),
        );
        expect(error.message).toMatch(/^source hr was not read to its end: .*(password|denied)/i);
        expect(error.message).not.toContain("wrong-password");
      }
    });

    it("may be encrypted, with a certificate that is verified", async () => {
      const ca_file = join(folder, database.name === "PostgreSQL" ? "pg" : "my", "ca.pem");
      const query = "SELECT username AS address FROM mailbox WHERE id = 1";
      expect(await linesOf(source(query, { ca_file }))).toEqual(["1 user1@example.com active"]);
      const unknown = await refusal(() => linesOf(source(query, { tls: true })));
      expect(unknown.message).toMatch(/certificate|self.signed/i);
      const byAddress =
        database.name === "PostgreSQL"
          ? { url: `postgresql://reader@127.0.0.1:${server.port}/postgres` }
          : { host: "127.0.0.1" };
      expect((await refusal(() => linesOf(source(query, { ca_file, ...byAddress })))).message).toMatch(
        /127\.0\.0\.1/,
      );
      expect((await refusal(() => linesOf(source(query, { ca_file: "none.pem" })))).message).toBe(
        "source hr: none.pem (ca_file) cannot be read: ENOENT",
      );
    });

    if (database.name === "PostgreSQL")
      it("is refused if row-level security hides rows", async () => {
        server.sql(`CREATE TABLE hidden (address TEXT); INSERT INTO hidden VALUES ('a@x'), ('b@x');
        ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE POLICY one ON hidden USING (address = 'a@x');`);
        const query = "SELECT address FROM hidden";
        expect((await refusal(() => linesOf(source(query)))).message).toMatch(/row-level security/);
        server.sql("ALTER ROLE reader BYPASSRLS");
        expect(await linesOf(source(query))).toHaveLength(2);
      });

    if (database.name === "MariaDB")
      it("reads all rows, whatever limit the server sets", async () => {
        server.sql("SET GLOBAL sql_select_limit = 7;");
        try {
          expect(await linesOf(source("SELECT username AS address FROM mailbox"))).toHaveLength(COUNT);
        } finally {
          server.sql("SET GLOBAL sql_select_limit = DEFAULT;");
        }
      });

    if (database.name === "MariaDB")
      it("is refused if the server cuts the result or a value", async () => {
        const cut = "SELECT username AS address FROM mailbox LIMIT ROWS EXAMINED 100";
        expect((await refusal(() => linesOf(source(cut)))).message).toMatch(
          /^source hr: the server truncated .*LIMIT ROWS EXAMINED/,
        );
        const long = `SELECT GROUP_CONCAT(username SEPARATOR '') AS address FROM mailbox`;
        server.sql("SET GLOBAL group_concat_max_len = 100;");
        try {
          expect((await refusal(() => linesOf(source(long)))).message).toMatch(
            /^source hr: the server truncated .*group_concat/i,
          );
        } finally {
          server.sql("SET GLOBAL group_concat_max_len = DEFAULT;");
        }
      });

    it("is refused after its timeout, and stops when it is aborted", async () => {
      const sleep = database.name === "PostgreSQL" ? "pg_sleep(600)::text" : "SLEEP(600)";
      const slow = `SELECT username AS address, ${sleep} AS state FROM mailbox`;
      // The time is over at once; in the other case never.
      const late = await refusal(() =>
        linesOf(source(slow, { timeout: 5 }, { sleep: () => Promise.resolve() })),
      );
      expect(late.message).toBe("source hr was not read within 5 s (timeout); nothing of it was used");
      const abort = new AbortController();
      const reading = linesOf(source(slow), abort.signal);
      abort.abort(new Error("stopped"));
      await expect(reading).rejects.toThrow("stopped");
    });

    it("is refused if the server dies half-way, or is not there", async () => {
      let seen = 0;
      const query = `SELECT a.username AS address FROM mailbox a CROSS JOIN mailbox b`;
      const error = await refusal(() =>
        source(query).read(
          {
            entry() {
              if (++seen === 6000) void server.kill();
            },
            fault: () => undefined,
          },
          new AbortController().signal,
        ),
      );
      expect(seen).toBeGreaterThanOrEqual(6000);
      expect(error.message).toMatch(/^source hr was not read to its end: /);
      expect(error.message).toMatch(database.broken);
      const gone = await refusal(() => linesOf(source(query)));
      expect(gone.message).toMatch(/ECONNREFUSED/);
    });
  });
}

const WITHOUT_SQLITE = isInstalled("sqlite3") ? null : "sqlite3 is not installed";

describe.skipIf(WITHOUT_SQLITE !== null)(`SQLite as a source${note(WITHOUT_SQLITE)}`, () => {
  const source = (query: string, more: object = {}): Source =>
    open({ kind: "sqlite", path: "mail.db", query, ...more });

  beforeAll(() => {
    const rows = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${COUNT})`;
    execFileSync("sqlite3", [join(folder, "mail.db")], {
      input: `${TABLE} ${rows} INSERT INTO mailbox SELECT i, 'user' || i || '@example.com', i % 2 FROM n;
INSERT INTO mailbox VALUES (-1, 'quo"te' || char(10) || '@example.com', NULL);`,
    });
  });

  it("streams the rows of a query, with their states", async () => {
    const lines = await linesOf(
      source("SELECT username AS address, active AS state FROM mailbox WHERE id > 0 ORDER BY id", {
        states: { "1": "active", "0": "disabled" },
      }),
    );
    expect(lines).toHaveLength(COUNT);
    expect(lines.slice(0, 2)).toEqual(["1 user1@example.com active", "2 user2@example.com disabled"]);
    expect(await linesOf(source("SELECT username AS address FROM mailbox WHERE id < 0"))).toEqual([
      '1 quo"te\n@example.com active',
    ]);
    expect(await linesOf(source("SELECT username AS address FROM mailbox WHERE id = 0"))).toEqual([]);
  });

  it("is refused with two results or two columns of one name, and reports a row that is not text", async () => {
    const one = "SELECT username AS address FROM mailbox WHERE id = 1";
    expect((await refusal(() => linesOf(source(`${one}; ${one}`)))).message).toBe(
      "source hr: the query has more than one statement",
    );
    expect(await linesOf(source(`${one}; SELECT 'full' AS state, 'b@x' AS address`))).toEqual([
      "1 user1@example.com active",
      "2 ! 2 values, but the query has 1 column",
      "3 ! 2 values, but the query has 1 column",
    ]);
    const twice = `SELECT 'a@x' AS address, 'full' AS state, 'active' AS state`;
    expect((await refusal(() => linesOf(source(twice)))).message).toBe(
      "source hr: the query yields two columns state",
    );
    expect(await linesOf(source("SELECT CAST(x'61ff407870' AS TEXT) AS address"))).toEqual([
      expect.stringMatching(/^1 ! not UTF-8/),
    ]);
    expect(
      await linesOf(source(`SELECT 'a,"b"@x' AS address, NULL AS state UNION ALL SELECT NULL, 1`)),
    ).toEqual(['1 a,"b"@x active', "2 ! the address is empty"]);
  });

  it("is refused if the query, the file or its columns are wrong, and is never written to", async () => {
    const message = async (query: string, more = {}) =>
      (await refusal(() => linesOf(source(query, more)))).message;
    expect(await message("SELECT nothing")).toContain("sqlite3 ended with exit code 1");
    expect(await message("SELECT id FROM mailbox LIMIT 1")).toContain("yields no column address");
    expect(await message("DELETE FROM mailbox")).toContain("sqlite3 ended with exit code");
    expect(await message("SELECT 1 AS address", { path: "none.db" })).toBe("source hr: there is no none.db");
    writeFileSync(join(folder, "bad.db"), "no database".repeat(100));
    expect(await message("SELECT * FROM mailbox", { path: "bad.db" })).toContain(
      "sqlite3 ended with exit code",
    );
    expect(await linesOf(source("SELECT username AS address FROM mailbox WHERE id = 1"))).toHaveLength(1);
  });
});

it("a URL with a password is refused before anything is connected", async () => {
  const source = open({
    kind: "postgresql",
    url: "postgresql://reader:secret@localhost/mail",
    query: "SELECT 1 AS address",
  });
  const error = await refusal(() => linesOf(source));
  expect(error.message).toBe("source hr: the url contains a password");
  expect(`${error.message}${error.hint}`).not.toContain("secret");
});
