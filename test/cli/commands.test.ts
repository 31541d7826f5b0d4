import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { challengePage, startFakeEdge } from "../support/fake-edge.ts";
import { rollcall, type Said, type Surroundings } from "../support/fake-platform.ts";
import { NODE_20, startCli, startDev, temporaryFolder } from "../support/processes.ts";

/* The command against the real edge in workerd. Each test has a domain and a folder of its own. */

const root = temporaryFolder();
let url = "";
let admin = "";
let count = 0;

beforeAll(async () => {
  const dev = await startDev(join(root, "state"), { home: root });
  url = dev.url;
  admin = readFileSync(join(root, "state", "admin-token"), "utf8").trim();
}, 60_000);

/** A folder and a domain that nobody used before. */
function fresh() {
  const number = count++;
  const cwd = join(root, `work-${number}`);
  mkdirSync(cwd);
  const domain = `d${number}.example`;
  const run = (args: string, more: Partial<Surroundings> = {}): Promise<Said> =>
    rollcall(args.split(" "), {
      cwd,
      ...more,
      env: { ROLLCALL_URL: url, ROLLCALL_TOKEN: admin, ...more.env },
    });
  const write = (name: string, text: string): void =>
    writeFileSync(join(cwd, name), text.replaceAll("@D", `@${domain}`));
  /** Publishes names as a list; `args` go behind --yes. */
  const publish = (names: string, args = ""): Promise<Said> => {
    write(
      "list.txt",
      names
        .split(" ")
        .map((name) => `${name}@D\n`)
        .join(""),
    );
    return run(`publish --domain ${domain} list.txt --yes${args === "" ? "" : ` ${args}`}`);
  };
  const verdict = async (local: string): Promise<string> => {
    const { stdout } = await run(`check ${local}@${domain} --json`);
    return (JSON.parse(stdout) as { verdict: string }).verdict;
  };
  return { cwd, domain, run, write, publish, verdict };
}

const TEN = "a b c d e f g h i postmaster";

