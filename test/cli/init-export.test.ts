import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readVars } from "../../src/cli/dev/vars.ts";
import { readMasterKey } from "../../src/directory/index.ts";
import { rollcall, type Said } from "../support/fake-platform.ts";
import { environment, ROOT, Running, startDev, temporaryFolder } from "../support/processes.ts";

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

  it("makes the same lists in either spelling of base64", async () => {
    const { cwd, vars } = await initialised("example.com");
    list(cwd, "example.com", "a b c");
    const key = vars.ROLLCALL_MASTER_KEY ?? "";
    const standard = Buffer.from(key, "base64url").toString("base64");
    const run = (text: string): Promise<Said> =>
      rollcall(["export", "--kv-bulk", "kv.json"], { cwd, env: { ROLLCALL_MASTER_KEY: text } });
    expect(await run(key)).toMatchObject({ code: 0 });
    // Names under another key could not be compared, and the guard would refuse.
    expect(await run(standard)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("nothing to change"),
    });
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
    const said = await rollcall(["export", "--kv-bulk", "kv.json", "--json"], { cwd, env: vars });
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

describe("rollcall export", () => {
  it("reports what is wrong, and then writes nothing", async () => {
    const { cwd, vars } = await initialised("example.com");
    const run = (args: string, env: Record<string, string> = vars): Promise<Said> =>
      rollcall(["export", ...args.split(" ")], { cwd, env });
    const file = join(cwd, "kv.json");
    rmSync(join(cwd, "lists", "example.com.txt"));
    expect(await run("--kv-bulk kv.json")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("ENOENT"),
    });
    list(cwd, "example.com", "a b c d e f g h i j");
    expect(await run("--kv-bulk kv.json", {})).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(".dev.vars"),
    });
    expect(await run("--kv-bulk kv.json", { ROLLCALL_MASTER_KEY: "short" })).toMatchObject({ code: 3 });
    expect(existsSync(file)).toBe(false);
    expect(await run("--kv-bulk kv.json")).toMatchObject({ code: 0 });
    const written = readFileSync(file, "utf8");
    expect(await run("--kv-bulk kv.json")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("nothing to change"),
    });
    const other = { ROLLCALL_MASTER_KEY: vars.ROLLCALL_ADMIN_TOKEN as string };
    expect(await run("--kv-bulk kv.json", other)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("cannot be continued"),
    });
    list(cwd, "example.com", "a");
    const refused = await run("--kv-bulk kv.json");
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("would refuse 9 of 10 names") });
    expect(await run("--kv-bulk kv.json --dry-run")).toMatchObject({ code: 4 });
    expect(readFileSync(file, "utf8")).toBe(written);
    expect(await run("--kv-bulk kv.json --force")).toMatchObject({ code: 0 });
    expect(readFileSync(file, "utf8")).not.toBe(written);
    writeFileSync(file, "[");
    expect(await run("--kv-bulk kv.json")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("was not written by this command"),
    });
  });

  it("is answered from once wrangler has put it into KV, until the Registry has a head", async () => {
    const { cwd, vars } = await initialised("example.com", "large.example");
    list(cwd, "example.com", "john jane postmaster");
    // Large enough to have shards of its own.
    list(cwd, "large.example", Array.from({ length: 7_000 }, (_, i) => `user${i}`).join(" "));
    const env = { ...vars };
    const exported = async (): Promise<void> => {
      expect(await rollcall(["export", "--enforce", "--kv-bulk", "kv.json"], { cwd, env })).toMatchObject({
        code: 0,
        stderr: "",
      });
      const wrangler = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
      const put = [
        "kv",
        "bulk",
        "put",
        "kv.json",
        "--local",
        "--persist-to",
        "state",
        "--namespace-id",
        "ROLLCALL_KV",
      ];
      const run = new Running(process.execPath, [wrangler, ...put], {
        cwd,
        env: environment(cwd, { CI: "1", WRANGLER_SEND_METRICS: "false" }),
      });
      expect(await run.ended).toMatchObject({ code: 0 });
    };
    await exported();
    list(cwd, "example.com", "john postmaster");
    await exported();
    const dev = await startDev("state", { home: cwd });
    const run = (args: string): Promise<Said> =>
      rollcall(args.split(" "), {
        cwd,
        env: { ROLLCALL_URL: dev.url, ROLLCALL_TOKEN: vars.ROLLCALL_ADMIN_TOKEN as string },
      });
    const asked =
      "john@example.com jane@example.com nobody@example.com user6999@large.example x@large.example";
    const results = async () => JSON.parse((await run(`check ${asked} --json`)).stdout).results;
    const fromKv = { origin: "kv", confirmed_age: null };
    expect(await results()).toMatchObject([
      { verdict: "deliverable", generation: expect.any(Number), ...fromKv },
      { verdict: "departed", ...fromKv },
      { verdict: "unknown", action: "reject", ...fromKv },
      { verdict: "deliverable", generation: expect.any(Number), ...fromKv },
      { verdict: "unknown", ...fromKv },
    ]);
    expect((await run("check john@example.com")).stdout).toMatch(
      /put into KV without the Registry[\s\S]*as fresh as KV is/,
    );
    const status = await run("status example.com --json");
    expect(JSON.parse(status.stdout).domains).toMatchObject([
      { state: "kv", generation: expect.any(Number) },
    ]);
    expect((await run("status example.com")).stdout).toContain("from KV alone");

    list(cwd, "example.com", "john jane postmaster newcomer");
    expect(await run("publish --domain example.com --yes")).toMatchObject({ code: 0 });
    expect(await results()).toMatchObject([
      { verdict: "deliverable", origin: "registry" },
      { verdict: "deliverable", origin: "registry" },
      { verdict: "unknown", origin: "registry" },
      { verdict: "deliverable", ...fromKv },
      { verdict: "unknown", ...fromKv },
    ]);
    await dev.process.stop();
  });
});
