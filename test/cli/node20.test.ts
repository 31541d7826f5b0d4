import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NODE_20, ROOT, startCli, startDev, temporaryFolder } from "../support/processes.ts";

const SLOW = 180_000;

describe.skipIf(NODE_20 === undefined)("the built command on Node 20", () => {
  const home = temporaryFolder();
  const node = NODE_20 as string;

  it("prints its version and its commands", async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    expect(await startCli(["--version"], { home, node }).ended).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
    expect(await startCli(["--help"], { home, node }).ended).toMatchObject({ code: 0, stderr: "" });
  });

  it("publishes, checks and runs doctor", { timeout: SLOW }, async () => {
    const dev = await startDev("state", { home });
    writeFileSync(
      join(home, "list.csv"),
      'address,state\r\nalice@example.org,active\r\n"bob@example.org",full\r\n',
    );
    const edge = ["--url", dev.url, "--token-file", "state/admin-token"];
    const cli = (...args: string[]) => startCli([...args, ...edge], { home, node }).ended;
    expect(await cli("publish", "--domain", "example.org", "list.csv", "--enforce", "--yes")).toMatchObject({
      code: 0,
    });
    const { stdout } = await cli("check", "alice@example.org", "bob@example.org", "carol@example.org");
    expect(stdout).toMatch(/deliverable[\s\S]*full[\s\S]*unknown/);
    const doctor = ["doctor", "--url", dev.url, "--token-file", "state/admin-token"];
    expect(await startCli(doctor, { home, node }).ended).toMatchObject({ code: 0, stderr: "" });
    await dev.process.stop();
  });
});
