import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { memorySource, readList, SOURCE_SETTINGS, type Source } from "../../src/publish/index.ts";
import { PRESETS } from "../../src/publish/sources/presets.ts";
import { policyWith } from "../directory/helpers.ts";
import { temporaryFolder } from "../support/folders.ts";
import { keyOf } from "../support/memory-edge.ts";
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
const env = { PATH: process.env.PATH, DB_PASSWORD: "secret" };

const open = (settings: Readonly<Record<string, unknown>>): Source =>
  openOne(settings, hostOf(folder, { env }));

/** Without line numbers. */
const read = async (source: Source): Promise<string[]> =>
  (await linesOf(source)).map((line) => line.replace(/^\d+ /, "")).sort();

/** Tables as each product makes them: the columns that matter here, with their types. */
interface Product {
  readonly preset: string;
  readonly ddl: { readonly mariadb: string; readonly postgresql?: string };
  readonly rows: string;
  readonly expected: readonly string[];
}

const PRODUCTS: readonly Product[] = [
  {
    preset: "postfixadmin",
    ddl: {
      mariadb: `CREATE TABLE mailbox (username VARCHAR(255) PRIMARY KEY, domain VARCHAR(255), active TINYINT(1) NOT NULL DEFAULT 1);
        CREATE TABLE alias (address VARCHAR(255) PRIMARY KEY, goto TEXT NOT NULL, domain VARCHAR(255), active TINYINT(1) NOT NULL DEFAULT 1);`,
      postgresql: `CREATE TABLE mailbox (username VARCHAR(255) PRIMARY KEY, domain VARCHAR(255), active BOOLEAN NOT NULL DEFAULT TRUE);
        CREATE TABLE alias (address VARCHAR(255) PRIMARY KEY, goto TEXT NOT NULL, domain VARCHAR(255), active BOOLEAN NOT NULL DEFAULT TRUE);`,
    },
    rows: `INSERT INTO mailbox (username, domain, active) VALUES ('ann@example.com', 'example.com', TRUE), ('off@example.com', 'example.com', FALSE), ('x@other.example', 'other.example', TRUE);
      INSERT INTO alias (address, goto, domain, active) VALUES ('ann@example.com', 'ann@example.com', 'example.com', TRUE), ('off@example.com', 'off@example.com', 'example.com', FALSE),
        ('info@example.com', 'ann@example.com', 'example.com', TRUE), ('old@example.com', 'ann@example.com', 'example.com', FALSE), ('@other.example', 'x@other.example', 'other.example', TRUE);`,
    expected: [
      "ann@example.com active",
      "info@example.com active",
      "off@example.com disabled",
      "old@example.com disabled",
    ],
  },
  {
    preset: "mailcow",
    ddl: {
      mariadb: `CREATE TABLE mailbox (username VARCHAR(255) PRIMARY KEY, kind VARCHAR(100) NOT NULL DEFAULT '', active TINYINT(1) NOT NULL DEFAULT 1);
        CREATE TABLE alias (id INT AUTO_INCREMENT PRIMARY KEY, address VARCHAR(255) NOT NULL UNIQUE, goto TEXT NOT NULL, domain VARCHAR(255) NOT NULL, active TINYINT(1) NOT NULL DEFAULT 1);
        CREATE TABLE spamalias (address VARCHAR(255) PRIMARY KEY, goto TEXT NOT NULL, validity INT(11));`,
    },
    rows: `INSERT INTO mailbox (username, kind, active) VALUES ('ann@example.com', '', 1), ('nologin@example.com', '', 2), ('off@example.com', '', 0), ('room@example.com', 'location', 1);
      INSERT INTO alias (address, goto, domain, active) VALUES ('ann@example.com', 'ann@example.com', 'example.com', 1), ('off@example.com', 'off@example.com', 'example.com', 0), ('info@example.com', 'ann@example.com', 'example.com', 1), ('@other.example', 'ann@example.com', 'other.example', 1);
      INSERT INTO spamalias VALUES ('shop.abc@example.com', 'ann@example.com', 2000000000);`,
    expected: [
      "ann@example.com active",
      "info@example.com active",
      "nologin@example.com active",
      "off@example.com disabled",
      "room@example.com active",
      "shop.abc@example.com active",
    ],
  },
  {
    preset: "iredmail",
    ddl: {
      mariadb: `CREATE TABLE mailbox (username VARCHAR(255) PRIMARY KEY, active TINYINT(1) NOT NULL DEFAULT 1);
        CREATE TABLE forwardings (id BIGINT AUTO_INCREMENT PRIMARY KEY, address VARCHAR(255) NOT NULL, forwarding VARCHAR(255) NOT NULL, active TINYINT(1) NOT NULL DEFAULT 1);
        CREATE TABLE maillists (id BIGINT AUTO_INCREMENT PRIMARY KEY, address VARCHAR(255) NOT NULL, active TINYINT(1) NOT NULL DEFAULT 1);`,
      postgresql: `CREATE TABLE mailbox (username VARCHAR(255) PRIMARY KEY, active INT2 NOT NULL DEFAULT 1);
        CREATE TABLE forwardings (id SERIAL PRIMARY KEY, address VARCHAR(255) NOT NULL, forwarding VARCHAR(255) NOT NULL, active INT2 NOT NULL DEFAULT 1);
        CREATE TABLE maillists (id SERIAL PRIMARY KEY, address VARCHAR(255) NOT NULL, active INT2 NOT NULL DEFAULT 1);`,
    },
    rows: `INSERT INTO mailbox VALUES ('ann@example.com', 1), ('off@example.com', 0);
      INSERT INTO forwardings (address, forwarding, active) VALUES ('ann@example.com', 'ann@example.com', 1), ('off@example.com', 'off@example.com', 0), ('info@example.com', 'ann@example.com', 1), ('info@example.com', 'x@else.example', 1), ('other.example', 'ann@example.com', 1);
      INSERT INTO maillists (address, active) VALUES ('list@example.com', 1);`,
    expected: [
      "ann@example.com active",
      "info@example.com active",
      "list@example.com active",
      "off@example.com disabled",
    ],
  },
  {
    preset: "mailu",
    ddl: {
      mariadb:
        "CREATE TABLE `user` (email VARCHAR(255) PRIMARY KEY, enabled TINYINT(1) NOT NULL); CREATE TABLE alias (email VARCHAR(255) PRIMARY KEY, wildcard TINYINT(1) NOT NULL, destination TEXT);",
      postgresql:
        'CREATE TABLE "user" (email VARCHAR(255) PRIMARY KEY, enabled BOOLEAN NOT NULL); CREATE TABLE alias (email VARCHAR(255) PRIMARY KEY, wildcard BOOLEAN NOT NULL, destination TEXT);',
    },
    rows: `INSERT INTO USERS VALUES ('ann@example.com', TRUE), ('off@example.com', FALSE); INSERT INTO alias VALUES ('info@example.com', FALSE, 'ann@example.com'), ('%x@example.com', TRUE, 'ann@example.com');`,
    expected: [
      "ann@example.com active",
      "info@example.com active",
      "off@example.com active",
      // Reported when the list is read: the local part has a space.
      "wildcard alias %x@example.com active",
    ],
  },
];

