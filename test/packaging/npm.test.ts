import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FULL, ifFull } from "../support/full.ts";
import { environment, NODE_20, ROOT, Running, temporaryFolder } from "../support/processes.ts";
import { expectAnswers, type PublishedEdge, startPublishedEdge } from "./support/questions.ts";

const NODE_24 = join(ROOT, "node_modules", "node", "bin", "node");

/** npm's own script, to run it under another Node than its own. */
const NPM = [NODE_20 ?? "", "/usr/bin/node"]
  .map((node) => join(dirname(node), "npm"))
  .filter((file) => existsSync(file))
  .map((file) => realpathSync(file))[0];

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

describe.skipIf(NPM === undefined || !FULL).each([
  ["20", NODE_20],
  ["24", NODE_24],
])(ifFull("the npm package, installed on Node %s"), (major, node) => {
  const home = temporaryFolder();
  const prefix = join(home, "prefix");
  const command = join(prefix, "bin", "rollcall");
  let edge: PublishedEdge;

  /** The installed command, by its name on the PATH, with this Node. */
  const rollcall = (...args: string[]): Running =>
    new Running("rollcall", args, {
      cwd: home,
      env: environment(home, { PATH: `${dirname(command)}:${dirname(node as string)}:/usr/bin:/bin` }),
    });

  beforeAll(async () => {
    expect(node, `there is no Node ${major}`).toBeDefined();
    const npm = [NPM as string, "--offline", "--cache", join(home, "cache")];
    const script = join(ROOT, "packaging", "npm", "build.mjs");
    const tarball = execFileSync(node as string, [script, "--output", home], { encoding: "utf8" }).trim();
    // Offline: whatever it needed besides would have to be in the tarball.
    const { stderr } = spawnSync(
      node as string,
      [...npm, "install", "--global", "--prefix", prefix, tarball],
      {
        cwd: home,
        env: environment(home, { PATH: `${dirname(node as string)}:/usr/bin:/bin` }),
        encoding: "utf8",
      },
    );
    // npm 11 warns about scripts that it did not run.
    expect(stderr).toBe("");
    edge = await startPublishedEdge(home);
  });
  afterAll(() => edge?.stop());

  it("is one package, without wrangler, workerd or vitest, and small", () => {
    const modules = join(prefix, "lib", "node_modules");
    expect(readdirSync(modules)).toEqual(["rollcall"]);
    const files = readdirSync(join(modules, "rollcall"), { recursive: true, encoding: "utf8" });
    expect(files.filter((file) => /node_modules|wrangler|workerd|vitest/.test(file))).toEqual([]);
    const bytes = files.reduce((sum, file) => sum + statSync(join(modules, "rollcall", file)).size, 0);
    expect(bytes).toBeLessThan(3_000_000);
  });

  it("prints its version, and has manual pages", async () => {
    expect(await rollcall("--version").ended).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    for (const page of ["rollcall.1", "rollcall-bridge.1"]) {
      expect(readFileSync(join(prefix, "share", "man", "man1", page), "utf8")).toContain("rollcall");
    }
  });

  it("publishes a list, and answers a mail server from it", async () => {
    const list = join(home, "more.txt");
    writeFileSync(list, "alice@example.org\nbob@example.org\n");
    const to = ["--url", edge.url, "--token-file", edge.adminToken];
    const { code, stdout } = await rollcall(
      "publish",
      "--domain",
      "example.org",
      list,
      "--enforce",
      "--yes",
      ...to,
    ).ended;
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("example.org") });
    const from = ["--url", edge.url, "--token-file", edge.checkToken];
    const bridge = rollcall("bridge", "--socketmap", "127.0.0.1:0", ...from);
    await expectAnswers(bridge);
    expect(await bridge.stop()).toMatchObject({ code: 0 });
  });

  it("says where `rollcall dev` works", async () => {
    const { code, stdout, stderr } = await rollcall("dev").ended;
    expect(stderr).toMatch(/`rollcall dev` needs the runtime of Workers[\s\S]*clone of the repository/);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(existsSync(join(home, ".rollcall"))).toBe(false);
  });

  it("names itself in the next steps of init, and never npx", async () => {
    const { code, stdout } = await rollcall("init", "--dir", "new").ended;
    expect(stdout).toMatch(/^ +rollcall publish --observe/m);
    expect(stdout).not.toContain("npx");
    expect(code).toBe(0);
    // For editors.
    const [directive = ""] = readFileSync(join(home, "new", "rollcall.toml"), "utf8").split("\n");
    const modules = realpathSync(join(prefix, "lib", "node_modules", "rollcall"));
    expect(directive).toBe(`#:schema ${join(modules, "dist", "cli", "rollcall.schema.json")}`);
    expect(existsSync(directive.replace("#:schema ", ""))).toBe(true);
  });
});
