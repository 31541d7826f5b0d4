import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  COMMAND,
  type Dev,
  type Ended,
  environment,
  ROOT,
  Running,
  startCli,
  startDev,
  temporaryFolder,
} from "../support/processes.ts";

const SLOW = 180_000;

describe("examples/sync.sh", () => {
  const home = temporaryFolder();
  const mail = join(home, "mail");
  let dev: Dev;

  const script = (name: string, body: string): string => {
    const file = join(home, name);
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
    return file;
  };

  const sync = (
    more: Record<string, string> = {},
    args: string[] = ["--domain", "example.org", "list.txt"],
  ): Running =>
    new Running("bash", [join(ROOT, "examples", "sync.sh"), ...args], {
      cwd: home,
      env: environment(home, {
        ROLLCALL_URL: dev.url,
        ROLLCALL_TOKEN: readFileSync(join(home, "state", "admin-token"), "utf8").trim(),
        ROLLCALL_COMMAND: script("rollcall", `exec "${process.execPath}" "${COMMAND}" "$@"`),
        SYNC_SENDMAIL: script("sendmail", `[ "$*" = "-t -oi" ] && cat >"${mail}"`),
        SYNC_MAIL_TO: "postmaster@example.org",
        ...more,
      }),
    });

  const list = (...names: string[]): void =>
    writeFileSync(join(home, "list.txt"), names.map((name) => `${name}@example.org\n`).join(""));

  const generation = async (): Promise<number> => {
    const args = ["status", "example.org", "--json", "--url", dev.url, "--token-file", "state/admin-token"];
    const { stdout } = await startCli(args, { home }).ended;
    return Number(/"generation": (\d+)/.exec(stdout)?.[1]);
  };

  const expectSilence = (ended: Ended): void => {
    expect(ended).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(existsSync(mail)).toBe(false);
  };

  beforeAll(async () => {
    dev = await startDev("state", { home });
  }, SLOW);

  beforeEach(() => rmSync(mail, { force: true }));

  it("publishes silently, and mails the reason if the guard refuses", { timeout: SLOW }, async () => {
    list("alice", "bob", "carol");
    expectSilence(await sync().ended);
    expectSilence(await sync().ended);
    const before = await generation();
    expect(before).toBe(1);

    list("alice");
    const { code, stderr } = await sync().ended;
    expect(code).toBe(4);
    expect(stderr).toMatch(/publish refused by the guard \(exit code 4\)/);
    const text = readFileSync(mail, "utf8");
    expect(text).toMatch(
      /^To: postmaster@example\.org\nSubject: rollcall on .*: publish refused by the guard \(4\)\n/,
    );
    expect(text).toMatch(/\n\nrollcall publish --domain example\.org list\.txt\n\n/);
    expect(text).toMatch(/guard/);
    expect(await generation()).toBe(before);

    rmSync(mail);
    list("alice", "bob", "carol", "dave");
    expectSilence(await sync().ended);
    expect(await generation()).toBe(2);
  });

  it("mails errors in a list, and an unreachable edge", { timeout: SLOW }, async () => {
    writeFileSync(join(home, "list.txt"), "alice@example.org\nnot an address\n");
    expect(await sync().ended).toMatchObject({ code: 3 });
    expect(readFileSync(mail, "utf8")).toMatch(/list\.txt:2: /);
    list("alice");
    expect(await sync({ ROLLCALL_TOKEN: "wrong" }).ended).toMatchObject({ code: 6 });
    expect(readFileSync(mail, "utf8")).toMatch(/Subject: .* edge unreachable or credentials refused \(6\)/);
  });

  it("passes on the exit code if the mail cannot be sent", async () => {
    const { code, stderr } = await sync({
      ROLLCALL_COMMAND: script("fails", "exit 4"),
      SYNC_SENDMAIL: "false",
    }).ended;
    expect(code).toBe(4);
    expect(stderr).toMatch(/cannot send mail to postmaster@example\.org/);
  });

  it("does nothing while an earlier run is active", async () => {
    const go = join(home, "go");
    const slow = script("slow", `echo ran >>"${home}/runs"; while [ ! -e "${go}" ]; do sleep 0.05; done`);
    const first = sync({ ROLLCALL_COMMAND: slow });
    while (!existsSync(join(home, "runs"))) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await sync({ ROLLCALL_COMMAND: slow }).ended;
    expect(second).toMatchObject({ code: 75, stderr: expect.stringMatching(/an earlier run still holds/) });
    writeFileSync(go, "");
    expectSilence(await first.ended);
    expect(readFileSync(join(home, "runs"), "utf8")).toBe("ran\n");
    // The lock ends with the run that held it.
    expect(await sync({ ROLLCALL_COMMAND: slow }).ended).toMatchObject({ code: 0 });
  });
});