describe("rollcall publish", () => {
  it("publishes a list of addresses, and finds nothing to change the next time", async () => {
    const { domain, run, publish, verdict } = fresh();
    const first = await publish(TEN);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(
      /10 active[\s\S]*10 added[\s\S]*passes[\s\S]*published d\d+\.example as generation/,
    );
    expect(await verdict("A+news")).toBe("deliverable");
    expect(await verdict("nobody")).toBe("unknown");
    const second = await publish(TEN);
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(second.stdout).toContain("nothing to change");
    const history = await run(`history ${domain} --json`);
    expect(JSON.parse(history.stdout).generations).toHaveLength(1);
  });

  it("publishes CSV with states", async () => {
    const { domain, run, write, verdict } = fresh();
    write("l.csv", "address,state\r\na@D,\r\nb@D,disabled\r\nc@D,full\r\nd@D,moved\r\n");
    expect(await run(`publish --domain ${domain} l.csv --yes`)).toMatchObject({ code: 0 });
    expect(await Promise.all(["a", "b", "c", "d"].map(verdict))).toEqual([
      "deliverable",
      "disabled",
      "full",
      "moved",
    ]);
  });

  it("publishes a list of many shards, and then only what changed", { timeout: 60_000 }, async () => {
    const { domain, run, write, verdict } = fresh();
    const lines = Array.from({ length: 30_000 }, (_, i) => `user${i}@D\n`);
    write("big.txt", lines.join(""));
    expect(await run(`publish --domain ${domain} big.txt --yes`)).toMatchObject({ code: 0, stderr: "" });
    expect(await verdict("user29999")).toBe("deliverable");
    write("big.txt", lines.slice(1).join(""));
    const { stdout } = await run(`publish --domain ${domain} big.txt --yes --json`);
    const [result] = JSON.parse(stdout).domains;
    expect(result.difference).toEqual({ added: 0, removed: 1, changed: 0, lost: 1 });
    expect(result.leaving).toEqual([{ address: `user0@${domain}`, how: "removed" }]);
    expect(await verdict("user0")).toBe("departed");
  });

  it("is held back by the guard, unless forced, and that is recorded", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    const refused = await publish("a b postmaster");
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(
      /refused by the guard; nothing was changed[\s\S]*would refuse 7 of 10[\s\S]*--force/,
    );
    expect(refused.stdout).toContain(`leaves     c@${domain}`);
    expect(await verdict("c")).toBe("deliverable");
    expect(await publish("a b postmaster", "--force --note spring")).toMatchObject({ code: 0 });
    expect(await verdict("c")).toBe("departed");
    const { generations } = JSON.parse((await run(`history ${domain} --json`)).stdout);
    expect(generations[0]).toMatchObject({ forced: true, note: "spring", counts: { active: 3 } });
  });

  it("is judged against every list of a day, which the edge is asked for", async () => {
    const { publish } = fresh();
    await publish(TEN);
    expect((await publish(TEN.replace("a b ", ""))).code).toBe(0);
    const refused = await publish(TEN.replace("a b c ", ""));
    expect(refused).toMatchObject({ code: 4 });
    expect(refused.stdout).toMatch(/guard {6}refuses: it would refuse 3 of 10 names of generation \d+/);
    expect(refused.stderr).toMatch(/3 of 10 names[\s\S]*what to do: /);
  });

  it("sets mode and grace, which a publish without them keeps", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN, "--observe --departure-grace 0");
    const shown = async () => JSON.parse((await run(`check x@${domain} --json`)).stdout);
    expect(await shown()).toMatchObject({ verdict: "unknown", action: "accept", mode: "observe" });
    expect(await publish(TEN.replace("a ", ""))).toMatchObject({ code: 0 });
    expect(await shown()).toMatchObject({ mode: "observe" });
    expect(await verdict("a")).toBe("unknown");
    await publish(TEN.replace("a ", ""), "--enforce");
    expect(await shown()).toMatchObject({ action: "reject", mode: "enforce" });
  });

  it("publishes nothing of a list with malformed lines, unless they are to be skipped", async () => {
    const { domain, run, write, verdict } = fresh();
    write("l.txt", "a@D\nnope\nb@elsewhere.example\na@D\n");
    const refused = await run(`publish --domain ${domain} l.txt --yes`);
    expect(refused).toMatchObject({ code: 3, stdout: "" });
    expect(refused.stderr).toContain("l.txt:2: no domain");
    expect(refused.stderr).toContain("l.txt:3: an address of elsewhere.example, not of");
    expect(await verdict("a")).toBe("not-served");
    const skipped = await run(`publish --domain ${domain} l.txt --yes --skip-invalid`);
    expect(skipped.code).toBe(0);
    expect(skipped.stdout).toMatch(
      /duplicate\s+1 line repeated[\s\S]*l.txt:4[\s\S]*malformed\s+2 lines left out/,
    );
    expect(await verdict("a")).toBe("deliverable");
  });

  it("asks before it publishes, and does nothing without a yes", async () => {
    const { domain, run, write, verdict } = fresh();
    write("l.txt", "a@D\n");
    const args = `publish --domain ${domain} l.txt`;
    const nobody = await run(args);
    expect(nobody).toMatchObject({ code: 5, asked: [] });
    expect(nobody.stdout).toContain("1 added");
    expect(nobody.stderr).toContain("--yes");
    expect(await run(args, { answer: "" })).toMatchObject({
      code: 5,
      asked: [expect.stringContaining("Publish 1 domain")],
    });
    expect(await verdict("a")).toBe("not-served");
    expect(await run(args, { answer: "y" })).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("deliverable");
  });

  it("shows a plan and changes nothing with --dry-run", async () => {
    const { domain, run, publish, write, verdict } = fresh();
    await publish(TEN);
    write("l.txt", "z@D\n");
    const dry = await run(`publish --domain ${domain} l.txt --dry-run --json`);
    expect(dry.code).toBe(4);
    expect(JSON.parse(dry.stdout)).toMatchObject({
      published: false,
      domains: [{ guard: expect.any(String) }],
    });
    expect(await verdict("z")).toBe("unknown");
  });

  it("publishes all that rollcall.toml names, with what it says of them", async () => {
    const { cwd, domain, run, write, verdict } = fresh();
    write("a.txt", "a@D\npostmaster@D\n");
    write(
      "rollcall.toml",
      `[domains."${domain}"]\nlist = "a.txt"\nmode = "observe"\ncanaries = ["a@D"]\n[domains."alias-of-${domain}"]\nalias = "${domain}"\n`,
    );
    const done = await run("publish --yes --json");
    expect(done.code).toBe(0);
    const { domains } = JSON.parse(done.stdout);
    expect(domains.map((each: { domain: string }) => each.domain)).toEqual([domain, `alias-of-${domain}`]);
    expect(domains[0].generation).toBe(domains[1].generation);
    const { stdout } = await run(`check a@alias-of-${domain} --json`);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "deliverable" });
    expect(await verdict("z")).toBe("unknown");
    expect(await run("publish --yes")).toMatchObject({ code: 0, stderr: "" });
    for (const file of ["lists", "published"].map((kind) => join(cwd, ".rollcall", kind, domain))) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    write("a.txt", "b@D\nc@D\n");
    const refused = await run("publish --yes --force");
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(new RegExp(`canary is missing[\\s\\S]*a@${domain}`));
    // With a file, policy and mode are left as they are stored, and the canaries still count.
    expect(await run(`publish --domain ${domain} a.txt --yes --force`)).toMatchObject({ code: 4 });
  });

  it("keeps no names where that is switched off", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN, "--no-keep-list");
    const refused = await publish("a b postmaster", "--no-keep-list");
    expect(refused.code).toBe(4);
    expect(refused.stdout).not.toContain(`leaves     c@${domain}`);
    expect((await run(`status ${domain}`)).code).toBe(0);
  });
});

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

  it("answers with 0 whatever the verdict, malformed ones included", async () => {
    const { run } = fresh();
    const { code, stdout } = await run("check nonsense");
    expect(code).toBe(0);
    expect(stdout).toMatch(/understood +not as an address: no domain[\s\S]*501 5\.1\.3/);
  });
});

