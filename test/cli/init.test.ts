import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readVars } from "../../src/cli/dev/vars.ts";
import { readMasterKey } from "../../src/directory/index.ts";
import { rollcall } from "../support/fake-platform.ts";
import { startDev, temporaryFolder } from "../support/processes.ts";

const root = temporaryFolder();
let count = 0;

/** A folder in which `rollcall init` was run. */
async function initialised(...domains: string[]): Promise<{ cwd: string; vars: Record<string, string> }> {
  const cwd = join(root, `work-${count++}`);
  mkdirSync(join(cwd, "lists"), { recursive: true });
  const options = domains.flatMap((domain) => ["--domain", domain]);
  expect(await rollcall(["init", ...options], { cwd })).toMatchObject({ code: 0, stderr: "" });
  return { cwd, vars: readVars(readFileSync(join(cwd, ".dev.vars"), "utf8")) };
}

const list = (cwd: string, domain: string, names: string): void =>
  writeFileSync(join(cwd, "lists", `${domain}.txt`), names.replaceAll(/(\S+) ?/g, `$1@${domain}\n`));

describe("rollcall key new", () => {
  it("prints a new master key alone, which every part takes", async () => {
    const keys = [
      await rollcall(["key", "new"], { cwd: root }),
      await rollcall(["key", "new"], { cwd: root }),
    ];
    for (const { code, stdout, stderr } of keys) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^[\w-]{43}\n$/);
      expect(readMasterKey(stdout)).toHaveLength(32);
    }
    expect(keys[0]?.stdout).not.toBe(keys[1]?.stdout);
    const { stdout } = await rollcall(["key", "new", "--json"], { cwd: root });
    expect(readMasterKey((JSON.parse(stdout) as { key: string }).key)).toHaveLength(32);
  });

  it("is one key in either spelling of base64", async () => {
    const { vars } = await initialised("example.com");
    const key = vars.ROLLCALL_MASTER_KEY ?? "";
    const standard = Buffer.from(key, "base64url").toString("base64");
    expect(readMasterKey(standard)).toEqual(readMasterKey(key));
  });
});

describe("rollcall init", () => {
  it("writes keys that only their owner can read, and settings that can be published", async () => {
    const { cwd, vars } = await initialised("example.com", "Bücher.example");
    expect(statSync(join(cwd, ".dev.vars")).mode & 0o777).toBe(0o600);
    expect(readMasterKey(vars.ROLLCALL_MASTER_KEY ?? "")).toHaveLength(32);
    expect(vars.ROLLCALL_ADMIN_TOKEN).toMatch(/^[\w-]{43}$/);
    list(cwd, "example.com", "a");
    list(cwd, "xn--bcher-kva.example", "b");
    const dev = await startDev("state", { home: cwd });
    const env = { ROLLCALL_URL: dev.url, ROLLCALL_TOKEN: vars.ROLLCALL_ADMIN_TOKEN ?? "" };
    const said = await rollcall(["publish", "--yes", "--json"], { cwd, env });
    await dev.process.stop();
    expect(said.code).toBe(0);
    const { domains } = JSON.parse(said.stdout) as { domains: { domain: string }[] };
    expect(domains.map(({ domain }) => domain)).toEqual(["example.com", "xn--bcher-kva.example"]);
  });

  it("overwrites nothing", async () => {
    const { cwd, vars } = await initialised();
    writeFileSync(join(cwd, "rollcall.toml"), "# mine\n");
    const again = await rollcall(["init", "--json"], { cwd });
    expect(JSON.parse(again.stdout).written).toEqual({ "rollcall.toml": false, ".dev.vars": false });
    expect(readFileSync(join(cwd, "rollcall.toml"), "utf8")).toBe("# mine\n");
    expect(readVars(readFileSync(join(cwd, ".dev.vars"), "utf8"))).toEqual(vars);
  });

  it("creates new keys every time, in the given folder", async () => {
    const cwd = join(root, "other");
    mkdirSync(cwd);
    expect(await rollcall(["init", "--dir", "deep/down"], { cwd })).toMatchObject({ code: 0 });
    const { vars } = await initialised();
    const other = readVars(readFileSync(join(cwd, "deep", "down", ".dev.vars"), "utf8"));
    expect(other.ROLLCALL_MASTER_KEY).not.toBe(vars.ROLLCALL_MASTER_KEY);
    expect(other.ROLLCALL_MASTER_KEY).not.toBe(other.ROLLCALL_ADMIN_TOKEN);
  });

  it("writes settings without a domain, which publish then reports", async () => {
    const { cwd } = await initialised();
    const said = await rollcall(["publish", "--yes"], {
      cwd,
      env: { ROLLCALL_URL: "http://127.0.0.1", ROLLCALL_TOKEN: "t" },
    });
    expect(said).toMatchObject({ code: 3, stderr: expect.stringContaining("rollcall.toml names no domain") });
  });
});
