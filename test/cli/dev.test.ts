import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMPATIBILITY_DATE } from "../../src/cli/dev/local-edge.ts";
import { readVars, writeVars } from "../../src/cli/dev/vars.ts";
import { listens } from "../mta/support/waiting.ts";
import { FULL, ifFull } from "../support/full.ts";
import {
  busyPort,
  COMMAND,
  type Ended,
  environment,
  NODE_20,
  ROOT,
  Running,
  startCli,
  startDev,
  temporaryFolder,
} from "../support/processes.ts";

const SLOW = 180_000;

const portOf = (url: string): number => Number(new URL(url).port);
const adminToken = (state: string): string => readFileSync(join(state, "admin-token"), "utf8").trim();

/** Runs `rollcall dev` where it cannot start. */
const refused = (state: string, home: string, args: readonly string[] = ["--port", "0"]): Promise<Ended> =>
  startCli(["dev", "--state", state, ...args], { home }).ended;

/** What a person is told: what is wrong, what to do, and nothing of our code. */
function expectClearMessage({ code, stdout, stderr }: Ended, exit: number, pattern: RegExp): void {
  expect(stderr).toMatch(pattern);
  expect(stderr).toMatch(/^what to do: /m);
  expect(stderr).not.toMatch(/^ +at |\.ts:|\.js:\d/m);
  expect(stdout).toBe("");
  expect(code).toBe(exit);
}

async function verdictOf(url: string, token: string, recipient: string): Promise<string> {
  const response = await fetch(`${url}/v1/rcpt`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ recipient }),
  });
  return ((await response.json()) as { verdict: string }).verdict;
}

async function publish(home: string, url: string, token: string, list: string): Promise<Ended> {
  writeFileSync(join(home, "list.txt"), list);
  const env = { ROLLCALL_URL: url, ROLLCALL_TOKEN: token };
  return startCli(["publish", "--domain", "example.org", "list.txt", "--enforce", "--yes"], { home, env })
    .ended;
}

