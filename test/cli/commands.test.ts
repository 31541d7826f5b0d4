import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { challengePage, startFakeEdge } from "../support/fake-edge.ts";
import { NODE_20 } from "../support/processes.ts";
import { TEN, useEdge } from "./support/workspace.ts";

/* The command against the real edge in workerd. Each test has a domain and a folder of its own. */

const { fresh } = useEdge();

describe("rollcall check", () => {
  it("explains a verdict", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    const { code, stdout } = await run(`check "A"+x@${domain.toUpperCase()} z@${domain}`);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`domain ${domain}`));
    expect(stdout).toMatch(
      /verdict +unknown \(reject\)[\s\S]*SMTP +550 5\.1\.1[\s\S]*confirmed +by the Registry/,
    );
    const json = JSON.parse((await run(`check b+x@${domain} z@${domain} --json`)).stdout);
    expect(json.results).toMatchObject([{ matched: "subaddress" }, { verdict: "unknown" }]);
  });

  it("exits with 0 whatever the verdict, malformed addresses included", async () => {
    const { run } = fresh();
    const { code, stdout } = await run("check nonsense");
    expect(code).toBe(0);
    expect(stdout).toMatch(/parsed as +not an address: no domain[\s\S]*501 5\.1\.3/);
  });
});

describe("rollcall rollback, history and delete", () => {
  it("restore a generation under a new number, when confirmed", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    await publish(TEN.replace("a ", ""));
    expect(await verdict("a")).toBe("departed");
    expect(await run(`rollback ${domain}`)).toMatchObject({ code: 5 });
    expect(await verdict("a")).toBe("departed");
    const back = await run(`rollback ${domain} --yes --note oops`);
    expect(back).toMatchObject({ code: 0, stdout: expect.stringMatching(/10 active[\s\S]*published/) });
    expect(await verdict("a")).toBe("deliverable");
    const history = await run(`history ${domain}`);
    expect(history.stdout).toMatch(/rollback +admin +10 +0 +\d+ +override, oops/);
    const audit = await run(`audit --domain ${domain} --action rollback --token admin`);
    expect(audit.stdout).toMatch(new RegExp(`rollback +admin +${domain} +generation \\d+: .*oops`));
    const trail = JSON.parse((await run(`audit --domain ${domain} --limit 1 --json`)).stdout);
    expect([trail.audit.length, trail.more]).toEqual([1, true]);
    expect(await run(`rollback ${domain} --to 999999 --yes`)).toMatchObject({ code: 3 });
    expect(await run(`rollback never.example --yes`)).toMatchObject({ code: 3 });
    expect(await run(`rollback ${domain} --to x --yes`)).toMatchObject({ code: 2 });
  });

  it("delete a domain, which is then deferred, and restore it", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    expect(await run(`delete ${domain}`, { answer: "no" })).toMatchObject({ code: 5 });
    expect(await run(`delete ${domain} --yes`)).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("departed");
    expect(await run(`delete ${domain} --yes`)).toMatchObject({ code: 3 });
    expect((await run(`status ${domain}`)).stdout).toContain("deleted");
    expect(await run(`rollback ${domain} --yes`)).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("deliverable");
    await run(`delete ${domain} --yes`);
    expect(await publish(TEN)).toMatchObject({ code: 0 });
    expect(await verdict("b")).toBe("deliverable");
  });
});

describe("rollcall token", () => {
  it("prints a new token alone on standard output, lists it and revokes it", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    const made = await run(`token create --role check --domain ${domain} --expires 90d --note mx1`);
    expect(made).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^\S+\n$/) });
    const env = { ROLLCALL_TOKEN: made.stdout.trim() };
    expect(await run(`check a@${domain}`, { env })).toMatchObject({ code: 0 });
    expect(await run(`history ${domain}`, { env })).toMatchObject({ code: 6 });
    const listed = JSON.parse((await run("token list --json")).stdout).tokens;
    const { id } = listed.find((each: { note: string }) => each.note === "mx1");
    expect((await run("token list")).stdout).toMatch(
      new RegExp(`${id} +check +${domain} .*valid until .* mx1`),
    );
    expect(await run(`token revoke ${id}`)).toMatchObject({ code: 0 });
    expect((await run("token list")).stdout).toMatch(new RegExp(`${id} .*revoked`));
    expect(await run(`check a@${domain}`, { env })).toMatchObject({ code: 6, stdout: "" });
    expect(await run("token revoke 0123456789abcdef")).toMatchObject({ code: 3 });
  });

  it("of role publish is all that a publisher of one domain needs", async () => {
    const { domain, run, write } = fresh();
    const token = (await run(`token create --role publish --domain ${domain}`)).stdout;
    write("token", token);
    write("l.txt", "a@D\n");
    const env = { ROLLCALL_TOKEN: "" };
    const publish = `publish --domain ${domain} l.txt --yes --token-file token`;
    expect(await run(publish, { env })).toMatchObject({ code: 0 });
    write("l.txt", "a@other.example\n");
    const other = await run("publish --domain other.example l.txt --yes --token-file token", { env });
    expect(other).toMatchObject({ code: 6, stdout: "" });
    expect(other.stderr).toMatch(/what to do: use a token whose role and domains/);
  });
});

