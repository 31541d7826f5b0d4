import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import fc from "fast-check";
import { parse, stringify } from "smol-toml";
import { describe, expect, it } from "vitest";
import { CliError } from "../../src/cli/exit.ts";
import { readSettings } from "../../src/cli/settings.ts";
import { rollcall } from "../support/fake-platform.ts";
import { temporaryFolder } from "../support/folders.ts";
import { ROOT } from "../support/processes.ts";
import { WRONG_SETTINGS } from "./support/wrong-settings.ts";

/* The JSON schema of rollcall.toml as it is shipped. That it is up to date is in test/packaging/reference.test.ts. */

const FILE = join(ROOT, "dist", "cli", "rollcall.schema.json");
const validate = new Ajv({
  allErrors: true,
  strict: true,
  strictRequired: false,
  strictTypes: false,
}).compile(JSON.parse(readFileSync(FILE, "utf8")) as object);
const folder = temporaryFolder();

/** What editors would show about a file. */
const shown = (text: string): readonly string[] =>
  validate(parse(text)) ? [] : (validate.errors ?? []).map((it) => `${it.instancePath} ${it.message}`);

/** What the command says about a file. */
function said(text: string): readonly string[] {
  const path = join(folder, "rollcall.toml");
  writeFileSync(path, text);
  try {
    readSettings(path, "rollcall.toml");
    return [];
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return error.details;
  }
}

/** Messages about what one value says of another, or about what a URL or address must be in detail. */
const ONLY_THE_COMMAND = [
  /names source \S+, but there is no/,
  /^\S+ canary \S+ is not an address of/,
  /must_not_appear names \S+, which is not an address of/,
  /canaries and must_not_appear both name/,
];
const onlyCommand = (message: string): boolean => ONLY_THE_COMMAND.some((each) => each.test(message));

/** Every example of rollcall.toml in a page, with its heading or place. */
function examples(): [place: string, text: string][] {
  const pages = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => `docs/${path}`);
  return [...pages, "README.md", "integrations/haraka/README.md"].flatMap((page) =>
    [...readFileSync(join(ROOT, page), "utf8").matchAll(/```toml\n([\s\S]*?)```/g)].map(
      ([, text], i): [string, string] => [`${page}, ${i + 1}`, text as string],
    ),
  );
}

describe("the JSON schema of rollcall.toml", () => {
  it.each(examples())("accepts the example of %s", (_, text) => {
    expect(shown(text)).toEqual([]);
  });

  it("accepts the file of the Debian package, and what rollcall init writes, with everything in it", async () => {
    const packaged = readFileSync(join(ROOT, "packaging", "etc", "rollcall.toml"), "utf8");
    await rollcall(["init", "--domain", "example.org", "--dir", folder], { cwd: folder });
    const written = readFileSync(join(folder, "rollcall.toml"), "utf8");
    expect(written.split("\n")[0]).toBe(`#:schema ${FILE}`);
    for (const text of [packaged, written]) {
      expect(shown(text)).toEqual([]);
      const lines = text.replaceAll(/^# (?=[a-z_]+ = |\[[a-z])/gm, "");
      expect(lines).not.toBe(text);
      // A domain has a list or sources; the example has both, one as a comment.
      const whole = lines.replace(/^sources = .*$/gm, "");
      expect(said(whole).filter((message) => !/canary|must_not_appear/.test(message))).toEqual([]);
      expect(shown(whole)).toEqual([]);
    }
  });

  it.each(WRONG_SETTINGS.filter(([where]) => where !== "TOML"))(
    "refuses an error in %s",
    (_, text, message) => {
      expect(shown(text).length > 0).toBe(!onlyCommand(message));
    },
  );

  it("refuses what the command refuses, and nothing else, apart from what only the command can know", () => {
    fc.assert(
      fc.property(settingsFile, (file) => {
        const text = stringify(file as Record<string, unknown>);
        const messages = said(text).filter((message) => !onlyCommand(message));
        expect(shown(text).length > 0, `${text}\n${messages.join("\n")}\n${shown(text).join("\n")}`).toBe(
          messages.length > 0,
        );
      }),
      { numRuns: 3000 },
    );
  });
});

/* Files that are often right, and often wrong in one place. */

const wrong = fc.constantFrom<unknown>("", "x", -1, 0, 1.5, 1e12, true, [], [1], ["x"], {}, { x: 1 });
const oneOf = (...values: unknown[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...values) }, wrong);
/** A table with a few of its settings, so that most files have one error at most. */
const table = (
  settings: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  required: readonly string[] = [],
): fc.Arbitrary<object> => {
  const optional = Object.keys(settings).filter((name) => !required.includes(name));
  const kept = fc.subarray(optional, { maxLength: Math.min(4, optional.length) });
  const odd = fc.nat(20);
  return fc.tuple(kept, odd).chain(([names, number]) => {
    const all = [...(number === 1 ? required.slice(0, -1) : required), ...names];
    return fc
      .record(Object.fromEntries(all.map((name) => [name, settings[name] as fc.Arbitrary<unknown>])))
      .map((made) => (number === 2 ? { ...made, unknown_setting: 1 } : made));
  });
};