const WITHOUT_MARIADB = isInstalled("mariadbd") ? null : "mariadb-server is not installed";
describe.skipIf(WITHOUT_MARIADB !== null)(`presets for MariaDB${note(WITHOUT_MARIADB)}`, () => {
  let server: Server;
  beforeAll(async () => {
    server = await startMariadb(join(folder, "my"));
  });
  afterAll(() => server?.stop());

  it.each(PRODUCTS.map((product) => [product.preset, product] as const))(
    "%s",
    async (preset, { ddl, rows, expected }) => {
      server.sql(
        `CREATE DATABASE ${preset}; GRANT SELECT ON ${preset}.* TO reader@'%'; USE ${preset}; ${ddl.mariadb} ${rows.replace("USERS", "`user`")}`,
      );
      const at = {
        kind: "mariadb",
        host: "localhost",
        port: server.port,
        user: "reader",
        password_env: "DB_PASSWORD",
      };
      expect(await read(open({ ...at, preset, database: preset }))).toEqual(expected);
    },
  );
});

const WITHOUT_POSTGRES = POSTGRES === null ? "postgresql is not installed" : null;
describe.skipIf(WITHOUT_POSTGRES !== null)(`presets for PostgreSQL${note(WITHOUT_POSTGRES)}`, () => {
  let server: Server;
  beforeAll(async () => {
    server = await startPostgres(join(folder, "pg"));
  });
  afterAll(() => server?.stop());

  it.each(PRODUCTS.filter(({ ddl }) => ddl.postgresql).map((product) => [product.preset, product] as const))(
    "%s",
    async (preset, { ddl, rows, expected }) => {
      server.sql(`CREATE DATABASE ${preset};`);
      server.sql(`\\c ${preset}\n${ddl.postgresql} ${rows.replace("USERS", '"user"')}`);
      const url = `postgresql://reader@localhost:${server.port}/${preset}`;
      expect(await read(open({ kind: "postgresql", preset, url, password_env: "DB_PASSWORD" }))).toEqual(
        expected,
      );
    },
  );
});