describe("rollcall dev", () => {
  it("creates secrets, prints that it is ready, and listens on loopback only", {
    timeout: SLOW,
  }, async () => {
    const home = temporaryFolder();
    const state = join(home, "deep", "state");
    const dev = await startDev(state, { home });
    expect(dev.process.stdout).toMatch(/^.*\bready\b.*http:\/\/127\.0\.0\.1:\d+$/m);
    expect(await (await fetch(`${dev.url}/healthz`)).json()).toMatchObject({ status: "ok", faults: [] });
    const description = await fetch(`${dev.url}/v1/openapi.json`);
    expect(description.headers.get("Cache-Control")).toBe("private, no-store");
    expect(await description.json()).toMatchObject({ openapi: "3.1.0" });
    // The runtime's own answer would be a page.
    const nothing = await fetch(`${dev.url}/v1/openapi`);
    expect([nothing.status, await nothing.json()]).toMatchObject([404, { error: { code: "not_found" } }]);
    for (const file of ["admin-token", ".dev.vars"]) {
      expect(statSync(join(state, file)).mode & 0o777).toBe(0o600);
    }
    const others = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    for (const { address, family, internal } of others) {
      if (family === "IPv4" && !internal) expect(await listens(portOf(dev.url), address)).toBe(false);
    }
    expect(await dev.process.stop("SIGTERM")).toMatchObject({ code: 0 });
    expect(await listens(portOf(dev.url))).toBe(false);
  });

  it("keeps lists and tokens between runs, and logs no recipient", {
    timeout: SLOW,
  }, async () => {
    const home = temporaryFolder();
    const state = join(home, "state");
    const first = await startDev(state, { home });
    const token = adminToken(state);
    expect(await publish(home, first.url, token, "alice@example.org\n")).toMatchObject({ code: 0 });
    expect(await verdictOf(first.url, token, "alice@example.org")).toBe("deliverable");
    const stopped = await first.process.stop("SIGINT");
    expect(stopped.code).toBe(0);

    const second = await startDev(state, { home });
    expect(adminToken(state)).toBe(token);
    expect(await verdictOf(second.url, token, "alice@example.org")).toBe("deliverable");
    expect(await verdictOf(second.url, token, "nobody@example.org")).toBe("unknown");
    const again = await second.process.stop();
    expect(stopped.stdout + stopped.stderr + again.stdout + again.stderr).not.toMatch(/alice|nobody|rcpt/);
  });

  it.runIf(FULL)(ifFull("stores where wrangler's local commands look"), { timeout: SLOW }, async () => {
    const home = temporaryFolder();
    const state = join(home, "state");
    const dev = await startDev(state, { home });
    expect(await publish(home, dev.url, adminToken(state), "alice@example.org\n")).toMatchObject({ code: 0 });
    // Its command's own file: the one in bin/ ends with 0 and prints nothing where this one was killed.
    const command = join(ROOT, "node_modules", "wrangler", "wrangler-dist", "cli.js");
    const local = ["--binding", "ROLLCALL_KV", "--local", "--persist-to", state];
    const wrangler = (...args: string[]): Promise<Ended> =>
      new Running(process.execPath, [command, "kv", ...args, ...local], {
        cwd: ROOT,
        env: environment(home, { WRANGLER_SEND_METRICS: "false", CI: "true" }),
      }).ended;
    // KV is copied to within moments.
    await expect
      .poll(() => wrangler("key", "list"), { interval: 500 })
      .toMatchObject({ code: 0, stdout: expect.stringContaining("domain/example.org") });
    // And the other way round, while the edge runs: a damaged manifest is noticed, so the edge reads what was put.
    writeFileSync(
      join(home, "bulk.json"),
      JSON.stringify([
        { key: "domain/example.org", value: Buffer.from([0xff, 0, 1]).toString("base64"), base64: true },
      ]),
    );
    expect(await wrangler("bulk", "put", join(home, "bulk.json"))).toMatchObject({ code: 0 });
    const shown = await fetch(`${dev.url}/v1/domains/example.org`, {
      headers: { authorization: `Bearer ${adminToken(state)}` },
    });
    expect(((await shown.json()) as { kv: { state: string } }).kv.state).toBe("damaged");
    await dev.process.stop();
  });

  it("reads secrets and settings from .dev.vars in the current folder", { timeout: SLOW }, async () => {
    const home = temporaryFolder();
    const token = "an-admin-token-of-somebody-s-own";
    const key = Buffer.alloc(32, 7).toString("base64url");
    writeFileSync(
      join(home, ".dev.vars"),
      `# mine\nROLLCALL_MASTER_KEY="${key}"\nexport ROLLCALL_ADMIN_TOKEN = ${token} # comment\n`,
    );
    const state = join(home, "state");
    const dev = await startDev(state, { home });
    expect(existsSync(join(state, ".dev.vars"))).toBe(false);
    expect(adminToken(state)).toBe(token);
    expect(await verdictOf(dev.url, token, "postmaster")).toBe("deliverable");
    await dev.process.stop();

    rmSync(join(home, ".dev.vars"));
    expectClearMessage(await refused(state, home), 3, /secrets of the state folder .* are missing/);
    writeFileSync(join(home, ".dev.vars"), "ROLLCALL_MASTER_KEY=\n");
    expectClearMessage(await refused(state, home), 3, /\.dev\.vars: ROLLCALL_MASTER_KEY is missing/);
    writeFileSync(join(home, ".dev.vars"), `ROLLCALL_MASTER_KEY=c2hvcnQ\nROLLCALL_ADMIN_TOKEN=${token}\n`);
    expectClearMessage(await refused(state, home), 3, /ROLLCALL_MASTER_KEY: .*bytes instead of 32/);
    const other = Buffer.alloc(32, 8).toString("base64url");
    writeFileSync(join(home, ".dev.vars"), `ROLLCALL_MASTER_KEY=${other}\nROLLCALL_ADMIN_TOKEN=${token}\n`);
    expectClearMessage(await refused(state, home), 3, /another ROLLCALL_MASTER_KEY/);
    writeFileSync(join(home, ".dev.vars"), "what is this\n");
    expectClearMessage(await refused(state, home), 3, /line 1 is not NAME=value/);
  });

  it("says which setting of the Worker is wrong", { timeout: SLOW }, async () => {
    const home = temporaryFolder();
    const { code, stderr } = await startCli(["dev", "--port", "0", "--state", "state"], {
      home,
      env: { ROLLCALL_WINDOW: "soon" },
    }).ended;
    expect(stderr).toMatch(/ROLLCALL_WINDOW/);
    expect(code).toBe(3);
  });

  it("refuses a port that is in use", { timeout: SLOW }, async () => {
    const home = temporaryFolder();
    const busy = await busyPort();
    const args = ["--port", String(busy.port)];
    expectClearMessage(
      await refused("state", home, args),
      2,
      new RegExp(`port ${busy.port} of .* is in use`),
    );
    const smtp = ["--port", "0", "--front-end", String(busy.port)];
    expectClearMessage(await refused("state", home, smtp), 2, /is in use/);
    busy.free();
    expect(await refused("state", home, ["--port", "mail"])).toMatchObject({ code: 2 });
    // Nothing was made of it.
    expect(existsSync(join(home, "state"))).toBe(false);
  });

  it("refuses a folder that has other files or is incomplete", { timeout: SLOW }, async () => {
    const home = temporaryFolder();
    mkdirSync(join(home, "foreign"));
    writeFileSync(join(home, "foreign", "thesis.txt"), "chapter 1");
    expectClearMessage(await refused("foreign", home), 3, /foreign has other files \(such as thesis\.txt\)/);
    expect(existsSync(join(home, "foreign", "admin-token"))).toBe(false);

    writeFileSync(join(home, "file"), "");
    expectClearMessage(await refused("file", home), 3, /state folder file is not a folder/);
    expectClearMessage(await refused("file/state", home), 3, /is not a folder/);

    mkdirSync(join(home, "half", "v3", "do"), { recursive: true });
    expectClearMessage(await refused("half", home), 3, /half is incomplete: rollcall-state\.json is missing/);

    mkdirSync(join(home, "damaged"));
    writeFileSync(
      join(home, "damaged", ".dev.vars"),
      writeVars({
        ROLLCALL_MASTER_KEY: Buffer.alloc(32).toString("base64url"),
        ROLLCALL_ADMIN_TOKEN: "x".repeat(32),
      }),
    );
    writeFileSync(join(home, "damaged", "rollcall-state.json"), '{"for');
    expectClearMessage(await refused("damaged", home), 3, /damaged is incomplete/);
    writeFileSync(join(home, "damaged", "rollcall-state.json"), '{"format":99,"key":"x"}');
    expectClearMessage(await refused("damaged", home), 3, /made by another release/);
  });

  it("refuses a folder in use, but not one whose process was killed", { timeout: SLOW }, async () => {
    const home = temporaryFolder();
    const first = await startDev("state", { home });
    expectClearMessage(await refused("state", home), 3, /in use by another `rollcall dev` \(process \d+\)/);
    await first.process.stop("SIGKILL");
    // The runtime goes with it.
    await expect.poll(() => listens(portOf(first.url))).toBe(false);
    const second = await startDev("state", { home });
    await second.process.stop();

    // The number of a process that is gone may belong to another one by now.
    writeFileSync(join(home, "state", "dev.lock"), JSON.stringify({ pid: process.pid, born: "boot/1" }));
    const third = await startDev("state", { home });
    expect(await third.process.stop()).toMatchObject({ code: 0 });
  });

  it("leaves no runtime behind, whichever of its processes is killed", { timeout: SLOW }, async () => {
    const home = temporaryFolder();
    for (const victims of ["the inner one", "both"]) {
      const dev = await startDev("state", { home });
      // The inner process has the folder, and the runtime as its child.
      const { pid } = JSON.parse(readFileSync(join(home, "state", "dev.lock"), "utf8")) as { pid: number };
      if (victims === "both") dev.process.child.kill("SIGKILL");
      process.kill(pid, "SIGKILL");
      await dev.process.ended;
      await expect.poll(() => listens(portOf(dev.url)), { message: victims }).toBe(false);
    }
    const next = await startDev("state", { home });
    expect(await next.process.stop()).toMatchObject({ code: 0 });
  });

  it("keeps its lists under another master key with --new-master-key", {
    timeout: SLOW,
  }, async () => {
    const home = temporaryFolder();
    const vars = (key: number): string =>
      `ROLLCALL_MASTER_KEY=${Buffer.alloc(32, key).toString("base64url")}\nROLLCALL_ADMIN_TOKEN=${"t".repeat(32)}\n`;
    writeFileSync(join(home, ".dev.vars"), vars(1));
    const first = await startDev("state", { home });
    const token = adminToken(join(home, "state"));
    expect(await publish(home, first.url, token, "alice@example.org\n")).toMatchObject({ code: 0 });
    await first.process.stop();

    writeFileSync(join(home, ".dev.vars"), vars(2));
    const said = await refused("state", home);
    expectClearMessage(said, 3, /another ROLLCALL_MASTER_KEY/);
    expect(said.stderr).toMatch(/--new-master-key/);
    const second = await startDev("state", { home, args: ["--new-master-key"] });
    // As in a deployment: what was published under the old key defers until it is published again.
    expect(await verdictOf(second.url, token, "alice@example.org")).toBe("unavailable");
    const env = { ROLLCALL_URL: second.url, ROLLCALL_TOKEN: token };
    const args = ["publish", "--domain", "example.org", "list.txt", "--enforce", "--yes"];
    expect(await startCli(args, { home, env }).ended).toMatchObject({ code: 4 });
    expect(await startCli([...args, "--force"], { home, env }).ended).toMatchObject({ code: 0 });
    // Work that failed is not begun again for a second.
    const asked = (): Promise<string> => verdictOf(second.url, token, "alice@example.org");
    await expect.poll(asked).toBe("deliverable");
    await second.process.stop();

    // The folder is of the new key from then on.
    const third = await startDev("state", { home });
    expect(await verdictOf(third.url, token, "alice@example.org")).toBe("deliverable");
    await third.process.stop();
  });

  it.runIf(FULL)(
    ifFull("rehearses the steps of docs/deploying.md for a master key that is lost"),
    {
      timeout: SLOW,
    },
    async () => {
      const [, block = ""] =
        /<!-- lost key: .*? -->\n```sh\n([\s\S]*?)```/.exec(
          readFileSync(join(ROOT, "docs", "deploying.md"), "utf8"),
        ) ?? [];
      const steps = block
        .split("\n")
        .map((line) => line.replace(/\s+#.*|^#.*/, ""))
        .filter((line) => line !== "");
      const home = temporaryFolder();
      const writeKey = (key: string): void =>
        writeFileSync(
          join(home, ".dev.vars"),
          `ROLLCALL_MASTER_KEY=${key}\nROLLCALL_ADMIN_TOKEN=${"t".repeat(32)}\n`,
        );
      writeKey(Buffer.alloc(32, 250).toString("base64"));
      writeFileSync(join(home, "list.txt"), "alice@example.org\n");
      writeFileSync(join(home, "rollcall.toml"), '[domains."example.org"]\nlist = "list.txt"\n');
      let dev = await startDev("state", { home });
      const admin = adminToken(join(home, "state"));
      // `npx rollcall` is this release's command; what `npx wrangler secret put` is given, the local edge gets below.
      mkdirSync(join(home, "bin"));
      const npx = `#!/bin/sh
test "$1" = wrangler && { echo "$*" > put; cat > put.key; exit; }
shift
exec "${process.execPath}" "${COMMAND}" "$@"
`;
      writeFileSync(join(home, "bin", "npx"), npx, { mode: 0o755 });
      const sh = async (line: string): Promise<string> => {
        const PATH = `${join(home, "bin")}:${process.env.PATH}`;
        const env = environment(home, { PATH, ROLLCALL_URL: dev.url, ROLLCALL_TOKEN: admin });
        const ended = await new Running("sh", ["-ec", line], { cwd: home, env }).ended;
        expect([line, ended]).toEqual([line, expect.objectContaining({ code: 0 })]);
        return ended.stdout;
      };
      const asked = (token: string): Promise<string> => verdictOf(dev.url, token, "alice@example.org");
      await sh("npx rollcall publish --yes");
      const old = (await sh("npx rollcall token create --role check --domain example.org")).trim();
      expect(await asked(old)).toBe("deliverable");
      const ran: string[] = [];
      for (const step of steps) {
        const listed = await sh("npx rollcall token list");
        const [, id = ""] = /^(\w{16}) .*made under another master key/m.exec(listed) ?? [];
        await sh(step.replace("0123456789abcdef", id).replace("publish --force", "publish --force --yes"));
        ran.push(step.replace(/^.*npx (\w+ \w+).*$/, "$1"));
        if (!step.includes("wrangler")) continue;
        expect(readFileSync(join(home, "put"), "utf8")).toBe("wrangler secret put ROLLCALL_MASTER_KEY\n");
        await dev.process.stop();
        writeKey(readFileSync(join(home, "put.key"), "utf8").trim());
        dev = await startDev("state", { home, args: ["--new-master-key"] });
        expect(await asked(admin)).toBe("unavailable");
      }
      const tokens = ["token list", "token create", "token revoke"].map(() => "rollcall token");
      expect(ran).toEqual([
        "rollcall key",
        "wrangler secret",
        "rollcall publish",
        ...tokens,
        "rollcall doctor",
      ]);
      const now = readFileSync(join(home, "check-token"), "utf8").trim();
      // Work that failed is not begun again for a second.
      await expect.poll(() => asked(now)).toBe("deliverable");
      expect(await sh("npx rollcall token list")).toMatch(/ revoked /);
      await dev.process.stop();
    },
  );

  it.skipIf(NODE_20 === undefined)(
    "runs itself under a newer Node where Node 20 starts it",
    { timeout: SLOW },
    async () => {
      const home = temporaryFolder();
      const dev = await startDev("state", { home, node: NODE_20 as string });
      expect(await verdictOf(dev.url, adminToken(join(home, "state")), "postmaster")).toBe("deliverable");
      expect(await dev.process.stop("SIGINT")).toMatchObject({ code: 0, stderr: "" });
      expect(await listens(portOf(dev.url))).toBe(false);
    },
  );

  it("runs the Worker under the compatibility date of wrangler.toml", () => {
    expect(readFileSync(join(ROOT, "wrangler.toml"), "utf8")).toContain(
      `compatibility_date = "${COMPATIBILITY_DATE}"`,
    );
  });
});

describe(".dev.vars", () => {
  it("is read as it is written", () => {
    const vars = { A: "1", B_2: "x=y", C: "" };
    expect(readVars(writeVars(vars))).toEqual(vars);
    expect(readVars("\r\n# c\nA='a # b' # c\nB=\"\"\n C = d e#f \n")).toEqual({
      A: "a # b",
      B: "",
      C: "d e#f",
    });
  });
});
