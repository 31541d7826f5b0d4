import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FULL, ifFull } from "../support/full.ts";
import { ROOT, temporaryFolder } from "../support/processes.ts";
import { buildDeb, give, SERVICE, SETTINGS } from "./support/deb.ts";
import { DebianRoot, WITHOUT_DEBIAN, whatIsMissing } from "./support/debian-root.ts";
import { expectAnswers, type PublishedEdge, startPublishedEdge } from "./support/questions.ts";

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
const MINUTES = 60_000;

describe.skipIf(whatIsMissing(["dpkg-deb"]) !== null)("the Debian package", () => {
  const folder = temporaryFolder();

  it.runIf(FULL)(
    ifFull("is the same file from the same commit, in whatever folder and under whatever umask"),
    () => {
      const first = buildDeb(join(folder, "first"));
      const before = process.umask(0o077);
      try {
        const second = buildDeb(join(folder, "second"));
        expect(readFileSync(second).equals(readFileSync(first))).toBe(true);
      } finally {
        process.umask(before);
      }
      expect(statSync(first).size).toBeLessThan(1_000_000);
    },
  );

  it.skipIf(whatIsMissing(["lintian"]) !== null || !FULL)(
    ifFull("has no errors and no warnings of lintian"),
    () => {
      const deb = buildDeb(join(folder, "lintian"));
      const { status, stdout } = spawnSync(
        "lintian",
        ["--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", deb],
        { encoding: "utf8" },
      );
      expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    },
  );

  it("has every file to paste that its pages link to, and the JSON schema that its settings name", () => {
    const root = join(folder, "contents");
    execFileSync("dpkg-deb", ["-x", buildDeb(join(folder, "linked")), root]);
    const [, schema = ""] =
      /^#:schema (\S+)\n/.exec(readFileSync(join(root, "etc/rollcall/rollcall.toml"), "utf8")) ?? [];
    const shipped = readFileSync(join(root, schema), "utf8");
    expect(shipped).toBe(readFileSync(join(ROOT, "dist/cli/rollcall.schema.json"), "utf8"));
    const pages = join(root, "usr/share/doc/rollcall/docs/mta");
    const links = readdirSync(pages).flatMap((page) =>
      [...readFileSync(join(pages, page), "utf8").matchAll(/\]\((\.\.\/\.\.\/integrations\/[^)#]+)\)/g)].map(
        ([, link]) => link as string,
      ),
    );
    expect(links).toContain("../../integrations/postfix/relay-recipient-maps.cf");
    // An Email Worker is deployed from a clone.
    const missing = links.filter(
      (link) => !existsSync(join(pages, link)) && !link.endsWith("/email-workers"),
    );
    expect(missing).toEqual([]);
  });
});

describe.skipIf(WITHOUT_DEBIAN !== null)(`Debian 13${WITHOUT_DEBIAN ? ` (${WITHOUT_DEBIAN})` : ""}`, () => {
  const folder = temporaryFolder();
  let root: DebianRoot;
  let edge: PublishedEdge;
  let files: string[];

  /** Installs a package from a file, as an administrator does. */
  const install = (deb: string, ...options: string[]): string =>
    root.run("apt-get", "install", "-y", ...options, give(root, deb));
  const edit = (path: string, change: (text: string) => string): void => {
    const file = join(root.path, path);
    writeFileSync(file, change(readFileSync(file, "utf8")));
  };
  const enabled = (): string => root.run("sh", "-c", `systemctl is-enabled ${SERVICE} || true`).trim();

  beforeAll(async () => {
    root = new DebianRoot(join(folder, "root"));
    files = root.run("find", "/etc", "/usr", "/var/lib/systemd", "-not", "-type", "d").split("\n");
    edge = await startPublishedEdge(temporaryFolder());
  }, 10 * MINUTES);
  afterAll(async () => {
    root?.remove();
    await edge?.stop();
  });

  it("installs it from nothing but its own packages", () => {
    install(buildDeb(join(folder, "debs")));
    expect(root.run("rollcall", "--version")).toBe(`${version}\n`);
    expect(root.run("node", "--version")).toMatch(/^v20\./);
    expect(root.run("dpkg", "-s", "rollcall")).toContain("\nStatus: install ok installed\n");
    expect(root.run("dpkg", "--verify", "rollcall")).toBe("");
    // One file, and no packages of npm.
    const installed = root.run("dpkg", "-L", "rollcall");
    expect(installed).toContain("/usr/lib/rollcall/rollcall.mjs");
    expect(installed).toContain("/usr/libexec/opensmtpd/table-rollcall");
    expect(installed).not.toContain("node_modules");
  });

  it("enables the service, which waits for its token, and creates its user", () => {
    expect(enabled()).toBe("enabled");
    const unit = root.run("cat", `/usr/lib/systemd/system/${SERVICE}`);
    expect(unit).toContain("ConditionPathExists=/etc/rollcall/token");
    expect(root.run("getent", "passwd", "rollcall")).toMatch(/^rollcall:x:\d{1,3}:/);
    for (const [, file = ""] of unit.matchAll(/^ExecStart=(\S+)/gm)) expect(root.has(file)).toBe(true);
    expect(unit).toMatch(/^ExecStart=\/usr\/bin\/rollcall bridge /m);
  });

  it("has units that systemd accepts", () => {
    const units = root
      .run("dpkg", "-L", "rollcall")
      .split("\n")
      .filter((path) => path.startsWith("/usr/lib/systemd/system/"));
    expect(units).toContain(`/usr/lib/systemd/system/${SERVICE}`);
    const complaints = (...files: string[]): string[] => {
      const { stderr } = spawnSync("chroot", [root.path, "systemd-analyze", "verify", ...files], {
        encoding: "utf8",
      });
      return stderr.split("\n").filter((line) => line.includes("rollcall"));
    };
    expect(complaints(...units)).toEqual([]);
    // It does look: a command that is not there, a word that it does not know.
    const unit = root.run("cat", `/usr/lib/systemd/system/${SERVICE}`);
    const broken = unit
      .replace("/usr/bin/rollcall", "/usr/bin/rollcal")
      .replace("Restart=always", "Restart=ever");
    writeFileSync(join(root.path, "tmp", "rollcall-broken.service"), broken);
    expect(complaints("/tmp/rollcall-broken.service").join("\n")).toMatch(
      /rollcal is not executable[\s\S]*ever|ever[\s\S]*rollcal is not/,
    );
  });

  it("has the settings that it ships, and answers a mail server from them as its user", async () => {
    edit(SETTINGS, (text) =>
      text
        .replace(/^# url = .*$/m, `url = "${edge.url}"`)
        .replaceAll(/^(\w+) = "127\.0\.0\.1:\d+"$/gm, '$1 = "127.0.0.1:0"'),
    );
    // The service gets both as credentials, which are its own.
    const credentials = mkdtempSync(join(root.path, "run", "credentials-"));
    const inside = credentials.slice(root.path.length);
    copyFileSync(edge.checkToken, join(credentials, "token"));
    copyFileSync(join(root.path, SETTINGS), join(credentials, "rollcall.toml"));
    root.run("chown", "-R", "rollcall:rollcall", inside);
    const bridge = root.start(
      "rollcall",
      "rollcall",
      ...["bridge", "--config", `${inside}/rollcall.toml`, "--token-file", `${inside}/token`],
    );
    await expectAnswers(bridge);
    const owner = execFileSync("ps", ["-o", "uid=", "-p", String(bridge.child.pid)], { encoding: "utf8" });
    expect(owner.trim()).toBe(root.run("id", "-u", "rollcall").trim());
    expect(await bridge.stop()).toMatchObject({ code: 0 });
    rmSync(credentials, { recursive: true });
  });

  it("says where `rollcall dev` works", () => {
    expect(() => root.run("rollcall", "dev")).toThrow(/exit 1[\s\S]*clone of the repository/);
  });

  it("keeps edited settings and a disabled service over an upgrade that ships other settings", async () => {
    const edited = readFileSync(join(root.path, SETTINGS), "utf8");
    expect(edited).toContain(edge.url);
    root.run("systemctl", "disable", SERVICE);
    writeFileSync(join(root.path, "etc/rollcall/token"), "a token", { mode: 0o600 });

    install(buildChanged(), "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold");
    expect(root.run("dpkg", "-s", "rollcall")).toContain(`\nVersion: ${version}-2\n`);
    expect(readFileSync(join(root.path, SETTINGS), "utf8")).toBe(edited);
    expect(readFileSync(join(root.path, `${SETTINGS}.dpkg-dist`), "utf8")).toContain("# of the next build");
    expect(enabled()).toBe("disabled");
    expect(root.run("cat", "/etc/rollcall/token")).toBe("a token");
    expect(root.run("rollcall", "--version")).toBe(`${version}\n`);
  });

  it("keeps settings and token if it is removed, and leaves only its user if it is purged", () => {
    root.run("apt-get", "remove", "-y", "rollcall");
    expect(root.has(SETTINGS)).toBe(true);
    expect(root.has("/etc/rollcall/token")).toBe(true);
    expect(root.has("/usr/bin/rollcall")).toBe(false);

    root.run("apt-get", "purge", "-y", "rollcall");
    const left = root
      .run("find", "/etc", "/usr", "/var/lib/systemd", "-not", "-type", "d")
      .split("\n")
      .filter((path) => !files.includes(path));
    // Copies that the tools for users make.
    expect(
      left.filter((path) => !/^\/etc\/\.?(?:passwd|group|shadow|gshadow|subuid|subgid)-?$/.test(path)),
    ).toEqual([]);
    for (const path of ["/etc/rollcall", "/usr/lib/rollcall", "/var/lib/rollcall"]) {
      expect(root.has(path), path).toBe(false);
    }
    expect(root.run("getent", "passwd", "rollcall")).toContain("rollcall");
  });

  /** The next build, whose settings differ. */
  function buildChanged(): string {
    const tree = join(folder, "tree");
    for (const part of PARTS) cpSync(join(ROOT, part), join(tree, part), { recursive: true });
    const settings = join(tree, "packaging", "etc", "rollcall.toml");
    writeFileSync(settings, `${readFileSync(settings, "utf8")}# of the next build\n`);
    return buildDeb(join(folder, "debs"), { revision: "2", tree });
  }
});

/** What packaging/deb/build.mjs reads. */
const PARTS = [
  "packaging",
  "integrations",
  "examples",
  "docs",
  "dist/cli",
  "dist/man",
  "dist/completion",
  "package.json",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
  "CONTRIBUTING.md",
  "SECURITY.md",
];
