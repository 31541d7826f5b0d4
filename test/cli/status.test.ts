import { describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { memorySource, publishLists } from "../../src/publish/index.ts";
import type { Surroundings } from "../support/fake-platform.ts";
import { TEN, useEdge } from "./support/workspace.ts";

const { edge, fresh } = useEdge();

describe("rollcall status", () => {
  it("distinguishes fresh, stale and missing lists", async () => {
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

  it("shows all domains to an admin, and other tokens their own", async () => {
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

  it("shows a mail host with a check token whether its list is stale", async () => {
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

  it("warns of a list whose shards single changes filled to half", async () => {
    const { domain, run } = fresh();
    const client = createClient({
      url: edge.url,
      token: edge.admin,
      fetch,
      now: () => performance.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    });
    /** @param bits as many as a list had when it was short; left out: as a publish makes them */
    const publishNames = (count: number, bits?: number) =>
      publishLists(
        {
          client,
          hashing: stablelibHashing,
          timers: { sleep: async () => undefined },
          recorder: null,
          progress: {},
          confirm: async () => undefined,
        },
        [
          {
            domain,
            source: memorySource(
              "a list",
              Array.from({ length: count }, (_, i) => `u${i}@${domain}`),
            ),
            policy: {},
            canaries: [],
            ...(bits === undefined ? {} : { bits }),
          },
        ],
      );
    await publishNames(32_767, 0);
    expect(await run(`status ${domain}`)).toMatchObject({ code: 0, stderr: "" });
    await run(`add one-more@${domain} --yes`);
    for (const named of [` ${domain}`, ""]) {
      expect(await run(`status${named}`)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(new RegExp(`${domain} .*shards half full`)),
        stderr: expect.stringContaining(`shards are half full: ${domain}; publish the list`),
      });
    }
    const { stdout } = await run(`status ${domain} --json`);
    expect(JSON.parse(stdout).domains).toMatchObject([{ names_per_shard: 32_768, publish_soon: true }]);
    // A publish makes more shards.
    await run(`remove one-more@${domain} --yes`);
    await publishNames(32_768);
    const after = JSON.parse((await run(`status ${domain} --json`)).stdout).domains;
    expect(after).toMatchObject([{ names_per_shard: 8_192, publish_soon: false }]);
  });

  it("exits with 3 for a domain without a list", async () => {
    const { domain, run, names, write } = fresh();
    const said = await run("status nosuch.example");
    expect(said).toMatchObject({ code: 3, stdout: expect.stringContaining("no list published") });
    expect(said.stderr).toMatch(/nosuch\.example/);
    names("a b");
    await run(`publish --domain ${domain} list.txt --yes`);
    expect(await run(`status ${domain} nosuch.example`)).toMatchObject({ code: 3 });
    expect(await run(`status ${domain}`)).toMatchObject({ code: 0, stderr: "" });
    // Monitoring keeps its code, in which a list that is not there counts as stale.
    expect(await run("status nosuch.example --max-age 2d")).toMatchObject({ code: 1 });
    write(
      "rollcall.toml",
      `[domains."${domain}"]\nlist = "list.txt"\n[domains."other.example"]\nlist = "x"\n`,
    );
    const token = (await run(`token create --role publish --domain ${domain} --domain other.example`)).stdout;
    expect(await run("status", { env: { ROLLCALL_TOKEN: token.trim() } })).toMatchObject({ code: 3 });
  });

  it("exits with 1 if a list is under another key, whatever else is wrong", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    const underOtherKey: Surroundings["fetch"] = async (url, init) => {
      const response = await fetch(url, init);
      const text = await response.text();
      const { status, headers } = response;
      return new Response(text.replace('"key_fits":true', '"key_fits":false'), { status, headers });
    };
    const said = await run(`status ${domain} nosuch.example`, { fetch: underOtherKey });
    expect(said).toMatchObject({ code: 1, stderr: expect.stringContaining("no list published") });
    expect(said.stderr).toContain(`every check is deferred: ${domain}`);
  });

  it("does not show the trial domains that doctor deleted, unless they are named", async () => {
    const { run, start } = fresh();
    const report = await start("doctor --json");
    expect(report.code).toBe(0);
    const [trial] = /rollcall-doctor-[0-9a-f]+\.invalid/.exec(report.stdout) as RegExpExecArray;
    // What was answered about it is counted once the isolate asks its Registry again.
    const ask = async (path: string): Promise<string> =>
      (await fetch(`${edge.url}${path}`, { headers: { Authorization: `Bearer ${edge.admin}` } })).text();
    while (!(await ask("/v1/status")).includes(trial as string)) {
      await ask("/v1/rcpt/postmaster");
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    for (const args of ["status", "status --json"]) {
      expect((await run(args)).stdout).not.toContain(".invalid");
    }
    expect((await run(`status ${trial}`)).stdout).toMatch(/deleted/);
  });
});

describe("rollcall.toml", () => {
  it("may have the URL of the edge, which an option and the environment override", async () => {
    const { run, write } = fresh();
    const nowhere = { env: { ROLLCALL_URL: "" } };
    write("rollcall.toml", `url = "${edge.url}/"\n`);
    expect(await run("check a@b.example", nowhere)).toMatchObject({ code: 0, stderr: "" });
    expect(await run("doctor", nowhere)).toMatchObject({ code: 0 });
    write("rollcall.toml", 'url = "http://127.0.0.1:1"\n');
    expect(await run("check a@b.example")).toMatchObject({ code: 0 });
    expect(await run(`check a@b.example --url ${edge.url}`, nowhere)).toMatchObject({ code: 0 });
    expect(await run("check a@b.example", nowhere)).toMatchObject({ code: 6 });
    write("rollcall.toml", '\nurl = "rollcall"\n');
    const wrong = await run("check a@b.example", nowhere);
    expect(wrong).toMatchObject({ code: 3 });
    expect(wrong.stderr).toMatch(/rollcall\.toml:2: url must be /);
  });

  it("is mentioned if no edge is given", async () => {
    const { run } = fresh();
    const said = await run("check a@b.example", { env: { ROLLCALL_URL: "" } });
    expect(said).toMatchObject({ code: 2, stderr: expect.stringMatching(/url = .*rollcall\.toml/) });
  });

  it("has the URL under which status finds a publish", async () => {
    const { domain, run, write, names } = fresh();
    names("a b");
    write("rollcall.toml", `url = "${edge.url}"\n[domains."${domain}"]\nlist = "list.txt"\n`);
    const days = (count: number) => ({
      now: () => Date.now() + count * 86_400_000,
      env: { ROLLCALL_URL: "" },
    });
    expect(await run("publish --yes", days(0))).toMatchObject({ code: 0 });
    expect((await run("publish --yes", days(3))).stdout).toContain("nothing to change");
    expect(await run(`status ${domain} --max-age 2d`, days(4))).toMatchObject({ code: 0 });
  });
});

describe("a list in a softer mode", () => {
  it("shows how many names enforce mode would have refused, and so does a plan that goes up", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN, "--observe");
    await run(`check nobody@${domain} nobody2@${domain} a@${domain}`);
    const { stdout } = await run(`status ${domain}`);
    expect(stdout).toMatch(/would refuse about \d+ names a day/);
    const json = JSON.parse((await run(`status ${domain} --json`)).stdout);
    expect(json.domains).toMatchObject([{ domain, brake: null, would_refuse: expect.any(Number) }]);
    const plan = await run(`plan --domain ${domain} list.txt --enforce`);
    expect(plan.stdout).toMatch(/enforce mode would have refused about \d+ distinct names in the last day/);
    expect(plan.code).toBe(7);
    await run(`publish --domain ${domain} list.txt --yes --enforce`);
    expect((await run(`status ${domain}`)).stdout).not.toContain("would refuse");
  });
});