describe("rollcall status", () => {
  it("tells a fresh list from a stale one, and from one that is not there", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    const day = 86_400_000;
    const later = { now: () => Date.now() + 3 * day };
    expect(await run(`status ${domain} --max-age 2d`)).toMatchObject({ code: 0, stderr: "" });
    const stale = await run(`status ${domain} --max-age 2d --json`, later);
    expect(stale).toMatchObject({ code: 1, stderr: expect.stringContaining(`stale: ${domain}`) });
    expect(JSON.parse(stale.stdout).domains).toMatchObject([{ domain, stale: true, state: "served" }]);
    expect(await run("status none.example --max-age 2d")).toMatchObject({ code: 1 });
    expect(await run("status none.example")).toMatchObject({ code: 3 });
  });

  it("counts a publish that found nothing to change", async () => {
    const { domain, run, write, publish } = fresh();
    await publish(TEN);
    const day = 86_400_000;
    const later = (days: number) => ({ now: () => Date.now() + days * day });
    write(
      "list.txt",
      TEN.split(" ")
        .map((name) => `${name}@D\n`)
        .join(""),
    );
    expect((await run(`publish --domain ${domain} list.txt --yes`, later(3))).stdout).toContain(
      "nothing to change",
    );
    expect(await run(`status ${domain} --max-age 2d`, later(4))).toMatchObject({ code: 0 });
    expect(await run(`status ${domain} --max-age 2d`, later(6))).toMatchObject({ code: 1 });
  });

  it("shows all domains to an admin, and to others those of their token", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    const all = await run("status");
    expect(all.stdout).toMatch(/DOMAIN +GENERATION/);
    expect(all.stdout).toContain(domain);
    const token = (await run(`token create --role publish --domain ${domain}`)).stdout.trim();
    const { code, stdout } = await run("status --json", { env: { ROLLCALL_TOKEN: token } });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ domains: [{ domain, state: "served" }], registry: null });
  });

  it("tells a mail host, by its check token, whether its list is stale", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    const token = (await run(`token create --role check --domain ${domain}`)).stdout.trim();
    const env = { ROLLCALL_TOKEN: token };
    const later = () => Date.now() + 3 * 86_400_000;
    for (const named of ["", ` ${domain}`]) {
      const shown = await run(`status${named} --max-age 2d`, { env });
      expect(shown).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining(domain) });
      expect(await run(`status${named} --max-age 2d`, { env, now: later })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`stale: ${domain}`),
      });
    }
    expect(await run("status elsewhere.example", { env })).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("does not cover elsewhere.example"),
    });
  });
});

