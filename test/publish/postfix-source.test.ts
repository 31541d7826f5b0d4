import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { SOURCE_SETTINGS, type Source } from "../../src/publish/index.ts";
import { WITHOUT_POSTFIX } from "../mta/support/postfix.ts";
import { temporaryFolder } from "../support/folders.ts";
import { hostOf, linesOf, openOne, refusal } from "./support/reading.ts";

const folder = temporaryFolder();
const env = { PATH: process.env.PATH, MAIL_CONFIG: join(folder, "etc") };

function open(settings: Readonly<Record<string, unknown>>): Source {
  return openOne({ kind: "postfix", ...settings }, hostOf(folder, { env }));
}

const run = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { env, cwd: folder, stdio: "pipe" });
};

/** Without its line number: a database has its own order. */
const sorted = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/^\d+ /, "")).sort();

/** The types of tables that this Postfix has: `postconf -m`. Some are packages of their own. */
const types = (): string[] => execFileSync("postconf", ["-m"], { env, encoding: "utf8" }).split("\n");

mkdirSync(env.MAIL_CONFIG, { recursive: true });
writeFileSync(join(env.MAIL_CONFIG, "main.cf"), "compatibility_level = 3.10\n");
writeFileSync(join(env.MAIL_CONFIG, "master.cf"), "");

describe.skipIf(WITHOUT_POSTFIX !== null)(`a table of Postfix as a source${note()}`, () => {
  const TABLE = 'Alice@example.com OK\n"john doe"@example.com  x y\n# comment\nbob@example.com\n  other\n';

  for (const type of ["hash", "lmdb", "texthash"]) {
    const missing =
      WITHOUT_POSTFIX === null && !types().includes(type) ? ` (Postfix has no ${type} here)` : "";
    it.skipIf(missing !== "")(`is read by postmap (${type})${missing}`, () => isRead(type));
  }

  async function isRead(type: string): Promise<void> {
    const file = join(folder, `relay-${type}`);
    writeFileSync(file, TABLE);
    if (type !== "texthash") run("postmap", `${type}:${file}`);
    for (const map of [`${type}:${file}`, `proxy:${type}:relay-${type}`]) {
      const source = open({ map });
      expect(source.describe()).toBe(`source hr (${map})`);
      expect(sorted(await linesOf(source))).toEqual([
        '"john doe"@example.com active',
        "alice@example.com active",
        "bob@example.com active",
      ]);
    }
  }

  it("has catch-alls, domains and names without a domain as virtual(5) says", async () => {
    writeFileSync(
      join(folder, "virtual"),
      "@example.com all\nexample.com anything\ninfo staff\na@example.com b\n",
    );
    run("postmap", "hash:virtual");
    const seen = async (more: object) => sorted(await linesOf(open({ map: "hash:virtual", ...more })));
    expect(await seen({})).toEqual([
      expect.stringMatching(
        /^! "info" has no domain; .* set bare_names to "keep" if that is example\.com, or to "skip"$/,
      ),
      "@example.com active",
      "a@example.com active",
    ]);
    expect(await seen({ bare_names: "skip" })).toEqual(["@example.com active", "a@example.com active"]);
    expect(await seen({ bare_names: "keep" })).toEqual([
      "@example.com active",
      "a@example.com active",
      "example.com@example.com active",
      "info@example.com active",
    ]);
  });

  it("takes a name with a dot for a domain only if it is one here", async () => {
    writeFileSync(
      join(folder, "dotted"),
      "example.com x\nother.example x\nann@other.example y\njohn.smith staff\na@example.com b\n",
    );
    run("postmap", "hash:dotted");
    const seen = async (more: object) => sorted(await linesOf(open({ map: "hash:dotted", ...more })));
    expect(await seen({})).toEqual([
      expect.stringMatching(
        /^! "john\.smith" is not the domain of another key, so it may be a name without a domain/,
      ),
      "a@example.com active",
      "ann@other.example active",
    ]);
    expect(await seen({ bare_names: "skip" })).toEqual(["a@example.com active", "ann@other.example active"]);
  });

  it("may be aliases(5), read by postalias", async () => {
    writeFileSync(
      join(folder, "aliases"),
      'postmaster: root\nlist: "|/bin/prog", other\nowner-list: :include:/x\n',
    );
    run("postalias", "hash:aliases");
    expect(sorted(await linesOf(open({ map: "hash:aliases", table: "aliases" })))).toEqual([
      "list@example.com active",
      "owner-list@example.com active",
      "postmaster@example.com active",
    ]);
  });

  it("is refused if it is older than its text", async () => {
    writeFileSync(join(folder, "old"), "a@example.com x\n");
    run("postmap", "hash:old");
    utimesSync(join(folder, "old"), new Date(), new Date(Date.now() + 60_000));
    const error = await refusal(() => linesOf(open({ map: "hash:old" })));
    expect(error.message).toBe(`hash:old is older than ${join(folder, "old")}`);
    expect(error.hint).toBe("run postmap hash:old, and publish again");
    // Some hosts keep only the database.
    rmSync(join(folder, "old"));
    expect(await linesOf(open({ map: "hash:old" }))).toEqual(["1 a@example.com active"]);
  });

  it("is refused if it is not there, or is damaged", async () => {
    expect(await refusal(() => linesOf(open({ map: "hash:none" })))).toMatchObject({
      message: "source hr: postmap ended with exit code 1; its output was not used",
      details: [expect.stringMatching(/fatal: open database .*none\.db: No such file/)],
    });
    writeFileSync(join(folder, "bad.db"), "no database");
    expect((await refusal(() => linesOf(open({ map: "hash:bad" })))).message).toMatch(/postmap ended with/);
    expect(existsSync(join(folder, "bad.db"))).toBe(true);
  });
});

describe("a table of Postfix that cannot be listed", () => {
  it.each([
    ["regexp:/etc/postfix/x", /contains patterns/, /list the addresses; .*catchall = true/],
    ["pcre:/etc/postfix/x", /contains patterns/, /catchall/],
    ["proxy:mysql:/etc/postfix/x.cf", /type mysql cannot be listed/, /kind = "mariadb"/],
    ["ldap:/etc/postfix/x.cf", /type ldap cannot be listed/, /kind = "ldap"/],
    ["memcache:/x", /type memcache cannot be listed/, /use one of hash, btree, lmdb/],
  ])("%s is refused, with what to do instead", async (map, message, hint) => {
    const error = await refusal(() => open({ map }));
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it.each(["/etc/postfix/virtual", "hash:", "hash:a, hash:b", ""])("%j is no map", (map) => {
    expect(v.safeParse(SOURCE_SETTINGS, { kind: "postfix", map }).success).toBe(false);
  });
});

function note(): string {
  return WITHOUT_POSTFIX === null ? "" : ` (skipped: ${WITHOUT_POSTFIX})`;
}
