import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { rollcall, type Said, type Surroundings } from "../support/fake-platform.ts";
import { type Ended, startCli, startDev, temporaryFolder } from "../support/processes.ts";

/* What people meet in their first hour with the command, against the real edge in workerd. */

const root = temporaryFolder();
let url = "";
let admin = "";
let count = 0;

beforeAll(async () => {
  url = (await startDev(join(root, "state"), { home: root })).url;
  admin = readFileSync(join(root, "state", "admin-token"), "utf8").trim();
}, 60_000);

/** A folder and a domain that nobody used before. */
function fresh() {
  const number = count++;
  const cwd = join(root, `work-${number}`);
  mkdirSync(cwd);
  const domain = `first${number}.example`;
  const env = { ROLLCALL_URL: url, ROLLCALL_TOKEN: admin };
  /** The command as a process. */
  const start = (args: string, more: Record<string, string> = {}): Promise<Ended> =>
    startCli(args.split(" "), { home: cwd, env: { ...env, ...more } }).ended;
  /** The command in this process, where a person may sit at the terminal. */
  const run = (args: string, more: Partial<Surroundings> = {}): Promise<Said> =>
    rollcall(args.split(" "), { cwd, ...more, env: { ...env, ...more.env } });
  const write = (name: string, text: string): void =>
    writeFileSync(join(cwd, name), text.replaceAll("@D", `@${domain}`));
  const names = (text: string): void => write("list.txt", text.replaceAll(/(\S+) ?/g, "$1@D\n"));
  return { cwd, domain, start, run, write, names };
}

describe("usage errors and hints", () => {
  it.each([
    ["token create --role chek", "rollcall token create --help"],
    ["token revoke", "rollcall token revoke --help"],
    ["token frob", "rollcall token --help"],
    ["publish --frob", "rollcall publish --help"],
    ["frob", "rollcall --help"],
  ])("rollcall %s points to the help of that command: %s", async (args, help) => {
    const { code, stderr } = await fresh().start(args);
    expect(code).toBe(2);
    expect(stderr).toContain(`(${help} shows`);
    expect((await fresh().start(help.replace("rollcall ", ""))).code).toBe(0);
  });

  it("do not say in other words what the message said", async () => {
    const { start, domain, names } = fresh();
    const wrong = await start("status", { ROLLCALL_TOKEN: "wrong" });
    expect(wrong).toMatchObject({ code: 6 });
    expect(wrong.stderr.match(/expired or revoked/g)).toHaveLength(1);
    expect(wrong.stderr).toMatch(/what to do: set ROLLCALL_TOKEN/);
    const long = await start(`rollback ${domain} --to 1 --yes --note ${"n".repeat(201)}`);
    expect(long.stderr).not.toMatch(/that is named/);

    names("a b c d e f g h i j");
    await start(`publish --domain ${domain} list.txt --yes`);
    names("c d e f g h i j");
    await start(`publish --domain ${domain} list.txt --yes`);
    // Few of the newest list, and more than the edge lets go in a day.
    names("d e f g h i j");
    const guarded = await start(`publish --domain ${domain} list.txt --yes`);
    expect(guarded).toMatchObject({ code: 4 });
    expect(guarded.stderr.match(/would refuse/g)).toHaveLength(1);
    expect(guarded.stderr.match(/nothing was changed/g)).toHaveLength(1);
    expect(guarded.stderr.match(/force/g)).toHaveLength(1);
    const revoke = await start("token revoke 0123456789abcdef");
    expect(revoke).toMatchObject({ code: 3 });
    expect(revoke.stderr).toMatch(/what to do: .*rollcall token list/);
  });

  it("shows no default where there is none", async () => {
    const { start } = fresh();
    for (const command of ["publish", "export", "init", "token create"]) {
      expect((await start(`${command} --help`)).stdout).not.toMatch(/\[\]/);
    }
  });
});

