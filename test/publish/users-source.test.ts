import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Source } from "../../src/publish/index.ts";
import { endWithUs, until } from "../mta/support/waiting.ts";
import { temporaryFolder } from "../support/folders.ts";
import { hostOf, linesOf, openOne, refusal } from "./support/reading.ts";

const folder = temporaryFolder();

function open(settings: Readonly<Record<string, unknown>>, env: Record<string, string> = {}): Source {
  const host = hostOf(folder, { env: { PATH: process.env.PATH, ...env } });
  return openOne(settings, host);
}

describe("users of the host as a source", () => {
  const PASSWD = `root:x:0:0:root:/root:/bin/bash
ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash
bob:x:1001:1001::/home/bob:/usr/sbin/nologin
eve:x:60000:100::/home/eve:
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;

  it("are those within a range of ids", async () => {
    writeFileSync(join(folder, "passwd"), PASSWD);
    const source = open({ kind: "passwd", path: "passwd" });
    expect(source.describe()).toBe("passwd");
    expect(await linesOf(source)).toEqual([
      "2 ann@example.com active",
      "3 bob@example.com active",
      "4 eve@example.com active",
    ]);
    expect(await linesOf(open({ kind: "passwd", path: "passwd", uid_min: 1001, uid_max: 1001 }))).toEqual([
      "3 bob@example.com active",
    ]);
  });

  it("are in a state by their shell, or are left out", async () => {
    writeFileSync(join(folder, "passwd"), PASSWD);
    const seen = (state: string) =>
      linesOf(open({ kind: "passwd", path: "passwd", shells: { "/usr/sbin/nologin": state, "": "full" } }));
    expect(await seen("disabled")).toEqual([
      "2 ann@example.com active",
      "3 bob@example.com disabled",
      "4 eve@example.com full",
    ]);
    expect(await seen("skip")).toEqual(["2 ann@example.com active", "4 eve@example.com full"]);
  });

  it("are faults if they are no lines of passwd(5)", async () => {
    writeFileSync(join(folder, "bad"), "ann:x:1000:1000::/home/ann\nbob:x:x:1::/:/\n:x:1000:1000::/:/\n\n");
    const lines = await linesOf(open({ kind: "passwd", path: "bad" }));
    expect(lines).toEqual([1, 2, 3].map((n) => expect.stringMatching(`^${n} ! not a line of passwd\\(5\\)`)));
  });

  it("are those of NSS", async () => {
    const source = open({ kind: "passwd", uid_min: 0, uid_max: 0 });
    expect(source.describe()).toBe("source hr (getent passwd)");
    expect((await linesOf(source)).map((line) => line.replace(/^\d+ /, ""))).toEqual([
      "root@example.com active",
    ]);
  });
});

describe("a passwd-file of Dovecot as a source", () => {
  it("names users with and without a domain", async () => {
    writeFileSync(
      join(folder, "users"),
      "# all\nann:{PLAIN}x:1:1::/home\n\nbob@example.net\nEve@example.com::::::\n",
    );
    expect(await linesOf(open({ kind: "dovecot", passwd_file: "users" }))).toEqual([
      "2 ann@example.com active",
      "4 bob@example.net active",
      "5 Eve@example.com active",
    ]);
    expect(await linesOf(open({ kind: "dovecot", passwd_file: "users", other_domains: "skip" }))).toEqual([
      "2 ann@example.com active",
      "5 Eve@example.com active",
    ]);
  });
});

const WITHOUT_DOVECOT = existsSync("/usr/sbin/dovecot")
  ? process.getuid?.() === 0
    ? null
    : "Dovecot wants to be started by root"
  : "Dovecot is not installed";

describe.skipIf(WITHOUT_DOVECOT !== null)(
  `the users of a running Dovecot as a source${WITHOUT_DOVECOT === null ? "" : ` (skipped: ${WITHOUT_DOVECOT})`}`,
  () => {
    const home = join(folder, "dovecot");
    const configuration = join(home, "dovecot.conf");
    // Where a host has its configuration at another place than Debian.
    const env = { CONFIG_FILE: configuration };
    let dovecot: ChildProcess;

    beforeAll(async () => {
      // Dovecot's processes run as nobody.
      chmodSync(folder, 0o755);
      for (const each of ["run", "state"]) mkdirSync(join(home, each), { recursive: true });
      writeFileSync(
        join(home, "users"),
        "ann@example.com:{PLAIN}x:5000:5000::/home\nbob:{PLAIN}x:5000:5000::/home\n",
      );
      writeFileSync(
        configuration,
        `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = ${home}/run
state_dir = ${home}/state
log_path = ${home}/log
protocols =
listen = 127.0.0.1
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
ssl = no
passdb passwd-file {
  passwd_file_path = ${home}/users
}
userdb passwd-file {
  passwd_file_path = ${home}/users
}
`,
      );
      dovecot = spawn("dovecot", ["-c", configuration, "-F"], { stdio: "ignore" });
      endWithUs(dovecot);
      await until(
        "Dovecot lists its users",
        () => spawnSync("doveadm", ["user", "*"], { env: { ...process.env, ...env } }).status === 0,
      );
    });

    afterAll(async () => {
      const ended = new Promise((resolve) => dovecot.once("close", resolve));
      dovecot.kill();
      await ended;
    });

    it("are listed by doveadm", async () => {
      const source = open({ kind: "dovecot" }, env);
      expect(source.describe()).toBe("source hr (doveadm user)");
      expect(await linesOf(source)).toEqual(["1 ann@example.com active", "2 bob@example.com active"]);
    });

    it("are refused if Dovecot does not run", async () => {
      const elsewhere = join(home, "elsewhere.conf");
      writeFileSync(
        elsewhere,
        `dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\nbase_dir = ${home}/none\n`,
      );
      const error = await refusal(() => linesOf(open({ kind: "dovecot" }, { CONFIG_FILE: elsewhere })));
      expect(error.message).toMatch(/^source hr: doveadm ended with exit code \d+; its output was not used$/);
      expect(error.details.at(-1)).toContain("user listing failed");
    });
  },
);