const WITHOUT_SQLITE = isInstalled("sqlite3") ? null : "sqlite3 is not installed";
describe.skipIf(WITHOUT_SQLITE !== null)(`presets for SQLite${note(WITHOUT_SQLITE)}`, () => {
  it.each(
    PRODUCTS.filter(({ preset }) => "sqlite" in (PRESETS[preset] as object)).map(
      (product) => [product.preset, product] as const,
    ),
  )("%s", async (preset, { ddl, rows, expected }) => {
    const path = join(folder, `${preset}.db`);
    execFileSync("sqlite3", [path], { input: `${ddl.postgresql} ${rows.replace("USERS", '"user"')}` });
    expect(await read(open({ kind: "sqlite", preset, path }))).toEqual(expected);
  });
});

describe("presets for files", () => {
  it("google-workspace", async () => {
    writeFileSync(
      join(folder, "google.csv"),
      `First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Status [READ ONLY],Last Sign In [READ ONLY]
Ann,Lee,ann@example.com,****,Active,2026/11/20 10:00:00
Bob,Ray,bob@example.com,****,Suspended,Never logged in
Eve,Fox,eve@other.example,****,Archived,Never logged in
`,
    );
    expect(await linesOf(open({ kind: "file", preset: "google-workspace", path: "google.csv" }))).toEqual([
      "2 ann@example.com active",
      "3 bob@example.com disabled",
    ]);
  });

  it("microsoft-365", async () => {
    writeFileSync(
      join(folder, "m365.csv"),
      `Block credential,Display name,Proxy addresses,User principal name
False,"Lee, Ann",SMTP:ann@example.com+smtp:a.lee@example.com+SPO:SPO_1@SPO_2+x500:/o=ex/cn=ann,ann@example.com
True,Room,SMTP:room@example.com,room@example.com
False,Unlicensed,,guest@example.com
`,
    );
    expect(await linesOf(open({ kind: "file", preset: "microsoft-365", path: "m365.csv" }))).toEqual([
      "2 ann@example.com active",
      "2 a.lee@example.com active",
      "3 room@example.com active",
    ]);
  });
});

describe("a preset", () => {
  it("gives way to what is set beside it", () => {
    const settings = { kind: "file", preset: "google-workspace", path: "g.csv", other_domains: "refuse" };
    expect(v.parse(SOURCE_SETTINGS, settings)).toMatchObject({ other_domains: "refuse", format: "csv" });
  });

  it.each<[object, string]>([
    [
      { kind: "file", path: "a", preset: "mailcow" },
      "of kind file must be one of google-workspace, microsoft-365",
    ],
    [{ kind: "command", command: ["a"], preset: "mailcow" }, "is not for sources of kind command"],
  ])("of another kind is refused: %j", (settings, message) => {
    const { issues = [] } = v.safeParse(SOURCE_SETTINGS, settings);
    expect(issues.map((issue) => issue.message)).toContain(message);
  });

  it("with an alias that has wildcards publishes nothing", async () => {
    // What the list reader says of such a row.
    const error = await refusal(() =>
      readList({
        source: memorySource("mailu", ["wildcard alias %x@example.com"]),
        domain: "example.com",
        key: keyOf("example.com"),
        policy: policyWith(),
        hashing: stablelibHashing,
      }),
    );
    expect(error.details).toEqual(["mailu:1: the local part has characters that need quotes"]);
  });
});