describe("rollcall token create", () => {
  it.each(["check", "replica"])(
    "asks which domains a %s token covers, and says what each means",
    async (role) => {
      const { run } = fresh();
      const said = await run(`token create --role ${role}`);
      expect(said).toMatchObject({ code: 2, stdout: "" });
      expect(said.stderr).toMatch(/--domain DOMAIN.*deferred.*--all-domains.*refused \(550 5\.7\.1\)/s);
      const both = await run(`token create --role ${role} --all-domains --domain example.com`);
      expect(both).toMatchObject({ code: 2, stdout: "" });
    },
  );

  it("says of a token for all domains that a domain without a list is refused, and so it is", async () => {
    const { domain, run } = fresh();
    const ask = async (args: string): Promise<unknown> => {
      const made = await run(`token create --role check ${args}`);
      expect(made.code).toBe(0);
      const env = { ROLLCALL_TOKEN: made.stdout.trim() };
      return { stderr: made.stderr, ...JSON.parse((await run(`check a@${domain} --json`, { env })).stdout) };
    };
    expect(await ask(`--domain ${domain}`)).toMatchObject({
      action: "defer",
      reply: expect.stringMatching(/^451 4\.3\.0 /),
      stderr: "",
    });
    expect(await ask("--all-domains")).toMatchObject({
      action: "reject",
      reply: expect.stringMatching(/^550 5\.7\.1 /),
      stderr: expect.stringMatching(/covers all domains.*without a list.*refused/),
    });
  });
});

describe("rollcall token create --role replica", () => {
  it("makes a token that checks, shows its domains and publishes nothing", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    const made = await run(`token create --role replica --domain ${domain} --note bridge1`);
    expect(made).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^\S+\n$/) });
    const env = { ROLLCALL_TOKEN: made.stdout.trim() };
    expect(await run(`check a@${domain}`, { env })).toMatchObject({ code: 0 });
    expect((await run("status", { env })).stdout).toMatch(new RegExp(`${domain.replaceAll(".", "\\.")} `));
    expect(await run(`history ${domain}`, { env })).toMatchObject({ code: 6 });
    expect(await run(`publish --domain ${domain} list.txt --yes`, { env })).toMatchObject({ code: 6 });
    expect((await run("token list")).stdout).toMatch(new RegExp(` replica +${domain} .*valid +bridge1`));
  });

  it("covers every domain with --all-domains", async () => {
    const { run } = fresh();
    const made = await run("token create --role replica --all-domains --note bridge2");
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\S+\n$/) });
    expect((await run("token list")).stdout).toMatch(/ replica +all .*valid +bridge2/);
  });

  it("refuses an alias without its target, and names both", async () => {
    const { domain, run, publish, write } = fresh();
    await publish(TEN);
    const alias = `alias-${domain}`;
    write("alias.toml", `[domains."${alias}"]\nalias = "${domain}"\n`);
    expect(await run("publish --config alias.toml --force --yes")).toMatchObject({ code: 0 });
    const refused = await run(`token create --role replica --domain ${alias}`);
    expect(refused).toMatchObject({ stdout: "" });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(
      `${alias} is an alias of ${domain}: a replica token must name ${domain} too`,
    );
    const both = `token create --role replica --domain ${alias} --domain ${domain}`;
    expect(await run(both)).toMatchObject({ code: 0 });
  });
});