describe("rollcall rollback, history and delete", () => {
  it("go back under a new number, when confirmed", async () => {
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
    expect(await run(`rollback ${domain} --to 999999 --yes`)).toMatchObject({ code: 3 });
    expect(await run(`rollback never.example --yes`)).toMatchObject({ code: 3 });
    expect(await run(`rollback ${domain} --to x --yes`)).toMatchObject({ code: 2 });
  });

  it("end a domain, which is deferred then, and bring it back", async () => {
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
  it("makes a token that stands alone on standard output, lists and revokes it", async () => {
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
      new RegExp(`${id} +check +${domain} .*good until .* mx1`),
    );
    expect(await run(`token revoke ${id}`)).toMatchObject({ code: 0 });
    expect((await run("token list")).stdout).toMatch(new RegExp(`${id} .*revoked`));
    expect(await run(`check a@${domain}`, { env })).toMatchObject({ code: 6, stdout: "" });
    expect(await run("token revoke 0123456789abcdef")).toMatchObject({ code: 3 });
  });

  it("is enough for a publisher of one domain, who needs nothing else", async () => {
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

describe("exit codes and words", () => {
  it.each<[string, string, number]>([
    ["an unknown command", "frobnicate", 2],
    ["an unknown option", "status --frob", 2],
    ["a list without a domain", "publish l.txt", 2],
    ["neither file nor settings", "publish --yes", 2],
    ["two modes at once", "publish --domain a.example l.txt --observe --enforce", 2],
    ["a grace that is none", "publish --domain a.example l.txt --departure-grace soon", 2],
    ["a domain that is none", "publish --domain a..b l.txt", 2],
    ["two files", "publish --domain a.example l.txt m.txt", 2],
    ["a role that is none", "token create --role root", 2],
    ["a publish token for all", "token create --role publish", 2],
    ["an age without a unit", "status --max-age 2", 2],
    ["a URL that is none", "status --url rollcall", 2],
    ["a file that is not there", "publish --domain a.example missing.txt --yes", 3],
    ["settings that are not there", "publish --config missing.toml --yes", 3],
    ["a domain that was never published", "history never.example", 3],
    ["a token file that is not there", "status --token-file missing", 3],
  ])("%s: %s", async (_, args, code) => {
    const said = await fresh().run(args);
    expect(said).toMatchObject({ code, stdout: "" });
    expect(said.stderr).toMatch(/^error: .+\n[\s\S]*(what to do: |--help)/);
    expect(said.stderr).not.toMatch(/^ +at |\.ts:\d/m);
    const json = await fresh().run(`${args} --json`);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { exit: code, message: expect.any(String) } });
  });

  it.each([
    ["no edge is named", { ROLLCALL_URL: "" }],
    ["no token is given", { ROLLCALL_TOKEN: "" }],
    ["the token has characters", { ROLLCALL_TOKEN: "a b" }],
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

  it("are 6 where the edge refuses the token, is not there, or is behind a bot filter", async () => {
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
      stderr: expect.stringMatching(/bot filter[\s\S]*switch the bot filter/),
    });
    const stranger = await startFakeEdge((_, response) => void response.writeHead(404).end("no"));
    expect(await run("status a.example", { env: { ROLLCALL_URL: stranger.url } })).toMatchObject({ code: 6 });
  });

  it("send nothing to a terminal that a list or an address may hold", async () => {
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

  it("warn of a token that crosses the network in the clear", async () => {
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
  ])("reach a script: the command as a process (%s)", { timeout: 30_000 }, async (_, node) => {
    const { cwd, domain, write } = fresh();
    write("l.txt", "a@D\nnope\n");
    const env = { ROLLCALL_URL: url, ROLLCALL_TOKEN: admin };
    const start = (...args: string[]) => startCli(args, { home: cwd, env, node }).ended;
    expect(await start("publish", "--domain", domain, "l.txt", "--yes")).toMatchObject({ code: 3 });
    expect(await start("publish", "--domain", domain, "l.txt")).toMatchObject({ code: 3 });
    write("l.txt", "a@D\n");
    expect(await start("publish", "--domain", domain, "l.txt")).toMatchObject({ code: 5 });
    expect(await start("publish", "--domain", domain, "l.txt", "--yes")).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(await start("check", `a@${domain}`)).toMatchObject({ code: 0 });
    expect(await start("frob")).toMatchObject({ code: 2 });
  });
});