const policy = {
  delimiters: oneOf("+", "-=", "", "+++++", "a"),
  catchall: oneOf(true, false),
  case: oneOf("sensitive", "insensitive"),
  dots: oneOf("ignored", "significant"),
  postmaster: oneOf(true),
  alias: oneOf("b.example", "", "B.example", "a..b", "x".repeat(64)),
  text: oneOf("", "See https://example.com", "é", "x".repeat(201)),
  grace: oneOf(0, 3600, 2_592_000, 2_592_001),
  guard: oneOf(0, 0.5, 1, 1.01),
  mode: oneOf("observe", "defer", "enforce"),
  patched: oneOf("keep", "drop"),
};
const states = oneOf({ yes: "active", no: "disabled" }, { no: "full", gone: "moved" });
const columns = oneOf(
  { address: "mail" },
  { address: "mail", state: "locked" },
  { state: "x" },
  { address: "a", b: "c" },
);
const timeout = oneOf(1, 0.5, 600, 86_401);
const database = { query: oneOf("SELECT 1"), columns, states, timeout };
const secret = { password_file: oneOf("f"), password_env: oneOf("E") };
const tls = { tls: oneOf(true), ca_file: oneOf("ca.pem") };
const KINDS: Readonly<Record<string, readonly [Record<string, fc.Arbitrary<unknown>>, readonly string[]]>> = {
  file: [
    { path: oneOf("a.csv"), format: oneOf("csv", "text", "json"), columns, separator: oneOf(";"), states },
    ["path"],
  ],
  command: [
    { command: oneOf(["cat", "a"], [""]), format: oneOf("csv", "json"), columns, states, timeout },
    ["command"],
  ],
  postfix: [
    {
      map: oneOf("lmdb:/a", "proxy:hash:/b", "lmdb:", "LMDB:/a"),
      table: oneOf("aliases"),
      bare_names: oneOf("keep"),
      timeout,
    },
    ["map"],
  ],
  passwd: [
    {
      path: oneOf("p"),
      uid_min: oneOf(0, 500),
      uid_max: oneOf(4_294_967_295, 4_294_967_296),
      shells: oneOf({ "/bin/sh": "skip" }),
      timeout,
    },
    [],
  ],
  dovecot: [{ passwd_file: oneOf("p"), timeout }, []],
  sqlite: [{ path: oneOf("a.db"), ...database }, ["path", "query"]],
  postgresql: [
    { url: oneOf("postgresql://a@b/c", "postgres://x", "mysql://x"), ...secret, ...tls, ...database },
    ["url", "query"],
  ],
  mariadb: [
    {
      host: oneOf("h"),
      port: oneOf(1, 65_535, 65_536),
      socket: oneOf("s"),
      user: oneOf("u"),
      database: oneOf("d"),
      ...secret,
      ...tls,
      ...database,
    },
    ["user", "database", "query"],
  ],
  ldap: [
    {
      url: oneOf("ldaps://a", "ldap://localhost:389/", "ldap://a/b"),
      ...tls,
      ...secret,
      bind_dn: oneOf("cn=x"),
      base: oneOf("dc=x"),
      filter: oneOf("(a=b)"),
      attributes: oneOf(["mail", "x"], [""]),
      state_attribute: oneOf("s"),
      states,
      account_control: oneOf(true),
      referrals: oneOf("ignore"),
      page_size: oneOf(2, 100_000, 1),
      timeout,
    },
    ["url", "base", "filter"],
  ],
  http: [
    {
      url: oneOf("https://a.example/x", "HTTP://localhost", "ftp://x"),
      token_file: oneOf("f"),
      token_env: oneOf("E"),
      token_command: oneOf(["a", "b"], [""]),
      oauth: oneOf(
        { token_url: "https://a", client_id: "c" },
        { token_url: "https://a", client_id: "c", scope: "s", client_secret_env: "E" },
        { token_url: "https://a" },
      ),
      items: oneOf("/value", "value", "/a~2"),
      addresses: oneOf(["/a/*"], ["a"]),
      state: oneOf("/s"),
      states,
      next_url: oneOf("/n"),
      next_token: oneOf("/t"),
      token_parameter: oneOf("p"),
      pages: oneOf("none", "one"),
      without_address: oneOf("skip", "refuse"),
      ignore: oneOf(["/total"], [""]),
      timeout,
    },
    ["url", "items", "addresses"],
  ],
};
const PRESETS = [
  "postfixadmin",
  "mailcow",
  "iredmail",
  "mailu",
  "active-directory",
  "google-workspace",
  "microsoft-365",
];
const source = fc.constantFrom(...Object.keys(KINDS), "fax").chain((kind) => {
  const [settings, required] = KINDS[kind] ?? [{}, []];
  const withKind = {
    ...settings,
    kind: fc.constant(kind),
    preset: oneOf(...PRESETS),
    other_domains: oneOf("skip", "refuse"),
    minimum: oneOf(1, 0),
    max_left_out: oneOf(0, -1),
  };
  return table(withKind, ["kind", ...required]);
});
const addresses = oneOf(["a@a.example"], ["b@a.example", "c@a.example"]);
const domain = table({
  ...policy,
  list: oneOf("a.txt"),
  sources: oneOf(["s"], ["s", "t"]),
  canaries: addresses,
  minimum: oneOf(1, 500, 1_000_000_001),
  must_not_appear: addresses,
});
const listen = oneOf("127.0.0.1:10023", ["[::1]:1", "unix:/run/x"], "127.0.0.1", "unix:x");
const bridge = table({
  socketmap: listen,
  metrics: listen,
  socket_mode: oneOf("0660", "660", "0888"),
  allow_remote: oneOf("192.0.2.0/24", ["2001:db8::/32"], "192.0.2.0/24/1"),
  timeout: oneOf(0.1, 4, 4.1),
  cache_bytes: oneOf(65_536, 65_535),
  max_questions: oneOf(1, 1001),
  replica: oneOf("/var/lib/x"),
  domain: oneOf("a.example", ["a.example", "b.example"]),
  ca_file: oneOf("x"),
  log_level: oneOf("debug", "loud"),
  log_observed: oneOf(true),
});
/** Mostly that table. */
const orWrong = (tables: fc.Arbitrary<object>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: tables }, wrong);
const settingsFile = table({
  url: oneOf("https://rollcall.example.org", "rollcall.example.org"),
  keep_lists: oneOf(true),
  bridge: orWrong(bridge),
  defaults: orWrong(table(policy)),
  sources: orWrong(fc.dictionary(fc.constantFrom("s", "t"), orWrong(source), { maxKeys: 2 })),
  domains: orWrong(
    fc.dictionary(fc.constantFrom("a.example", "bücher.example", "A.example.", "a b", ""), orWrong(domain), {
      maxKeys: 2,
    }),
  ),
});
