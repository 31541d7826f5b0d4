import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Ended, ROOT, Running, temporaryFolder } from "../support/processes.ts";

/** A fake wrangler: records its arguments, and lists the given secrets. */
const FAKE = `
import { appendFileSync, readFileSync, statSync } from "node:fs";
const args = process.argv.slice(2);
const at = args.indexOf("--secrets-file");
const secrets = at < 0 ? null : JSON.parse(readFileSync(args[at + 1], "utf8"));
const mode = at < 0 ? null : statSync(args[at + 1]).mode & 0o777;
appendFileSync(process.env.CALLS, JSON.stringify({ args, secrets, mode }) + "\\n");
if (args[0] === "secret") {
  if (process.env.LIST === "none") { console.error('Worker "rollcall" not found.'); process.exit(1); }
  if (process.env.LIST === "login") { console.error("You are not logged in."); process.exit(1); }
  console.log(process.env.LIST);
}
`;

interface Call {
  readonly args: string[];
  readonly secrets: Record<string, string> | null;
  readonly mode: number | null;
}

describe("npm run deploy", () => {
  /** Deploys from a copy, so that no .dev.vars of this clone is read. */
  async function deploy(
    list: string,
    vars: string | null,
    ...args: string[]
  ): Promise<Ended & { calls: Call[] }> {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "scripts"));
    cpSync(join(ROOT, "scripts", "deploy.mjs"), join(folder, "scripts", "deploy.mjs"));
    writeFileSync(join(folder, "wrangler.mjs"), FAKE);
    if (vars !== null) writeFileSync(join(folder, ".dev.vars"), vars);
    const calls = join(folder, "calls");
    const env = { CALLS: calls, LIST: list, ROLLCALL_WRANGLER: join(folder, "wrangler.mjs") };
    const ended = await new Running(process.execPath, [join(folder, "scripts", "deploy.mjs"), ...args], {
      env,
    }).ended;
    const lines = existsSync(calls) ? readFileSync(calls, "utf8").trimEnd().split("\n") : [];
    return { ...ended, calls: lines.map((line) => JSON.parse(line) as Call) };
  }

  const VARS =
    "# secrets\nROLLCALL_MASTER_KEY=the-key\nROLLCALL_ADMIN_TOKEN='the-token'\nROLLCALL_WINDOW=5\n";
  const both = { ROLLCALL_MASTER_KEY: "the-key", ROLLCALL_ADMIN_TOKEN: "the-token" };
  const list = (...names: string[]): string =>
    JSON.stringify(names.map((name) => ({ name, type: "secret_text" })));

  it("gives a new Worker its secrets, in a file that is deleted afterwards", async () => {
    const { code, calls, stdout } = await deploy("none", VARS);
    expect(code).toBe(0);
    expect(calls.map(({ args }) => args[0])).toEqual(["secret", "deploy"]);
    expect(calls[1]).toMatchObject({ secrets: both, mode: 0o600 });
    expect(existsSync(calls[1]?.args.at(-1) as string)).toBe(false);
    expect(stdout).not.toMatch(/the-key|the-token/);
  });

  it("never replaces an existing secret", async () => {
    const all = await deploy(`some remark\n${list(...Object.keys(both))}`, VARS, "--strict");
    expect(all.calls[1]).toEqual({ args: ["deploy", "--strict"], secrets: null, mode: null });
    const one = await deploy(list("ROLLCALL_MASTER_KEY"), VARS);
    expect(one.calls[1]?.secrets).toEqual({ ROLLCALL_ADMIN_TOKEN: "the-token" });
  });

  it("deploys nothing if secrets are missing on both sides, or without a login", async () => {
    for (const vars of [null, "ROLLCALL_MASTER_KEY=\n"]) {
      const { code, stderr, calls } = await deploy("none", vars);
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /no ROLLCALL_MASTER_KEY and no ROLLCALL_ADMIN_TOKEN yet.*\nwhat to do: `npx rollcall init`/,
      );
      expect(calls).toHaveLength(1);
    }
    const { code, stderr, calls } = await deploy("login", VARS);
    expect(code).toBe(1);
    expect(stderr).toMatch(/You are not logged in[\s\S]*wrangler login/);
    expect(calls).toHaveLength(1);
  });

  it("asks about the Worker that is deployed, and keeps options about secrets", async () => {
    const { calls } = await deploy(list(), VARS, "--env", "staging", "-c", "other.toml");
    expect(calls[0]?.args).toEqual([
      "secret",
      "list",
      "--format",
      "json",
      "--env",
      "staging",
      "--config",
      "other.toml",
    ]);
    for (const own of [["--dry-run"], ["--secrets-file=mine.json"]]) {
      const said = await deploy("none", null, ...own);
      expect(said.calls.map(({ args }) => args)).toEqual([["deploy", ...own]]);
    }
  });
});