describe("rollcall init", () => {
  it("creates an empty list, so that nothing is published by mistake", async () => {
    const { cwd, domain, run, write } = fresh();
    const { stdout, code } = await run(`init --domain ${domain}`);
    expect(code).toBe(0);
    const list = join(cwd, "lists", `${domain}.txt`);
    expect(existsSync(list)).toBe(true);
    expect(statSync(list).mode & 0o777).toBe(0o600);
    expect(stdout).toContain(`wrote lists/${domain}.txt`);
    const early = await run("publish --yes");
    expect(early).toMatchObject({ code: 4, stderr: expect.stringMatching(/is empty/) });
    write(`lists/${domain}.txt`, "alice@D\n");
    // What it told to do next works as it stands.
    const next = /(?:npx )?rollcall (publish .*?)(?: {2,}.*)?$/m.exec(stdout)?.[1] as string;
    expect(next).toContain("--observe");
    expect(await run(`${next} --yes`)).toMatchObject({ code: 0 });
    const again = await run(`init --domain ${domain}`);
    expect(again.stdout).toContain(`lists/${domain}.txt exists and was not changed`);
    expect(readFileSync(list, "utf8")).toBe(`alice@${domain}\n`);
  });

  it("describes .dev.vars as docs/deploying.md does", async () => {
    const { cwd, run } = fresh();
    await run("init");
    const texts = [
      readFileSync(join(cwd, ".dev.vars"), "utf8"),
      readFileSync(join(import.meta.dirname, "..", "..", ".dev.vars.example"), "utf8"),
    ];
    for (const text of texts) {
      expect(text).toContain("npm run deploy");
      expect(text).not.toContain("wrangler secret put NAME");
    }
  });
});

describe("exit codes and messages", () => {
  it.each<[string, string, number]>([
    ["an unknown command", "frobnicate", 2],
    ["an unknown option", "status --frob", 2],
    ["a list without a domain", "publish l.txt", 2],
    ["neither file nor settings", "publish --yes", 2],
    ["two modes at once", "publish --domain a.example l.txt --observe --enforce", 2],
    ["an invalid grace", "publish --domain a.example l.txt --grace soon", 2],
    ["an invalid domain", "publish --domain a..b l.txt", 2],
    ["two files", "publish --domain a.example l.txt m.txt", 2],
    ["an unknown role", "token create --role root", 2],
    ["a token that names no domains", "token create --role check", 2],
    ["a publish token for all", "token create --role publish --all-domains", 2],
    ["an age without a unit", "status --max-age 2", 2],
    ["an invalid URL", "status --url rollcall", 2],
    ["a missing file", "publish --domain a.example missing.txt --yes", 3],
    ["missing settings", "publish --config missing.toml --yes", 3],
    ["a domain that was never published", "history never.example", 3],
    ["a missing token file", "status --token-file missing", 3],
  ])("%s: %s", async (_, args, code) => {
    const said = await fresh().run(args);
    expect(said).toMatchObject({ code, stdout: "" });
    expect(said.stderr).toMatch(/^error: .+\n[\s\S]*(what to do: |--help)/);
    expect(said.stderr).not.toMatch(/^ +at |\.ts:\d/m);
    const json = await fresh().run(`${args} --json`);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { exit: code, message: expect.any(String) } });
  });

  it.each([
    ["no edge is given", { ROLLCALL_URL: "" }],
    ["no token is given", { ROLLCALL_TOKEN: "" }],
    ["the token contains invalid characters", { ROLLCALL_TOKEN: "a b" }],
  ])("%s: usage", async (message, env) => {
    const said = await fresh().run("status", { env });
    expect(said).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
  });

  it("show help and version on standard output", async () => {
    const { run } = fresh();
    expect(await run("--version")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect(await run("--help")).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining("Exit codes:"),
    });
    expect(await run("publish --help")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("--skip-invalid"),
    });
  });

  it("are 6 if the edge refuses the token, is unreachable, or is behind a bot filter", async () => {
    const { run } = fresh();
    const wrong = await run("check a@b.example", { env: { ROLLCALL_TOKEN: "wrong" } });
    expect(wrong).toMatchObject({ code: 6, stdout: "", stderr: expect.stringContaining("token create") });
    const away = await run("check a@b.example", {
      fetch: () => Promise.reject(new TypeError("fetch failed", { cause: new Error("connection refused") })),
    });
    expect(away).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("cannot be reached: connection refused"),
    });
    const filter = await startFakeEdge((_, response) => challengePage(response));
    const blocked = await run("status a.example", { env: { ROLLCALL_URL: filter.url } });
    expect(blocked).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/bot filter[\s\S]*turn off the bot filter/),
    });
    const stranger = await startFakeEdge((_, response) => void response.writeHead(404).end("no"));
    expect(await run("status a.example", { env: { ROLLCALL_URL: stranger.url } })).toMatchObject({ code: 6 });
  });

  it("pass no control characters of a list or an address to the terminal", async () => {
    const { domain, run, write } = fresh();
    write("l.csv", "address,state\na@D,\u001b]0;owned\u0007\u001b[2J\n");
    const refused = await run(`publish --domain ${domain} l.csv --yes`);
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('"?]0;owned??[2J": use one of'),
    });
    const checked = await run("check \u001b[2Ja@b.example");
    expect(checked).toMatchObject({ code: 0, stdout: expect.not.stringContaining("\u001b") });
  });

  it("warn of a token that is sent unencrypted", async () => {
    const { run } = fresh();
    const env = { ROLLCALL_URL: "http://rollcall.example" };
    const said = await run("check a@b.example", {
      env,
      fetch: () => Promise.reject(new TypeError("offline")),
    });
    expect(said.stderr).toMatch(/^warning: http:\/\/rollcall.example is not https/);
    // Once, however often the URL is needed.
    const status = await run("status a.example", {
      env,
      fetch: () => Promise.reject(new TypeError("offline")),
    });
    expect(status.stderr.match(/is not https/g)).toHaveLength(1);
  });

  it.each([
    ["this Node", process.execPath],
    ["Node 20", NODE_20 ?? process.execPath],
  ])("reach a script that runs the command (%s)", async (_, node) => {
    const { domain, start, write } = fresh();
    write("l.txt", "a@D\nnope\n");
    const publish = `publish --domain ${domain} l.txt`;
    expect(await start(`${publish} --yes`, { node })).toMatchObject({ code: 3 });
    expect(await start(publish, { node })).toMatchObject({ code: 3 });
    write("l.txt", "a@D\n");
    expect(await start(publish, { node })).toMatchObject({ code: 5 });
    expect(await start(`${publish} --yes`, { node })).toMatchObject({ code: 0, stderr: "" });
    expect(await start(`check a@${domain}`, { node })).toMatchObject({ code: 0 });
    expect(await start("frob", { node })).toMatchObject({ code: 2 });
  });
});

