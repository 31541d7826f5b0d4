import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { pause, type Running, startCli } from "../support/processes.ts";
import { TEN, useEdge, type Workspace } from "./support/workspace.ts";

const { edge, fresh } = useEdge();

/** Settings for the workspace's domain, whose list is list.txt, and others. */
function configure({ domain, write, names }: Workspace, more = ""): void {
  names(TEN);
  write("rollcall.toml", `[defaults]\nmode = "enforce"\n[domains."${domain}"]\nlist = "list.txt"\n${more}`);
}

const statusOf = ({ cwd }: Workspace) =>
  JSON.parse(readFileSync(join(cwd, ".rollcall", "status.json"), "utf8"));

/** Starts sync as a process. */
const start = ({ cwd }: Workspace, ...args: string[]) =>
  startCli(["sync", ...args], { home: cwd, env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: edge.admin } });

/** Waits for something that the process does. */
const until = async ({ child, stderr }: Running, isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${stderr}`);
    await pause(50);
  }
};

describe("rollcall sync", () => {
  it("publishes without asking, says only what changed, and writes status and metrics", async () => {
    const workspace = fresh();
    const { cwd, domain, run, names, verdict } = workspace;
    configure(workspace);
    const first = await run("sync --metrics-file rollcall.prom");
    expect(first).toMatchObject({ code: 0, asked: [] });
    expect(first.stdout).toMatch(
      /^published d\d+\.example as generation \d+, in enforce mode: 10 added, 0 removed, 0 changed\n$/,
    );
    expect(await verdict("a")).toBe("deliverable");
    expect(statusOf(workspace)).toMatchObject({
      next: null,
      domains: { [domain]: { outcome: "published", counts: { active: 10 }, failure: null } },
    });
    expect(statSync(join(cwd, ".rollcall", "status.json")).mode & 0o777).toBe(0o600);
    expect(statSync(join(cwd, "rollcall.prom")).mode & 0o777).toBe(0o644);
    expect(readFileSync(join(cwd, "rollcall.prom"), "utf8")).toContain(
      `rollcall_sync_mailboxes{domain="${domain}",state="active"} 10\n`,
    );
    expect(await run("sync")).toMatchObject({ code: 0, stdout: "" });
    expect(statusOf(workspace).domains[domain]).toMatchObject({ outcome: "unchanged" });
    // The names that were stored show who leaves.
    names(TEN.replace("a ", ""));
    expect((await run("plan")).stdout).toContain(`leaves     a@${domain}`);
  });

  it("publishes the other domains if one fails, and says so by its exit code", async () => {
    const workspace = fresh();
    const { domain, run, names, verdict } = workspace;
    const table = (name: string, list: string) => `[domains."${name}"]\nlist = "${list}"\n`;
    configure(workspace, table(`gone.${domain}`, "none.txt"));
    const missing = await run("sync --json");
    expect(missing.code).toBe(3);
    expect(missing.stderr).toMatch(/error: gone\.d\d+\.example: none\.txt cannot be read[\s\S]*what to do:/);
    expect(JSON.parse(missing.stdout).domains).toMatchObject({
      [domain]: { outcome: "published" },
      [`gone.${domain}`]: { outcome: "failed", failure: { kind: "input", attempts: 1 } },
    });
    expect(await verdict("a")).toBe("deliverable");
    names("a");
    // Two kinds of failures.
    expect(await run("sync")).toMatchObject({ code: 1 });
    expect(await verdict("b")).toBe("deliverable");
    const away = await run("sync", { env: { ROLLCALL_URL: "http://127.0.0.1:1" } });
    expect(away).toMatchObject({ code: 6 });
    expect(statusOf(workspace).domains).toMatchObject({
      [domain]: { failure: { kind: "edge", attempts: 2 }, failures: { guard: 1, edge: 1 } },
      [`gone.${domain}`]: { failure: { kind: "edge", attempts: 3 }, failures: { input: 2, edge: 1 } },
    });
  });

  it("reports a domain that the settings do not name, once, and never deletes it", async () => {
    const workspace = fresh();
    const { domain, run, verdict, write } = workspace;
    configure(workspace);
    const other = fresh();
    await other.publish(TEN);
    const first = await run("sync");
    expect(first.code).toBe(0);
    expect(first.stderr).toContain(`${other.domain}, which rollcall.toml does not name`);
    expect(statusOf(workspace).unconfigured).toContain(other.domain);
    expect(await run("sync")).toMatchObject({ code: 0, stderr: "" });
    // The domain of this very workspace vanishes from the settings.
    write("other.txt", `a@new.${domain}\n`);
    write("rollcall.toml", `[domains."new.${domain}"]\nlist = "other.txt"\n`);
    const gone = await run("sync");
    expect(gone.stderr).toContain(`the edge serves ${domain}, which`);
    expect(gone.stderr).not.toContain(other.domain);
    expect(await verdict("a")).toBe("deliverable");
  });

  it.each([
    ["a day ahead", 86_400_000],
    ["a day behind", -86_400_000],
  ])(
    "publishes the true list if the clock of this host is %s, and again when it is right",
    async (_, skew) => {
      const workspace = fresh();
      const { cwd, domain, run, names, verdict } = workspace;
      configure(workspace);
      const skewed = { now: () => Date.now() + skew };
      expect(await run("sync", skewed)).toMatchObject({ code: 0 });
      names(`${TEN} z`);
      const [plan, apply] = ["plan --out p.plan", "publish p.plan --yes"];
      expect(await run(plan, skewed)).toMatchObject({ code: 7 });
      expect(await run(apply)).toMatchObject({ code: 0 });
      expect(await verdict("z")).toBe("deliverable");
      names(TEN);
      expect(await run("sync --metrics-file rollcall.prom", skewed)).toMatchObject({ code: 0 });
      // The grace of a name that left runs on the Registry's clock.
      expect(await verdict("z")).toBe("departed");
      names(`${TEN} y`);
      expect(await run("sync")).toMatchObject({ code: 0 });
      expect(await verdict("y")).toBe("deliverable");
      const { last_attempt, last_success } = statusOf(workspace).domains[domain];
      expect(Math.abs(last_success - Date.now())).toBeLessThan(60_000);
      expect(last_attempt).toBe(last_success);
      expect(exists(join(cwd, "rollcall.prom"))).toBe(true);
    },
  );

  it("has no option that overrides the guard, and checks its options", async () => {
    const workspace = fresh();
    configure(workspace);
    for (const args of [
      "--force",
      "--yes",
      "--interval 5m",
      "--watch --json",
      "--watch --interval 9d",
      "list.txt",
    ]) {
      expect([args, (await workspace.run(`sync ${args}`)).code]).toEqual([args, 2]);
    }
  });

  it("ends with 75 while another run holds the lock, and takes the lock of a process that was killed", async () => {
    const workspace = fresh();
    const { cwd, domain, write } = workspace;
    write(
      "rollcall.toml",
      `[sources.slow]\nkind = "command"\ncommand = ["sleep", "30"]\n[domains."${domain}"]\nsources = ["slow"]\n`,
    );
    const first = start(workspace);
    await until(first, () => readLock(cwd) !== null);
    const second = await start(workspace).ended;
    expect(second).toMatchObject({ code: 75, stdout: "" });
    expect(second.stderr).toMatch(new RegExp(`another rollcall sync \\(process ${first.child.pid}\\)`));
    await first.stop("SIGKILL");
    expect(readLock(cwd)).not.toBeNull();
    configure(workspace);
    expect(await start(workspace).ended).toMatchObject({ code: 0 });
    expect(readLock(cwd)).toBeNull();
  });

  it("drops the list that it reads on SIGTERM, and ends", async () => {
    const workspace = fresh();
    const { cwd, domain, write, verdict } = workspace;
    write(
      "rollcall.toml",
      `[sources.slow]\nkind = "command"\ncommand = ["sh", "-c", "echo a@${domain}; touch begun; exec sleep 60"]\n[domains."${domain}"]\nsources = ["slow"]\n`,
    );
    const sync = start(workspace);
    await until(sync, () => exists(join(cwd, "begun")));
    const ended = await sync.stop("SIGTERM");
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`${domain}: not published, since sync was told to stop`);
    expect(readLock(cwd)).toBeNull();
    expect(await verdict("a")).toBe("not-served");
  });
});

describe("rollcall sync --watch", () => {
  it("publishes when a file is replaced, reads settings again on SIGHUP, and ends on SIGTERM", async () => {
    const workspace = fresh();
    const { cwd, domain, write, run, verdict } = workspace;
    configure(workspace);
    const sync = start(workspace, "--watch", "--interval", "1h");
    await sync.saying(/publishing every 60 min to http/);
    await sync.saying(/published d\d+\.example as generation \d+, in enforce mode: 10 added/);
    await until(
      sync,
      () => exists(join(cwd, ".rollcall", "status.json")) && statusOf(workspace).next !== null,
    );
    const { ended, next } = statusOf(workspace);
    expect(next - ended).toBeGreaterThan(0.89 * 3_600_000);
    expect(next - ended).toBeLessThan(1.11 * 3_600_000);
    const all = `${TEN} z`.replaceAll(/(\S+) ?/g, `$1@${domain}\n`);
    writeFileSync(join(cwd, "list.new"), all);
    renameSync(join(cwd, "list.new"), join(cwd, "list.txt"));
    await sync.saying(/published d\d+\.example as generation \d+: 1 added/);
    expect(await verdict("z")).toBe("deliverable");
    // Settings that are wrong do not end it.
    write("rollcall.toml", "[domains]\nx = 1\n");
    sync.child.kill("SIGHUP");
    await sync.logging(/the old settings stay in use: rollcall\.toml has errors/);
    write("other.txt", `a@other.${domain}\n`);
    const tables = `[domains."${domain}"]\nlist = "list.txt"\n[domains."other.${domain}"]\nlist = "other.txt"\n`;
    write("rollcall.toml", tables);
    sync.child.kill("SIGHUP");
    await sync.saying(/published other\.d\d+\.example as generation \d+, in observe mode: 1 added/);
    expect((await sync.stop("SIGTERM")).code).toBe(0);
    expect(await run(`check a@other.${domain}`)).toMatchObject({ code: 0 });
  });
});

const exists = (path: string): boolean => {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
};

const readLock = (cwd: string): string | null => {
  const path = join(cwd, ".rollcall", "lock");
  return exists(path) ? readFileSync(path, "utf8") : null;
};
