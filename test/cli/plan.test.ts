import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VERSION } from "../../src/api/index.ts";
import { toHex } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { TEN, useEdge, type Workspace } from "./support/workspace.ts";

const { edge, fresh } = useEdge();

/** Publishes ten names, changes the list, and plans it into `next.plan`. */
async function planned(workspace: Workspace, names = `${TEN} z`) {
  await workspace.publish(TEN);
  workspace.names(names);
  const said = await workspace.run(`plan --domain ${workspace.domain} list.txt --out next.plan`);
  return { said, path: join(workspace.cwd, "next.plan") };
}

describe("rollcall plan", () => {
  it("shows who joins, leaves and changes, and what will be uploaded, and changes nothing", async () => {
    const { domain, run, write, verdict } = fresh();
    const rest = Array.from({ length: 20 }, (_, i) => `user${i}@D,active\n`).join("");
    write("l.csv", `address,state\npostmaster@D,active\na@D,active\nb@D,active\n${rest}`);
    const first = await run(`plan --domain ${domain} l.csv --enforce`);
    expect(first).toMatchObject({ code: 7, stderr: "" });
    expect(first.stdout).toMatch(
      /^d\d+\.example {2}new, in enforce mode\n[\s\S]*23 added[\s\S]*guard {6}passes\n\nPlan: 1 domain to change, 0 unchanged; 23 added, 0 removed, 0 changed\.\nTo upload: at most \d+ octets, and 2 KV writes: 0\.2 % [^\n]*\$0\.000010 beyond/,
    );
    expect(await verdict("a")).toBe("not-served");
    await run(`publish --domain ${domain} l.csv --yes`);
    write("l.csv", `address,state\npostmaster@D,active\na@D,full\nc@D,active\n${rest}`);
    const second = await run(`plan --domain ${domain} l.csv`);
    expect(second.code).toBe(7);
    expect(second.stdout).toContain(`joins      c@${domain}\n`);
    expect(second.stdout).toContain(`leaves     b@${domain}\n`);
    expect(second.stdout).toContain(`state      a@${domain}: active becomes full\n`);
    expect(second.stdout).toContain("1 added, 1 removed, 1 changed.");
    const { stdout } = await run(`plan --domain ${domain} l.csv --json`);
    expect(JSON.parse(stdout)).toMatchObject({
      changes: true,
      refused: false,
      upload: { shards: 0, kv_writes: 1, dollars: 0.000005 },
      out: null,
      domains: [{ domain, changing: [{ address: `a@${domain}`, from: "active", to: "full" }] }],
    });
    expect(await verdict("c")).toBe("unknown");
  });

  it("says by its exit code whether there are changes, and a refusal and an error differ from both", async () => {
    const { domain, run, publish, names } = fresh();
    await publish(TEN);
    const plan = `plan --domain ${domain} list.txt`;
    const same = await run(plan);
    expect(same).toMatchObject({ code: 0 });
    expect(same.stdout).toContain("Plan: nothing to change in 1 domain.");
    names("a b postmaster");
    const refused = await run(plan);
    expect(refused.code).toBe(4);
    expect(refused.stdout).toContain("refuses: it would refuse 7 of 10");
    expect(await run(`${plan} --force`)).toMatchObject({ code: 7 });
    expect(await run(`plan --domain ${domain} none.txt`)).toMatchObject({ code: 3 });
    expect(await run("plan --nonsense")).toMatchObject({ code: 2 });
    const usage = await run("plan list.txt --json");
    expect(usage.code).toBe(2);
    expect(JSON.parse(usage.stdout)).toMatchObject({ error: { exit: 2 } });
    expect(await run("publish list.txt")).toMatchObject({ code: 2 });
    const elsewhere = { env: { ROLLCALL_URL: "http://127.0.0.1:1" } };
    expect(await run(plan, elsewhere)).toMatchObject({ code: 6 });
  });

  it("reports domains that the edge serves and the settings do not name, and leaves them alone", async () => {
    const { domain, run, publish, write, verdict } = fresh();
    await publish(TEN);
    const other = fresh();
    await other.publish(TEN);
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\n`);
    const { stderr, stdout, code } = await run("plan --json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout).unconfigured).toContain(other.domain);
    expect(JSON.parse(stdout).unconfigured).not.toContain(domain);
    expect(stderr).toMatch(/the edge serves [^\n]*, which rollcall\.toml does not name/);
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    expect(await other.verdict("a")).toBe("deliverable");
    expect(await verdict("a")).toBe("deliverable");
  });
});

describe("rollcall publish PLAN", () => {
  it("publishes exactly the plan, whatever the list says by now, and can be run again", async () => {
    const workspace = fresh();
    const { domain, run, names, verdict } = workspace;
    const { said, path } = await planned(workspace);
    expect(said).toMatchObject({ code: 7 });
    expect(said.stdout).toContain("rollcall publish next.plan");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    names(`${TEN} y`);
    expect(await run("publish next.plan")).toMatchObject({ code: 5 });
    const done = await run("publish next.plan --yes --note monday");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toContain(`joins      z@${domain}`);
    expect(await Promise.all(["z", "y"].map(verdict))).toEqual(["deliverable", "unknown"]);
    const again = await run("publish next.plan --yes");
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain("nothing to change");
    const { generations } = JSON.parse((await run(`history ${domain} --json`)).stdout);
    expect(generations).toHaveLength(2);
    expect(generations[0]).toMatchObject({ note: "monday", forced: false });
  });

  it("has only the shards that changed, and is whole without the others", async () => {
    const { cwd, domain, run, write, verdict } = fresh();
    const lines = Array.from({ length: 30_000 }, (_, i) => `user${i}@D\n`);
    write("big.txt", lines.join(""));
    expect(await run(`plan --domain ${domain} big.txt --out big.plan`)).toMatchObject({ code: 7 });
    expect(await run("publish big.plan --yes")).toMatchObject({ code: 0 });
    expect(await verdict("user29999")).toBe("deliverable");
    const whole = statSync(join(cwd, "big.plan")).size;
    write("big.txt", `${lines.join("")}new@D\n`);
    const { stdout } = await run(`plan --domain ${domain} big.txt --out big.plan --json`);
    expect(JSON.parse(stdout).upload).toMatchObject({ shards: 1, kv_writes: 2 });
    expect(statSync(join(cwd, "big.plan")).size).toBeLessThan(whole / 2);
    expect(await run("publish big.plan --yes")).toMatchObject({ code: 0 });
    expect(await Promise.all(["new", "user0", "user15000"].map(verdict))).toEqual(
      Array.from({ length: 3 }, () => "deliverable"),
    );
  });

  it("stops if another publish came first", async () => {
    const workspace = fresh();
    await planned(workspace);
    await workspace.publish(`${TEN} other`);
    const stopped = await workspace.run("publish next.plan --yes");
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toMatch(
      /the plan for d\d+\.example starts from generation \d+, and the edge now has generation \d+[\s\S]*what to do: make a new one/,
    );
    expect(await Promise.all(["z", "other"].map(workspace.verdict))).toEqual(["unknown", "deliverable"]);
  });

  it("asks the guard again, which a plan cannot override", async () => {
    const workspace = fresh();
    const { said } = await planned(workspace, "a b postmaster");
    expect(said.code).toBe(4);
    const refused = await workspace.run("publish next.plan --yes");
    expect(refused.code).toBe(4);
    expect(await workspace.verdict("c")).toBe("deliverable");
    expect(await workspace.run("publish next.plan --yes --force")).toMatchObject({ code: 0 });
    expect(await workspace.verdict("c")).toBe("departed");
  });

  it("refuses a damaged plan, wherever the damage is", async () => {
    const workspace = fresh();
    const { path } = await planned(workspace);
    const whole = readFileSync(path);
    const header = whole.indexOf("\n");
    const damages: Record<string, Buffer> = {
      "cut off": whole.subarray(0, whole.length - 1),
      "cut off after its first line": whole.subarray(0, header + 1),
      longer: Buffer.concat([whole, Buffer.from("x")]),
    };
    const places = [
      40,
      header - 2,
      header + 5,
      header + Math.floor((whole.length - header) / 2),
      whole.length - 2,
    ];
    for (const at of places) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ 1;
      damages[`octet ${at}`] = bytes;
    }
    for (const [what, bytes] of Object.entries(damages)) {
      writeFileSync(path, bytes);
      const { code, stderr } = await workspace.run("publish next.plan --yes");
      expect([what, code]).toEqual([what, 3]);
      expect(stderr).toMatch(
        /next\.plan (?:is damaged: |was made by release )[\s\S]*what to do: make a new one/,
      );
    }
    expect(await workspace.verdict("z")).toBe("unknown");
  });

  it("refuses a plan of another release, edge or key, and options that a plan has decided", async () => {
    const workspace = fresh();
    const { path } = await planned(workspace);
    const whole = readFileSync(path, "latin1");
    const [head = "", body = ""] = [
      whole.slice(0, whole.indexOf("\n")),
      whole.slice(whole.indexOf("\n") + 1),
    ];
    const refused = async (text: string, why: RegExp, args = "", more = {}) => {
      writeFileSync(path, text, "latin1");
      const { code, stderr } = await workspace.run(`publish next.plan --yes${args}`, more);
      expect(stderr).toMatch(why);
      return code;
    };
    const other = head.replace(VERSION, "9.9.9");
    expect(await refused(`${other}\n${body}`, /made by release 9\.9\.9 of Rollcall, and this is/)).toBe(3);
    const elsewhere = { env: { ROLLCALL_URL: "http://127.0.0.1:1" } };
    expect(
      await refused(
        whole,
        /was made for http:\S+, and this publishes to http:\/\/127\.0\.0\.1:1\n/,
        "",
        elsewhere,
      ),
    ).toBe(3);
    const forged = body.replace(/"key_id":"[0-9a-f]{16}"/, '"key_id":"0123456789abcdef"');
    const sum = toHex(stablelibHashing.sha256(Buffer.from(forged, "latin1")));
    const valid = head.replace(/"sha256":"[0-9a-f]+"/, `"sha256":"${sum}"`);
    expect(await refused(`${valid}\n${forged}`, /has another key than when the plan was made/)).toBe(3);
    expect(await refused(whole, /is a plan, and --grace is decided in it/, " --grace 5")).toBe(2);
    for (const mode of ["observe", "defer", "enforce"]) {
      expect(await refused(whole, new RegExp(`is a plan, and --${mode} is decided`), ` --${mode}`)).toBe(2);
    }
    expect(await refused(whole, /is a plan, and --domain is decided/, ` --domain ${workspace.domain}`)).toBe(
      2,
    );
    expect(await workspace.verdict("z")).toBe("unknown");
    expect(edge.url).not.toBe("");
  });
});

describe("what rollcall.toml expects of a list", () => {
  it.each([
    ["minimum = 11", /would accept 10 names, and its minimum is 11/],
    ['must_not_appear = ["C@D"]', /C@\S+ is in the list, and must_not_appear names it/],
    ['minimum = 11\ncanaries = ["q@D"]', /minimum is 11[\s\S]*q@\S+ is a canary/],
  ])("stops plan, publish and an override: %s", async (setting, why) => {
    const { domain, run, write, names, verdict } = fresh();
    names(TEN);
    const table = (more: string) => `[domains."${domain}"]\nlist = "list.txt"\n${more}\n`;
    write("rollcall.toml", table(setting));
    for (const args of [
      "plan",
      "publish --yes",
      "publish --yes --force",
      `publish --domain ${domain} list.txt --yes`,
    ]) {
      const { code, stderr, stdout } = await run(args);
      expect([args, code]).toEqual([args, 4]);
      expect(stderr).toMatch(why);
      expect(stdout).toMatch(/^ {2}expected {3}/m);
    }
    expect(await verdict("a")).toBe("not-served");
    write("rollcall.toml", table('minimum = 10\nmust_not_appear = ["leaver@D"]'));
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
  });

  it.each([
    ["minimum = 0", ":3: minimum must be a whole number, 1 or more"],
    ["minimum = 1.5", ":3: minimum must be a whole number, 1 or more"],
    ['must_not_appear = "x@D"', ":3: must_not_appear must be a list of addresses"],
    [
      'must_not_appear = ["x@other.example"]',
      ":1: must_not_appear names x@other.example, which is not an address of",
    ],
    ['canaries = ["a@D"]\nmust_not_appear = ["a@D"]', ":1: canaries and must_not_appear both name a@"],
    ['alias = "x.example"\nminimum = 5', ":1: has minimum and an alias"],
  ])("is checked with file, line and key: %s", async (setting, why) => {
    const { domain, run, write, names } = fresh();
    names("a");
    const list = setting.startsWith("alias") ? "# none" : 'list = "list.txt"';
    write("rollcall.toml", `[domains."${domain}"]\n${list}\n${setting}\n`);
    const { code, stderr } = await run("plan");
    expect(code).toBe(3);
    expect(stderr).toContain(`rollcall.toml${why}`);
  });
});
