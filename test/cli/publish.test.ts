import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Said } from "../support/fake-platform.ts";
import { TEN, useEdge } from "./support/workspace.ts";

const { edge, fresh } = useEdge();

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

  it("publishes a list of many shards, and then only what changed", async () => {
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

  it("is refused by the guard, unless forced, which is recorded", async () => {
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

  it("is compared by the edge with every list of the last day", async () => {
    const { publish } = fresh();
    await publish(TEN);
    expect((await publish(TEN.replace("a b ", ""))).code).toBe(0);
    const refused = await publish(TEN.replace("a b c ", ""));
    expect(refused).toMatchObject({ code: 4 });
    expect(refused.stdout).toMatch(/guard {6}refuses: it would refuse 3 of 10 names of generation \d+/);
    expect(refused.stderr).toMatch(/3 of 10 names[\s\S]*what to do: /);
  });

  it("sets mode and grace, which later publishes keep", async () => {
    const { domain, run, names, publish, verdict } = fresh();
    await publish(TEN, "--observe --grace 0");
    const shown = async () => JSON.parse((await run(`check x@${domain} --json`)).stdout);
    expect(await shown()).toMatchObject({ verdict: "unknown", action: "accept", mode: "observe" });
    names(TEN.replace("a ", ""));
    expect(await run(`publish --domain ${domain} list.txt --yes`)).toMatchObject({ code: 0 });
    expect(await shown()).toMatchObject({ mode: "observe" });
    expect(await verdict("a")).toBe("unknown");
    await publish(TEN.replace("a ", ""), "--enforce");
    expect(await shown()).toMatchObject({ action: "reject", mode: "enforce" });
  });

  it("publishes nothing if lines are malformed, unless they are skipped", async () => {
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

  it("asks before it publishes, and changes nothing without a yes", async () => {
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

  it("publishes every domain of rollcall.toml, with its settings", async () => {
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

  it("stores no names if that is turned off", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN, "--no-keep-list");
    const refused = await publish("a b postmaster", "--no-keep-list");
    expect(refused.code).toBe(4);
    expect(refused.stdout).not.toContain(`leaves     c@${domain}`);
    expect((await run(`status ${domain}`)).code).toBe(0);
  });

  it("reports malformed lines in order", async () => {
    const { domain, run, write } = fresh();
    write("l.csv", "address,state\nb@D,active\na@D,active\nb@D,full\nnope\na@D,full\nnope\n");
    const { code, stderr } = await run(`publish --domain ${domain} l.csv --yes`);
    expect(code).toBe(3);
    const lines = [...stderr.matchAll(/l\.csv:(\d+):/g)].map((match) => Number(match[1]));
    expect(lines).toEqual([4, 5, 6, 7]);
  });

  it("shows who joins and who leaves, up to twenty each", async () => {
    const { domain, run, names } = fresh();
    names("a b c d e f g h");
    const first = await run(`publish --domain ${domain} list.txt --yes`);
    expect(first.stdout).toContain(`  joins      a@${domain}\n`);
    names(`a b c d e f g ${Array.from({ length: 30 }, (_, i) => `new${i}`).join(" ")}`);
    const { stdout } = await run(`publish --domain ${domain} list.txt --dry-run`);
    expect(stdout).toContain(`  leaves     h@${domain}\n`);
    expect(stdout).toContain(`  joins      new0@${domain}\n`);
    expect(stdout.match(/^ {2}joins +\S+@/gm)).toHaveLength(20);
    expect(stdout).toContain("  joins      and 10 more\n");
    expect(stdout).not.toMatch(/joins +a@/);
    const json = JSON.parse((await run(`publish --domain ${domain} list.txt --dry-run --json`)).stdout);
    expect(json.domains[0].coming).toHaveLength(30);
    expect(json.domains[0].coming[29]).toBe(`new29@${domain}`);
  });

  it("asks for the name of a domain before it empties its list", async () => {
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

describe("rollcall publish --new-key", () => {
  const epochOf = async (domain: string): Promise<number> => {
    const headers = { authorization: `Bearer ${edge.admin}` };
    const response = await fetch(`${edge.url}/v1/domains/${domain}`, { headers });
    return ((await response.json()) as { epoch: number }).epoch;
  };

  it("publishes the same list under the key of the next epoch, confirmed and recorded", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    const newKey = `publish --domain ${domain} list.txt --new-key`;
    const dry = await run(`${newKey} --dry-run`);
    expect(dry).toMatchObject({ code: 0 });
    expect(dry.stdout).toContain("the key of epoch 2");
    expect(await run(newKey)).toMatchObject({ code: 5 });
    expect(await epochOf(domain)).toBe(1);
    const done = await run(newKey, { answer: "y" });
    expect(done).toMatchObject({ code: 0 });
    expect(done.asked.at(-1)).toContain("under a new key");
    expect(await epochOf(domain)).toBe(2);
    expect([await verdict("a"), await verdict("nobody")]).toEqual(["deliverable", "departed"]);
    const { generations } = JSON.parse((await run(`history ${domain} --json`)).stdout);
    expect(generations[0]).toMatchObject({ forced: true, note: "under a new key", counts: { active: 10 } });
    // The guard is in force against the new baseline, and the next publish needs no option.
    expect(await publish("a b postmaster")).toMatchObject({ code: 4 });
    expect((await publish(TEN)).stdout).toContain("nothing to change");
    expect(await run(`${newKey} --yes`)).toMatchObject({ code: 0 });
    expect(await epochOf(domain)).toBe(3);
  });

  it("refuses a list or settings that differ from what is published, and a domain without a list", async () => {
    const { domain, run, publish, names } = fresh();
    names(TEN);
    const newKey = `publish --domain ${domain} list.txt --yes --new-key --force`;
    expect(await run(newKey)).toMatchObject({ code: 3, stderr: expect.stringContaining("has no list") });
    await publish(TEN);
    const differs = { code: 3, stderr: expect.stringContaining("differ from what is published") };
    expect(await run(`${newKey} --observe`)).toMatchObject(differs);
    names("a b");
    expect(await run(newKey)).toMatchObject(differs);
    expect(await epochOf(domain)).toBe(1);
  });

  it("goes on deferring a name that left, and refuses while that takes more than a day, unless forced", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN, "--grace 90000");
    await publish(TEN.slice(2));
    expect(await verdict("a")).toBe("departed");
    const newKey = `publish --domain ${domain} list.txt --yes --new-key`;
    expect(await run(newKey)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/still deferred[\s\S]*try again in \d+ s, or add --force/),
    });
    expect(await run(`${newKey} --force`)).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("departed");
    expect(await verdict("b")).toBe("deliverable");
  });

  it("refuses a source that gives another list when it is read again", async () => {
    const { domain, run, publish, write, cwd } = fresh();
    await publish(TEN);
    const lines = TEN.split(" ").map((name) => `${name}@${domain}`);
    write("one.txt", `${lines.join("\n")}\n`);
    write("two.txt", `${lines.slice(1).join("\n")}\n`);
    write("source.sh", "cat one.txt; cp two.txt one.txt\n");
    const command = `kind = "command"\ncommand = ["sh", "${join(cwd, "source.sh")}"]`;
    const settings = `[domains."${domain}"]\nsources = ["program"]\n`;
    write("rollcall.toml", `[sources.program]\n${command}\n\n${settings}`);
    expect(await run("publish --yes --new-key")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("gave another list when it was read again"),
    });
    expect(await epochOf(domain)).toBe(1);
  });
});

describe("the departure grace", () => {
  it("is called grace in rollcall.toml, in the API and on the command line", async () => {
    const { domain, run, names } = fresh();
    names("a b");
    expect((await run("publish --help")).stdout).toMatch(/--grace <time>/);
    expect((await run("publish --help")).stdout).not.toMatch(/departure-grace/);
    const grace = async (): Promise<unknown> => {
      const response = await fetch(`${edge.url}/v1/domains/${domain}`, {
        headers: { authorization: `Bearer ${edge.admin}` },
      });
      return ((await response.json()) as { policy: { grace: number } }).policy.grace;
    };
    // A number is seconds, as in rollcall.toml.
    for (const [text, seconds] of [
      ["60", 60],
      ["90s", 90],
      ["1h", 3600],
      ["1.5h", 5400],
      ["30d", 2_592_000],
      ["0", 0],
    ]) {
      const publish = `publish --domain ${domain} list.txt --yes --grace ${text}`;
      expect(await run(publish)).toMatchObject({ code: 0 });
      expect(await grace()).toBe(seconds);
    }
    for (const text of ["31d", "2592001", "0.5s", "-1", "1w", "h"]) {
      expect(await run(`publish --domain ${domain} list.txt --yes --grace=${text}`)).toMatchObject({
        code: 2,
      });
    }
  });

  it("no longer counts a name that returned", async () => {
    const { domain, run, names } = fresh();
    const publish = (): Promise<Said> => run(`publish --domain ${domain} list.txt --yes`);
    names("a b c d e f");
    await publish();
    names("b c d e f");
    await publish();
    names("a b c d e f");
    await publish();
    const { generations } = JSON.parse((await run(`history ${domain} --json`)).stdout);
    expect(generations.map((each: { departures: number }) => each.departures)).toEqual([0, 1, 0]);
  });
});
