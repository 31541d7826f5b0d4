import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Source } from "../../src/publish/index.ts";
import { freePort } from "../../testing/ports.ts";
import { endWithUs, listens, until } from "../mta/support/waiting.ts";
import { temporaryFolder } from "../support/folders.ts";
import { isInstalled, makeCertificates, note } from "./support/databases.ts";
import { type PageOf, startPagedLdap } from "./support/paged-ldap.ts";
import { hostOf, linesOf, openOne, refusal } from "./support/reading.ts";

const folder = temporaryFolder();
const missing = isInstalled("slapd") ? null : "slapd is not installed";

const BASE = "dc=corp,dc=example";
const PEOPLE = 1000;

/** The attributes of Active Directory that matter here, by their own names. */
const SCHEMA = `attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'adUser' SUP inetOrgPerson STRUCTURAL MAY ( proxyAddresses $ userAccountControl ) )
objectclass ( 1.2.840.113556.1.5.8 NAME 'adGroup' SUP top STRUCTURAL MUST cn MAY ( mail $ proxyAddresses $ description ) )
`;

/** The attributes and classes of iRedMail that its Postfix looks recipients up by, with the numbers of iredmail.schema. */
const IREDMAIL = `attributetype ( 1.3.6.1.4.1.32349.1.2.2.9 NAME 'accountStatus' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32349.1.2.2.13 NAME 'enabledService' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.32349.1.2.2.14 NAME 'memberOfGroup' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{320} )
attributetype ( 1.3.6.1.4.1.32349.1.2.2.19 NAME 'shadowAddress' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{320} )
attributetype ( 1.3.6.1.4.1.32349.1.2.1.1 NAME 'domainName' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{255} SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.32349.1.2.4.1 NAME 'mailDomain' SUP top STRUCTURAL MUST domainName MAY accountStatus )
objectclass ( 1.3.6.1.4.1.32349.1.2.4.3 NAME 'mailUser' SUP top AUXILIARY MUST ( mail $ uid ) MAY ( shadowAddress $ accountStatus $ enabledService $ memberOfGroup ) )
objectclass ( 1.3.6.1.4.1.32349.1.2.4.4 NAME 'mailAlias' SUP top STRUCTURAL MUST mail MAY ( shadowAddress $ accountStatus $ enabledService ) )
objectclass ( 1.3.6.1.4.1.32349.1.2.4.5 NAME 'mailList' SUP top STRUCTURAL MUST mail MAY ( shadowAddress $ accountStatus $ enabledService ) )
objectclass ( 1.3.6.1.4.1.32349.1.2.4.6 NAME 'mailExternalUser' SUP top STRUCTURAL MUST memberOfGroup MAY ( mail $ shadowAddress $ accountStatus ) )
`;

/** As iRedMail's own tools lay a domain out. */
const IREDMAIL_LDIF = `dn: o=domains,${BASE}
objectClass: organization
o: domains

dn: domainName=example.com,o=domains,${BASE}
objectClass: mailDomain
domainName: example.com
accountStatus: active

${[
  [
    "mail=ann@example.com",
    "inetOrgPerson|mailUser",
    "uid: ann|cn: Ann|sn: Ann|accountStatus: active|shadowAddress: ann@alias.example|shadowAddress: a.lee@example.com",
  ],
  ["mail=off@example.com", "inetOrgPerson|mailUser", "uid: off|cn: Off|sn: Off|accountStatus: disabled"],
  ["mail=info@example.com", "mailAlias", "accountStatus: active"],
  ["mail=list@example.com", "mailList", "accountStatus: active|shadowAddress: news@example.com"],
  [
    "mail=eve@else.example",
    "mailExternalUser",
    "memberOfGroup: list@example.com|accountStatus: active|shadowAddress: eve@example.com",
  ],
]
  .map(([name = "", classes = "", lines = ""]) =>
    [
      `dn: ${name},domainName=example.com,o=domains,${BASE}`,
      ...classes.split("|").map((each) => `objectClass: ${each}`),
      name.replace("=", ": "),
      ...lines.split("|"),
      "",
    ].join("\n"),
  )
  .join("\n")}`;

const person = (name: string, lines: readonly string[]): string =>
  `dn: uid=${name},ou=people,${BASE}\nobjectClass: adUser\nuid: ${name}\ncn: ${name}\nsn: ${name}\n${lines.join("\n")}\n`;

