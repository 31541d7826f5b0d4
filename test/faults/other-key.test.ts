/* Another master key with the same storage: each command names what does not match, and says what to do. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { TokenCreated } from "../../src/api/index.ts";
import { ADMIN, type Edges, startEdges } from "../laws/support/edges.ts";
import { Publisher } from "../laws/support/publishing.ts";
import { type Ended, startCli, temporaryFolder } from "../support/processes.ts";

const OLD = "old.example";
const ROTATED = { ROLLCALL_MASTER_KEY: "b3RoZXItbWFzdGVyLWtleS1vZi10aGlydHktdHdvLWI" };
const home = temporaryFolder();
let edges: Edges<"one">;
let token: TokenCreated;

beforeAll(async () => {
  const before = await startEdges({ one: {} });
  await new Publisher(before.edge.one).publish(OLD, "alice bob carol");
  await before.copied();
  const made = await before.edge.one.post("/v1/tokens", { role: "check", domains: null, note: "mx1" });
  token = (await made.json()) as TokenCreated;
  expect(token).toMatchObject({ key_fits: true, key_id: expect.stringMatching(/^[0-9a-f]{16}$/) });
  expect(await run(before, "status")).toMatchObject({ code: 0, stderr: "" });
  await before.stop();
  edges = await startEdges({ one: ROTATED }, ROTATED, before.storage);
});

const run = (at: Edges<"one">, args: string): Promise<Ended> =>
  startCli(args.split(" "), {
    home,
    env: { ROLLCALL_URL: at.edge.one.url, ROLLCALL_TOKEN: ADMIN },
  }).ended;

const STEPS = /put the old key back[\s\S]*publish --force[\s\S]*token create/;

describe("after ROLLCALL_MASTER_KEY was replaced", () => {
  it("status names the domains that still use the other key, and fails", async () => {
    for (const args of ["status", `status ${OLD}`]) {
      const { code, stdout, stderr } = await run(edges, args);
      expect(stdout).toMatch(new RegExp(`${OLD} .*made under another key`));
      expect(stderr).toMatch(new RegExp(`another key.*: ${OLD}`));
      expect(stderr).toMatch(STEPS);
      expect(code).toBe(1);
    }
    const { stdout } = await run(edges, `status ${OLD} --json`);
    expect(JSON.parse(stdout).domains).toMatchObject([{ domain: OLD, key_fits: false, kv: "other-key" }]);
  });

  it("status shows the faults and the answers of the domains it was asked for", async () => {
    await edges.edge.one.check(`alice@${OLD}`);
    await new Publisher(edges.edge.one).publish("new.example", "dora");
    expect((await edges.edge.one.check("dora@new.example")).verdict).toBe("deliverable");
    await new Publisher(edges.edge.one).publish("other.example", "dora");
    await edges.edge.one.check("nobody@other.example");
    for (const args of ["status", `status ${OLD}`]) {
      const { stdout } = await run(edges, args);
      expect(stdout).toMatch(
        new RegExp(`^FAULTS +KIND +LAST HOUR +LAST DAY\\n${OLD} +key_mismatch +[1-9]`, "m"),
      );
      expect(stdout).toMatch(new RegExp(`^${OLD} +- +unavailable +[1-9]`, "m"));
      expect(/^new\.example +enforce +deliverable +1 +1$/m.test(stdout)).toBe(args === "status");
      expect(stdout).not.toMatch(/alice|dora|@/);
    }
  });

  it("doctor does not report that everything works", async () => {
    const { code, stdout } = await run(edges, `doctor --url ${edges.edge.one.url}`);
    expect(stdout).toMatch(new RegExp(`failed +keys .*${OLD}`));
    expect(stdout).toMatch(STEPS);
    expect(stdout).toMatch(new RegExp(`failed +tokens .*${token.id}`));
    expect(stdout).not.toContain("everything works");
    expect(code).toBe(1);
  });

  it("token list does not call an unusable token valid", async () => {
    const { stdout } = await run(edges, "token list");
    expect(stdout).toMatch(
      new RegExp(`${token.id} .*made under another master key: no longer accepted .*mx1`),
    );
    const asked = await edges.edge.one.fetch("/v1/rcpt/x@old.example", {}, token.token);
    expect(asked.status).toBe(401);
    const { stdout: json } = await run(edges, "token list --json");
    expect(JSON.parse(json).tokens).toMatchObject([{ id: token.id, key_fits: false }]);
  });

  it("a publish that is refused for its key says what to do, and succeeds with --force", async () => {
    writeFileSync(
      join(home, "list.txt"),
      ["alice", "bob", "carol"].map((name) => `${name}@${OLD}\n`).join(""),
    );
    const refused = await run(edges, `publish --domain ${OLD} list.txt --yes`);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain("another key");
    expect(refused.stderr).toMatch(STEPS);
    expect(await run(edges, `publish --domain ${OLD} list.txt --yes --force`)).toMatchObject({ code: 0 });
    expect((await edges.edge.one.check(`alice@${OLD}`)).verdict).toBe("deliverable");
    expect(await run(edges, `status ${OLD}`)).toMatchObject({ code: 0, stderr: "" });
    await run(edges, `token revoke ${token.id}`);
    const { stdout } = await run(edges, `doctor --url ${edges.edge.one.url}`);
    expect(stdout).toContain("everything works");
  });
});