describe("usage errors and hints", () => {
  it.each([
    ["token create --role chek", "rollcall token create --help"],
    ["token revoke", "rollcall token revoke --help"],
    ["token frob", "rollcall token --help"],
    ["publish --frob", "rollcall publish --help"],
    ["frob", "rollcall --help"],
  ])("rollcall %s points to the help of that command: %s", async (args, help) => {
    const { code, stderr } = await fresh().run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(`(${help} shows`);
    expect((await fresh().run(help.replace("rollcall ", ""))).code).toBe(0);
  });

  it("say everything once", async () => {
    const { run, domain, names } = fresh();
    const wrong = await run("status", { env: { ROLLCALL_TOKEN: "wrong" } });
    expect(wrong).toMatchObject({ code: 6 });
    expect(wrong.stderr.match(/expired or revoked/g)).toHaveLength(1);
    expect(wrong.stderr).toMatch(/what to do: set ROLLCALL_TOKEN/);
    const long = await run(`rollback ${domain} --to 1 --yes --note ${"n".repeat(201)}`);
    expect(long.stderr).not.toMatch(/that is named/);

    names("a b c d e f g h i j");
    await run(`publish --domain ${domain} list.txt --yes`);
    names("c d e f g h i j");
    await run(`publish --domain ${domain} list.txt --yes`);
    // Few of the newest list, and more than the edge lets go in a day.
    names("d e f g h i j");
    const guarded = await run(`publish --domain ${domain} list.txt --yes`);
    expect(guarded).toMatchObject({ code: 4 });
    expect(guarded.stderr.match(/would refuse/g)).toHaveLength(1);
    expect(guarded.stderr.match(/nothing was changed/g)).toHaveLength(1);
    expect(guarded.stderr.match(/force/g)).toHaveLength(1);
    const revoke = await run("token revoke 0123456789abcdef");
    expect(revoke).toMatchObject({ code: 3 });
    expect(revoke.stderr).toMatch(/what to do: .*rollcall token list/);
  });

  it("show no default if there is none", async () => {
    const { run } = fresh();
    for (const command of ["publish", "export", "init", "token create"]) {
      expect((await run(`${command} --help`)).stdout).not.toMatch(/\[\]/);
    }
  });
});