const LDIF = [
  `dn: ${BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: corp\no: corp\n`,
  `dn: cn=reader,${BASE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: secret\n`,
  `dn: ou=people,${BASE}\nobjectClass: organizationalUnit\nou: people\n`,
  `dn: ou=special,${BASE}\nobjectClass: organizationalUnit\nou: special\n`,
  ...Array.from({ length: PEOPLE }, (_, i) => person(`user${i}`, [`mail: user${i}@example.com`])),
  ...[
    [
      "ann",
      [
        "mail: ann@example.com",
        "proxyAddresses: SMTP:ann@example.com",
        "proxyAddresses: smtp:a.nn@example.com",
        "proxyAddresses: X500:/o=corp/cn=ann",
        "userAccountControl: 512",
      ],
    ],
    ["bob", ["mail: bob@example.com", "proxyAddresses: smtp:rob@example.com", "userAccountControl: 514"]],
    ["eve", ["userAccountControl: 66048"]],
  ].map(([name, lines]) => person(name as string, lines as string[]).replace("ou=people", "ou=special")),
  `dn: cn=team,ou=special,${BASE}\nobjectClass: adGroup\ncn: team\nmail: team@example.com\ndescription: closed\n`,
  `dn: ou=elsewhere,${BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\nref: ldap://other.example/ou=elsewhere,${BASE}\n`,
  IREDMAIL_LDIF,
  `dn: ou=odd,${BASE}\nobjectClass: organizationalUnit\nou: odd\n`,
  ...[
    ["german", ["description;lang-de: deutsch@example.com"]],
    ["long", [`description: ${"x".repeat(5000)}@example.com`]],
    ["two", ["description: two@example.com", "title: active", "title: disabled"]],
    ["binary", [`jpegPhoto:: ${Buffer.from("\xff\xfe\0@example.com", "latin1").toString("base64")}`]],
  ].map(([name, lines]) => person(name as string, lines as string[]).replace("ou=people", "ou=odd")),
].join("\n");

class Slapd {
  readonly ldap: number;
  readonly ldaps: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ldap: number, ldaps: number) {
    this.#child = child;
    this.ldap = ldap;
    this.ldaps = ldaps;
  }

  static async start(): Promise<Slapd> {
    const home = join(folder, "slapd");
    mkdirSync(join(home, "data"), { recursive: true });
    makeCertificates(home);
    writeFileSync(join(home, "ad.schema"), SCHEMA);
    writeFileSync(join(home, "iredmail.schema"), IREDMAIL);
    writeFileSync(join(home, "entries.ldif"), LDIF);
    const configuration = join(home, "slapd.conf");
    writeFileSync(
      configuration,
      `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include ${home}/ad.schema
include ${home}/iredmail.schema
pidfile ${home}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile ${home}/ca.pem
TLSCertificateFile ${home}/cert.pem
TLSCertificateKeyFile ${home}/key.pem
database mdb
maxsize 1073741824
suffix "${BASE}"
directory ${home}/data
limits dn.exact="cn=reader,${BASE}" size=unlimited
limits anonymous size=100 size.prtotal=100
access to attrs=userPassword by anonymous auth by * none
access to * by * read
`,
    );
    execFileSync("slapadd", ["-q", "-f", configuration, "-l", join(home, "entries.ldif")], { stdio: "pipe" });
    const [ldap, ldaps] = [await freePort(), await freePort()];
    const urls = `ldap://127.0.0.1:${ldap} ldaps://127.0.0.1:${ldaps}`;
    const child = spawn("slapd", ["-f", configuration, "-h", urls, "-d", "0"], { stdio: "ignore" });
    endWithUs(child);
    // It writes its pid before it listens.
    await until("slapd listens", async () => (await listens(ldap)) && (await listens(ldaps)));
    return new Slapd(child, ldap, ldaps);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await ended;
  }
}

