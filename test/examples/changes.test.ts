import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Dev,
  type Ended,
  environment,
  ROOT,
  Running,
  startCli,
  startDev,
  temporaryFolder,
} from "../support/processes.ts";

const D = "example.org";
const isMissing = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0;
const missing = ["curl", "jq", "flock"].filter(isMissing);
const note = missing.length > 0 ? `: ${missing.join(", ")} not installed` : "";

describe.skipIf(missing.length > 0)(`examples/changes.sh${note}`, () => {
  const home = temporaryFolder();
  let dev: Dev;
  let token: string;

  const list = (...names: string[]): void =>
    writeFileSync(join(home, "list.txt"), names.map((name) => `${name}@${D}\n`).join(""));

  const changes = (more: Record<string, string> = {}): Promise<Ended> =>
    new Running("bash", [join(ROOT, "examples", "changes.sh"), D, "list.txt"], {
      cwd: home,
      env: environment(home, { ROLLCALL_URL: dev.url, ROLLCALL_TOKEN: token, ...more }),
    }).ended;

  const verdicts = async (...names: string[]): Promise<string[]> => {
    const recipients = names.map((name) => `${name}@${D}`);
    const args = ["check", ...recipients, "--json", "--url", dev.url, "--token-file", "state/admin-token"];
    const { stdout } = await startCli(args, { home }).ended;
    return (JSON.parse(stdout) as { results: { verdict: string }[] }).results.map(({ verdict }) => verdict);
  };

  const QUIET = { code: 0, stdout: "", stderr: "" };
  const EVERYBODY = Array.from({ length: 20 }, (_, i) => `u${i}`);

  beforeAll(async () => {
    dev = await startDev("state", { home });
    token = readFileSync(join(home, "state", "admin-token"), "utf8").trim();
    list(...EVERYBODY, "leaver");
    const args = ["publish", "--domain", D, "list.txt", "--enforce", "--yes", "--url", dev.url];
    expect(await startCli([...args, "--token-file", "state/admin-token"], { home }).ended).toMatchObject({
      code: 0,
    });
  });

  it("takes the list of its first run for the published one, and then sends what changed", async () => {
    expect(await changes()).toEqual(QUIET);
    list(...EVERYBODY, "newcomer");
    expect(await changes()).toEqual(QUIET);
    expect(await verdicts("u0", "newcomer", "leaver", "nobody")).toEqual([
      "deliverable",
      "deliverable",
      "departed",
      "unknown",
    ]);
    expect(await changes()).toEqual(QUIET);
  });

  it("says why the edge refuses, forgets nothing, and sends the same again", async () => {
    list(...EVERYBODY, "newcomer", "later");
    const refused = await changes({ ROLLCALL_TOKEN: "wrong" });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("nothing was changed");
    expect(refused.stderr).toContain("unauthorized");
    expect(await changes({ ROLLCALL_URL: "http://127.0.0.1:9" })).toMatchObject({ code: 1, stdout: "" });
    expect(await verdicts("u0", "later")).toEqual(["deliverable", "unknown"]);
    expect(await changes()).toEqual(QUIET);
    expect(await verdicts("u0", "later")).toEqual(["deliverable", "deliverable"]);
  });

  it("removes nobody if the list is empty, lost, or cannot be what was meant", async () => {
    writeFileSync(join(home, "list.txt"), "");
    expect((await changes()).stderr).toContain("guard");
    rmSync(join(home, "list.txt"));
    expect((await changes()).code).not.toBe(0);
    list(...Array.from({ length: 2_000 }, (_, i) => `x${i}`));
    expect(await changes()).toMatchObject({ code: 1, stderr: expect.stringContaining("then publish it") });
    expect(await verdicts("u0", "x0")).toEqual(["deliverable", "unknown"]);
    list(...EVERYBODY, "newcomer", "later");
    expect(await changes()).toEqual(QUIET);
    expect(existsSync(join(home, `${D}.sent`))).toBe(true);
  });
});
