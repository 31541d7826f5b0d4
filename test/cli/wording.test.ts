import { describe, expect, it } from "vitest";
import { TEN, useEdge } from "./support/workspace.ts";

/* What commands say is true, in good English, and suggests only what helps. */

const { fresh } = useEdge();

describe("a list that cannot be used", () => {
  const HALF = Array.from({ length: 20 }, (_, i) => (i < 10 ? `a${i}@D,active` : `b${i}@D,gone`)).join("\n");
  const FEW = Array.from({ length: 20 }, (_, i) => (i < 19 ? `a${i}@D,active` : `b${i}@D,gone`)).join("\n");

  it.each([
    ["a wrong header", "mail,status\na@D,active\nb@D,active\n", /first line must be the header/],
    ["an unknown state in half of its lines", `address,state\n${HALF}\n`, /10 of 20 lines/],
    ["no good line", "address\na@other.example\nb@other.example\n", /fix these lines: nothing else/],
  ])("is not half published on our advice: %s", async (_, text, why) => {
    const { run, domain, write } = fresh();
    write("l.csv", text);
    const said = await run(`plan --domain ${domain} l.csv`);
    expect(said).toMatchObject({ code: 3, stderr: expect.stringMatching(why) });
    expect(said.stderr).toMatch(/what to do: (?:fix|correct) /);
    expect(said.stderr).not.toContain("--skip-invalid");
  });

  it("may be published without a few bad lines, and says how many", async () => {
    const { run, domain, write } = fresh();
    write("l.csv", `address,state\n${FEW}\n`);
    const said = await run(`publish --domain ${domain} l.csv --yes`);
    expect(said.stderr).toMatch(
      /what to do: fix this line, or run the command again with --skip-invalid, which leaves it out/,
    );
    expect(await run(`publish --domain ${domain} l.csv --yes --skip-invalid`)).toMatchObject({ code: 0 });
  });
});

describe("a plan that overrides the guard", () => {
  it("says so, instead of that the guard refuses", async () => {
    const { run, publish, names, domain } = fresh();
    await publish(TEN);
    names("a b");
    const args = `--domain ${domain} list.txt`;
    expect((await run(`plan ${args}`)).stdout).toMatch(/guard +refuses: it would refuse 8 of 10 names/);
    for (const command of [`plan ${args} --force`, `publish ${args} --force --yes`]) {
      const { stdout } = await run(command);
      expect(stdout).toMatch(/guard +overridden by --force: it would refuse 8 of 10 names/);
      expect(stdout).not.toMatch(/guard +refuses/);
    }
  });
});

describe("one of something", () => {
  it("is not called several, and nothing is not counted", async () => {
    const { run, publish, names, domain } = fresh();
    await publish("a b");
    names("a");
    const plan = await run(`plan --domain ${domain} list.txt`);
    expect(plan.stdout).toContain("1 name that is accepted now would be deferred, and refused after 60 min");
    // A small list needs no shard.
    expect(plan.stdout).toMatch(/^To upload: (?:at most )?[\d.]+ (?:octets|kB), and \d+ KV writes?: /m);
    expect(plan.stdout).not.toMatch(/\b0 shards|\b1 (?:names|lines|shards|domains|entries)\b/);
  });

  it("of names that the guard would lose is one name", async () => {
    const { run, publish, names, domain } = fresh();
    await publish("a");
    names("z");
    const { stdout, code } = await run(`plan --domain ${domain} list.txt`);
    expect(code).toBe(4);
    expect(stdout).toContain("it would refuse the only name");
  });
});

describe("rollcall.toml", () => {
  it.each([
    ["[domains.acme.test]\nlist = 'l.txt'\n", 'quote the name: [domains."acme.test"]'],
    ["[domains.acme.co.uk]\nlist = 'l.txt'\n", 'quote the name: [domains."acme.co.uk"]'],
  ])("says that a name with dots needs quotes: %s", async (text, hint) => {
    const { run, write } = fresh();
    write("rollcall.toml", text);
    const { code, stderr } = await run("plan");
    expect(code).toBe(3);
    expect(stderr).toContain(`rollcall.toml:1: ${hint}`);
    expect(stderr).not.toContain("unknown setting");
  });
});