describe("rollcall status", () => {
  it("ends with 3 for a domain that has no list, and says so", async () => {
    const { domain, start, names, write } = fresh();
    const said = await start("status nosuch.example");
    expect(said).toMatchObject({ code: 3, stdout: expect.stringContaining("no list published") });
    expect(said.stderr).toMatch(/nosuch\.example/);
    names("a b");
    await start(`publish --domain ${domain} list.txt --yes`);
    expect(await start(`status ${domain} nosuch.example`)).toMatchObject({ code: 3 });
    expect(await start(`status ${domain}`)).toMatchObject({ code: 0, stderr: "" });
    // Monitoring keeps its code, in which a list that is not there counts as stale.
    expect(await start("status nosuch.example --max-age 2d")).toMatchObject({ code: 1 });
    write(
      "rollcall.toml",
      `[domains."${domain}"]\nlist = "list.txt"\n[domains."other.example"]\nlist = "x"\n`,
    );
    const token = (await start(`token create --role publish --domain ${domain} --domain other.example`))
      .stdout;
    expect(await start("status", { ROLLCALL_TOKEN: token.trim() })).toMatchObject({ code: 3 });
  });

  it("does not show the trial domains that doctor deleted, unless they are named", {
    timeout: 60_000,
  }, async () => {
    const { start } = fresh();
    const report = await start("doctor --json", {});
    expect(report.code).toBe(0);
    const [trial] = /rollcall-doctor-[0-9a-f]+\.invalid/.exec(report.stdout) as RegExpExecArray;
    // What was answered about it is counted once the isolate asks its Registry again.
    const ask = async (path: string): Promise<string> =>
      (await fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${admin}` } })).text();
    while (!(await ask("/v1/status")).includes(trial as string)) {
      await ask("/v1/rcpt/postmaster");
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    for (const args of ["status", "status --json"]) {
      expect((await start(args)).stdout).not.toContain(".invalid");
    }
    expect((await start(`status ${trial}`)).stdout).toMatch(/deleted/);
  });
});

describe("rollcall init", () => {
  it("makes the list that it tells to publish, empty, so that nothing is published by mistake", async () => {
    const { cwd, domain, start, write } = fresh();
    const { stdout, code } = await start(`init --domain ${domain}`);
    expect(code).toBe(0);
    const list = join(cwd, "lists", `${domain}.txt`);
    expect(existsSync(list)).toBe(true);
    expect(statSync(list).mode & 0o777).toBe(0o600);
    expect(stdout).toContain(`wrote lists/${domain}.txt`);
    const early = await start("publish --yes");
    expect(early).toMatchObject({ code: 4, stderr: expect.stringMatching(/is empty/) });
    write(`lists/${domain}.txt`, "alice@D\n");
    // What it told to do next works as it stands.
    const next = /(?:npx )?rollcall (publish .*?)(?: {2,}.*)?$/m.exec(stdout)?.[1] as string;
    expect(next).toContain("--observe");
    expect(await start(`${next} --yes`)).toMatchObject({ code: 0 });
    const again = await start(`init --domain ${domain}`);
    expect(again.stdout).toContain(`lists/${domain}.txt is there already`);
    expect(readFileSync(list, "utf8")).toBe(`alice@${domain}\n`);
  });

  it("says of .dev.vars what docs/deploying.md says", async () => {
    const { cwd, start } = fresh();
    await start("init");
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

describe("the departure grace", () => {
  it("is called grace in rollcall.toml, in the API and by the option", async () => {
    const { domain, start, names } = fresh();
    names("a b");
    expect((await start("publish --help")).stdout).toMatch(/--grace <seconds>/);
    expect((await start("publish --help")).stdout).not.toMatch(/departure-grace/);
    const grace = async (): Promise<unknown> => {
      const response = await fetch(`${url}/v1/domains/${domain}`, {
        headers: { authorization: `Bearer ${admin}` },
      });
      return ((await response.json()) as { policy: { grace: number } }).policy.grace;
    };
    expect(await start(`publish --domain ${domain} list.txt --yes --grace 60`)).toMatchObject({ code: 0 });
    expect(await grace()).toBe(60);
    // The option's old name goes on working.
    expect(await start(`publish --domain ${domain} list.txt --yes --departure-grace 0`)).toMatchObject({
      code: 0,
    });
    expect(await grace()).toBe(0);
    expect(
      await start(`publish --domain ${domain} list.txt --yes --grace 5 --departure-grace 6`),
    ).toMatchObject({ code: 2 });
  });

  it("counts a name that came back no more among those that leave", async () => {
    const { domain, start, names } = fresh();
    const publish = (): Promise<Ended> => start(`publish --domain ${domain} list.txt --yes`);
    names("a b c d e f");
    await publish();
    names("b c d e f");
    await publish();
    names("a b c d e f");
    await publish();
    const { generations } = JSON.parse((await start(`history ${domain} --json`)).stdout);
    expect(generations.map((each: { departures: number }) => each.departures)).toEqual([0, 1, 0]);
  });
});

describe("rollcall publish", () => {
  it("tells what is wrong with a list in the order of its lines", async () => {
    const { domain, start, write } = fresh();
    write("l.csv", "address,state\nb@D,active\na@D,active\nb@D,full\nnope\na@D,full\nnope\n");
    const { code, stderr } = await start(`publish --domain ${domain} l.csv --yes`);
    expect(code).toBe(3);
    const lines = [...stderr.matchAll(/l\.csv:(\d+):/g)].map((match) => Number(match[1]));
    expect(lines).toEqual([4, 5, 6, 7]);
  });

  it("names who comes and who leaves, and not more of them than people read", async () => {
    const { domain, start, names } = fresh();
    names("a b c d e f g h");
    const first = await start(`publish --domain ${domain} list.txt --yes`);
    expect(first.stdout).toContain(`  joins      a@${domain}\n`);
    names(`a b c d e f g ${Array.from({ length: 30 }, (_, i) => `new${i}`).join(" ")}`);
    const { stdout } = await start(`publish --domain ${domain} list.txt --dry-run`);
    expect(stdout).toContain(`  leaves     h@${domain}\n`);
    expect(stdout).toContain(`  joins      new0@${domain}\n`);
    expect(stdout.match(/^ {2}joins +\S+@/gm)).toHaveLength(20);
    expect(stdout).toContain("  joins      and 10 more\n");
    expect(stdout).not.toMatch(/joins +a@/);
    const json = JSON.parse((await start(`publish --domain ${domain} list.txt --dry-run --json`)).stdout);
    expect(json.domains[0].coming).toHaveLength(30);
    expect(json.domains[0].coming[29]).toBe(`new29@${domain}`);
  });

  it("wants the name of a domain typed before it empties its list", async () => {
    const { domain, run, write, names } = fresh();
    names("a b");
    await run(`publish --domain ${domain} list.txt --yes`);
    write("empty.txt", "# nobody\n");
    const empty = `publish --domain ${domain} empty.txt --force`;
    const refused = await run(empty, { answer: "y" });
    expect(refused).toMatchObject({ code: 5 });
    expect(refused.asked.at(-1)).toMatch(new RegExp(`every recipient[\\s\\S]*${domain}`));
    expect(await run(empty)).toMatchObject({ code: 5, asked: [] });
    expect(await run(empty, { answer: domain })).toMatchObject({ code: 0 });
    names("a b");
    await run(`publish --domain ${domain} list.txt --yes`);
    // Scripts say so by two flags, as ever.
    expect(await run(`${empty} --yes`)).toMatchObject({ code: 0, asked: [] });
  });
});

describe("rollcall.toml", () => {
  it("may hold the edge's URL, which an option and the environment replace", async () => {
    const { start, write } = fresh();
    const nowhere = { ROLLCALL_URL: "" };
    write("rollcall.toml", `url = "${url}/"\n`);
    expect(await start("check a@b.example", nowhere)).toMatchObject({ code: 0, stderr: "" });
    expect(await start("doctor", nowhere)).toMatchObject({ code: 0 });
    write("rollcall.toml", 'url = "http://127.0.0.1:1"\n');
    expect(await start("check a@b.example")).toMatchObject({ code: 0 });
    expect(await start(`check a@b.example --url ${url}`, nowhere)).toMatchObject({ code: 0 });
    expect(await start("check a@b.example", nowhere)).toMatchObject({ code: 6 });
    write("rollcall.toml", '\nurl = "rollcall"\n');
    const wrong = await start("check a@b.example", nowhere);
    expect(wrong).toMatchObject({ code: 3 });
    expect(wrong.stderr).toMatch(/rollcall\.toml:2: url must be /);
  });

  it("is named where no edge is", async () => {
    const { start } = fresh();
    const said = await start("check a@b.example", { ROLLCALL_URL: "" });
    expect(said).toMatchObject({ code: 2, stderr: expect.stringMatching(/url = .*rollcall\.toml/) });
  });

  it("lets a publish be counted as fresh by status under the same URL", async () => {
    const { domain, run, write, names } = fresh();
    names("a b");
    write("rollcall.toml", `url = "${url}"\n[domains."${domain}"]\nlist = "list.txt"\n`);
    const days = (count: number) => ({
      now: () => Date.now() + count * 86_400_000,
      env: { ROLLCALL_URL: "" },
    });
    expect(await run("publish --yes", days(0))).toMatchObject({ code: 0 });
    expect((await run("publish --yes", days(3))).stdout).toContain("nothing to change");
    expect(await run(`status ${domain} --max-age 2d`, days(4))).toMatchObject({ code: 0 });
  });
});
