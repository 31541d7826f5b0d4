import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freePort } from "../../testing/ports.ts";
import { listens } from "../mta/support/waiting.ts";
import { FULL, ifFull } from "../support/full.ts";
import { ROOT, Running, temporaryFolder } from "../support/processes.ts";

describe("npm start", () => {
  const start = (...args: string[]): Running =>
    new Running(process.execPath, [join(ROOT, "scripts", "start.mjs"), ...args], { cwd: ROOT });

  it.runIf(FULL)(ifFull("prints three commands that work when pasted, and stops cleanly"), async () => {
    const [port, smtpPort] = [String(await freePort()), String(await freePort())];
    const state = join(temporaryFolder(), "demo");
    const args = ["--port", port, "--smtp-port", smtpPort, "--state", state];
    const demo = start(...args);
    await demo.saying(/Ctrl-C stops\.\n/);
    const commands = demo.stdout.split("\n").filter((line) => /^(?:curl|echo|\(cd) /.test(line));
    expect(commands).toHaveLength(3);
    const [curl, smtp, check] = await Promise.all(
      commands.map((command) => new Running("bash", ["-c", command], { cwd: temporaryFolder() }).ended),
    );
    expect(curl).toMatchObject({ code: 0 });
    expect(curl?.stdout).toMatch(/"verdict":"deliverable".*"verdict":"unknown"/);
    expect(smtp).toMatchObject({ code: 0 });
    expect(smtp?.stderr).toMatch(/> RCPT TO:<alice@example\.org>\r?\n< 250 /);
    expect(smtp?.stderr).toMatch(/> RCPT TO:<nobody@example\.org>\r?\n< 550 5\.1\.1 /);
    expect(check).toMatchObject({ code: 0, stderr: "" });
    expect(check?.stdout).toMatch(/550 5\.2\.1 <leaver\+news@example\.org>/);

    const second = await start(...args).ended;
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use`));
    expect(second.stderr).toMatch(/--port 8801 --smtp-port 2601/);

    expect(await demo.stop("SIGINT")).toMatchObject({ code: 0, stderr: "" });
    expect(await listens(Number(port))).toBe(false);
    expect(await listens(Number(smtpPort))).toBe(false);

    // The published lists are still there.
    const again = start(...args);
    await again.saying(/Ctrl-C stops\.\n/);
    expect(await again.stop()).toMatchObject({ code: 0, stderr: "" });
  });

  it("describes its options", async () => {
    const { code, stderr } = await start("--prot", "1").ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: .*--prot[\s\S]*^what to do: npm start -- /m);
  });
});