/** Passes bytes on to slapd until a number of them has come back; then it closes or stays silent. */
async function startCut(target: number, octets: number, then: "close" | "silence"): Promise<NetServer> {
  const { connect } = await import("node:net");
  const server = createServer((socket: Socket) => {
    const upstream = connect(target, "127.0.0.1");
    let passed = 0;
    socket.pipe(upstream);
    upstream.on("data", (bytes) => {
      passed += bytes.length;
      if (passed <= octets) socket.write(bytes);
      else if (then === "close") socket.destroy();
    });
    for (const each of [socket, upstream]) each.on("error", () => undefined);
    socket.on("close", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe.skipIf(missing !== null)(`LDAP as a source${note(missing)}`, () => {
  let slapd: Slapd;
  beforeAll(async () => {
    slapd = await Slapd.start();
  });
  afterAll(() => slapd?.stop());

  const env = { PATH: process.env.PATH, LDAP_PASSWORD: "secret" };
  const source = (settings: object = {}, more: Parameters<typeof hostOf>[1] = {}): Source =>
    openOne(
      {
        kind: "ldap",
        url: `ldap://127.0.0.1:${slapd.ldap}`,
        bind_dn: `cn=reader,${BASE}`,
        password_env: "LDAP_PASSWORD",
        base: `ou=people,${BASE}`,
        filter: "(objectClass=adUser)",
        ...settings,
      },
      hostOf(folder, { env, ...more }),
    );
  const odd = { base: `ou=odd,${BASE}` };
  const special = { base: `ou=special,${BASE}`, filter: "(|(objectClass=adUser)(objectClass=adGroup))" };
  /** Without the number of the entry. */
  const sorted = (lines: readonly string[]): string[] =>
    lines.map((line) => line.replace(/^\d+ /, "")).sort();

  it.each([500, 333, PEOPLE, PEOPLE + 1, 2])(
    "reads all entries, whatever the size of a page (%i)",
    async (page_size) => {
      const lines = await linesOf(source({ page_size }));
      expect(sorted(lines)).toEqual(
        Array.from({ length: PEOPLE }, (_, i) => `user${i}@example.com active`).sort(),
      );
    },
  );

  it("reads users and groups as in Active Directory: several addresses, and accounts that are disabled", async () => {
    const lines = await linesOf(
      source({ ...special, attributes: ["MAIL", "proxyAddresses"], account_control: true }),
    );
    expect(sorted(lines)).toEqual([
      "a.nn@example.com active",
      "ann@example.com active",
      "ann@example.com active",
      "bob@example.com disabled",
      "rob@example.com disabled",
      "team@example.com active",
    ]);
  });

  it("reads states from an attribute", async () => {
    const settings = { ...special, state_attribute: "description" };
    expect(sorted(await linesOf(source({ ...settings, states: { closed: "moved" } })))).toEqual([
      "ann@example.com active",
      "bob@example.com active",
      "team@example.com moved",
    ]);
    expect(sorted(await linesOf(source(settings)))).toContain(
      '! unknown state "closed": use one of active, disabled, full, moved',
    );
  });

  /** A source with a preset, which gets no filter of its own. */
  const preset = (name: string, base: string): Source =>
    openOne(
      {
        kind: "ldap",
        preset: name,
        url: `ldap://127.0.0.1:${slapd.ldap}`,
        bind_dn: `cn=reader,${BASE}`,
        password_env: "LDAP_PASSWORD",
        base,
      },
      hostOf(folder, { env }),
    );

  it("has a preset for iRedMail: users, aliases, lists, and the alias addresses of each", async () => {
    expect(sorted(await linesOf(preset("iredmail", `o=domains,${BASE}`)))).toEqual([
      "a.lee@example.com active",
      "ann@example.com active",
      "eve@example.com active",
      "info@example.com active",
      "list@example.com active",
      "news@example.com active",
      "off@example.com disabled",
    ]);
  });

  it("has a preset for Active Directory, in which accounts of shared mailboxes are disabled and get mail", async () => {
    expect(sorted(await linesOf(preset("active-directory", BASE)))).toEqual([
      "a.nn@example.com active",
      "ann@example.com active",
      "rob@example.com active",
    ]);
  });

  it("reads values with options, of any length, and reports what is no text or has two states", async () => {
    const lines = await linesOf(
      source({ ...odd, attributes: ["mail", "description"], state_attribute: "title" }),
    );
    expect(sorted(lines)).toEqual([
      "! title has several values",
      "deutsch@example.com active",
      `${"x".repeat(5000)}@example.com active`,
    ]);
    expect(sorted(await linesOf(source({ ...odd, attributes: ["userPassword", "jpegPhoto"] })))).toEqual([
      // The reader of the list refuses an address that was no UTF-8.
      "\ufffd\ufffd\0@example.com active",
    ]);
  });

  it("is refused if entries are found, and none has an address", async () => {
    const error = await refusal(() => linesOf(source({ attributes: ["email"] })));
    expect(error.message).toBe(`source hr: none of ${PEOPLE} entries has an address in email`);
    expect(await linesOf(source({ filter: "(uid=nobody)" }))).toEqual([]);
  });

  it("is refused if a limit of the server cuts the result, with pages and in one", async () => {
    for (const page_size of [50, 5000]) {
      const error = await refusal(() =>
        linesOf(source({ bind_dn: undefined, password_env: undefined, page_size })),
      );
      expect(error.message).toMatch(
        /^source hr was not read to its end: .*\(LDAP result (4|11)\); nothing of it was used$/,
      );
    }
  });

  it("is refused if the server refers to another one, unless that is allowed", async () => {
    const error = await refusal(() => linesOf(source({ base: BASE })));
    expect(error).toMatchObject({
      message: "source hr: the server refers to another one for a part of the result",
      details: [expect.stringContaining("ldap://other.example/ou=elsewhere")],
    });
    expect(await linesOf(source({ base: BASE, referrals: "ignore" }))).toHaveLength(PEOPLE + 2);
    // The base itself may be a referral, too.
    expect((await refusal(() => linesOf(source({ base: `ou=elsewhere,${BASE}` })))).message).toMatch(
      /^source hr was not read to its end: .*\(LDAP result 10\)/,
    );
  });

  it("may be encrypted, with a certificate that is verified", async () => {
    const ca_file = join(folder, "slapd", "ca.pem");
    const ways = [
      (name: string) => `ldaps://${name}:${slapd.ldaps}`,
      // StartTLS.
      (name: string) => `ldap://${name}:${slapd.ldap}`,
    ];
    for (const urlOf of ways) {
      expect(await linesOf(source({ ...special, url: urlOf("localhost"), ca_file }))).toHaveLength(3);
      const unknown = await refusal(() => linesOf(source({ url: urlOf("localhost"), tls: true })));
      expect(unknown.message).toMatch(/certificate|self.signed/i);
      const other = await refusal(() => linesOf(source({ url: urlOf("127.0.0.1"), ca_file })));
      expect(other.message).toMatch(/127\.0\.0\.1/);
    }
  });

  it.each([
    ["a wrong password", { password_env: "OTHER" }, /LDAP result 49/],
    ["a base that is not there", { base: `ou=none,${BASE}` }, /^(?!.*0x20).*LDAP result 32/],
    ["a bad filter", { filter: "(mail=" }, /not read to its end/],
  ])("is refused with %s, and the message has no secret", async (_, settings, message) => {
    const error = await refusal(() =>
      linesOf(source(settings, { env: { ...env, OTHER: "wrong-password" } })),
    );
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/wrong-password|secret/);
  });

  it("is refused with a name and no password, which would be an anonymous search", async () => {
    const error = await refusal(() => linesOf(source({ password_env: undefined })));
    expect(error.message).toBe("source hr has a bind_dn and no password");
  });

  it.each(["close", "silence"] as const)(
    "is refused if the connection breaks half-way (%s)",
    async (then) => {
      const cut = await startCut(slapd.ldap, 30_000, then);
      const url = `ldap://127.0.0.1:${(cut.address() as { port: number }).port}`;
      let seen = 0;
      // With silence, the time is over once the first page has arrived.
      let end = (): void => undefined;
      const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
        new Promise((resolve) => {
          expect(ms).toBe(600_000);
          end = resolve;
          signal?.addEventListener("abort", () => resolve());
        });
      const error = await refusal(() =>
        source({ url, page_size: 100 }, { sleep }).read(
          {
            entry() {
              if (++seen === 100 && then === "silence") end();
            },
            fault: () => undefined,
          },
          new AbortController().signal,
        ),
      );
      expect(seen).toBeGreaterThanOrEqual(100);
      expect(seen).toBeLessThan(PEOPLE);
      expect(error.message).toMatch(then === "close" ? /not read to its end/ : /was not read within 600 s/);
      cut.close();
    },
  );

  it("is refused if the server is not there", async () => {
    await slapd.stop("SIGKILL");
    expect((await refusal(() => linesOf(source()))).message).toMatch(/ECONNREFUSED/);
  });
});

describe("an LDAP server with pages as RFC 2696 allows them", () => {
  const open = (port: number): Source =>
    openOne(
      {
        kind: "ldap",
        url: `ldap://127.0.0.1:${port}`,
        base: BASE,
        filter: "(mail=*)",
        page_size: 3,
      },
      hostOf(folder),
    );
  const names = (from: number, to: number): string[] =>
    Array.from({ length: Math.max(0, to - from) }, (_, i) => `user${from + i}@example.com`);
  /** Six entries, in pages of the size that is asked for, as a server that ends with an empty page. */
  const inPages: PageOf = (size, cookie) => {
    const from = Number(cookie);
    const to = Math.min(6, from + (size ?? 6));
    return { mail: names(from, to), isMore: to - from === size, cookie: String(to) };
  };

  it.each<[string, PageOf, number | RegExp]>([
    ["ends with an empty page", inPages, 6],
    [
      "sends an empty page in the middle",
      (_, cookie) => (cookie === "" ? { mail: names(0, 3), isMore: true } : { mail: [], isMore: true }),
      /sent an empty page, and the result may not be whole \(3 entries\)/,
    ],
    [
      "starts with an empty page",
      (size) => (size === null ? { mail: names(0, 1), isMore: false } : { mail: [], isMore: true }),
      /sent an empty page, and the result may not be whole/,
    ],
    ["has no entry", () => ({ mail: [], isMore: false }), 0],
    ["sends attributes with options", () => ({ mail: ["mail;lang-en=a@x", "b@x"], isMore: false }), 2],
  ])("that %s", async (_, pageOf, expected) => {
    const server = await startPagedLdap(pageOf);
    try {
      const reading = linesOf(open(server.port));
      if (typeof expected === "number") expect(await reading).toHaveLength(expected);
      else expect((await refusal(() => reading)).message).toMatch(expected);
    } finally {
      server.close();
    }
  });
});
