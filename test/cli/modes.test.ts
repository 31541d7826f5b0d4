import { describe, expect, it } from "vitest";
import { TEN, useEdge, type Workspace } from "./support/workspace.ts";

const { fresh } = useEdge();

/** Settings for the workspace's domain, whose list is list.txt. */
function configure({ domain, write, names }: Workspace, more = "", defaults = ""): void {
  names(TEN);
  write("rollcall.toml", `${defaults}[domains."${domain}"]\nlist = "list.txt"\n${more}`);
}

const NOTE =
  'new, and nothing says in which mode it starts, so in observe: every recipient is accepted. To reject unknown ones, publish with --enforce, or set mode = "enforce" in rollcall.toml';

describe("a new domain", () => {
  it("starts in observe mode if nothing says otherwise, and plan and publish say so", async () => {
    const workspace = fresh();
    const { domain, run } = workspace;
    configure(workspace);
    const plan = await run("plan");
    expect(plan.stdout).toMatch(new RegExp(`^${domain}  new, in observe mode\n`));
    expect(plan.stdout).toContain(`  note       ${NOTE}\n`);
    const published = await run("publish --yes");
    expect(published.stdout).toContain(`${domain}  new, in observe mode\n`);
    const check = JSON.parse((await run(`check nobody@${domain} --json`)).stdout);
    expect(check).toMatchObject({ verdict: "unknown", action: "accept", mode: "observe" });
    // From then on the stored mode counts.
    expect((await run("plan")).stdout).toMatch(new RegExp(`^${domain}  generation \\d+, in observe mode\n`));
    const enforced = await run("publish --enforce --yes");
    expect(enforced.stdout).toMatch(new RegExp(`${domain}  generation \\d+, from observe to enforce mode\n`));
    const again = await run("plan");
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toMatch(new RegExp(`^${domain}  generation \\d+, in enforce mode\n`));
    expect(again.stdout).not.toContain("nothing says");
  });

  it("starts as rollcall.toml says, also if its list is in a file", async () => {
    for (const [more, defaults] of [
      ['mode = "enforce"\n', ""],
      ["", '[defaults]\nmode = "enforce"\n'],
      ['mode = "enforce"\n', '[defaults]\nmode = "observe"\n'],
    ] as const) {
      for (const command of ["publish --yes", "sync", "publish --yes list.txt --domain"]) {
        const workspace = fresh();
        const { domain, run } = workspace;
        configure(workspace, more, defaults);
        const args = command.endsWith("--domain") ? `${command} ${domain}` : command;
        const { code, stdout } = await run(args);
        expect([args, code]).toEqual([args, 0]);
        expect(stdout).not.toContain("nothing says");
        const check = JSON.parse((await run(`check nobody@${domain} --json`)).stdout);
        expect(check).toMatchObject({ action: "reject", mode: "enforce" });
      }
    }
  });

  it("is published by sync in observe mode, which says so", async () => {
    const workspace = fresh();
    const { domain, run, names } = workspace;
    configure(workspace);
    const first = await run("sync");
    expect(first.stdout).toMatch(
      new RegExp(
        `^published ${domain} as generation \\d+, in observe mode: 10 added, 0 removed, 0 changed\n`,
      ),
    );
    expect(first.stderr).toContain(`${domain}: ${NOTE}`);
    names(`${TEN} z`);
    const second = await run("sync");
    expect(second.stdout).toMatch(/^published \S+ as generation \d+: 1 added/);
    expect(second.stderr).toBe("");
  });

  it("is in a plan with its mode, whatever rollcall.toml says later", async () => {
    const workspace = fresh();
    const { domain, run } = workspace;
    configure(workspace);
    await run("plan --out next.plan");
    configure(workspace, 'mode = "enforce"\n');
    expect((await run("publish next.plan --yes")).stdout).toContain(`${domain}  new, in observe mode\n`);
    expect(JSON.parse((await run(`check nobody@${domain} --json`)).stdout).mode).toBe("observe");
  });

  it("may be one that was deleted: its mode still counts", async () => {
    const workspace = fresh();
    const { domain, run } = workspace;
    configure(workspace);
    await run("publish --enforce --yes");
    await run(`delete ${domain} --yes`);
    expect((await run("publish --yes")).stdout).toMatch(
      new RegExp(`${domain}  generation \\d+, deleted, in enforce mode\n`),
    );
    expect(JSON.parse((await run(`check nobody@${domain} --json`)).stdout).mode).toBe("enforce");
  });
});
