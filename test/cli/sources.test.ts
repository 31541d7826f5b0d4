import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TEN, useEdge, type Workspace } from "./support/workspace.ts";

const { fresh } = useEdge();

/** Settings for the workspace's domain with two sources: ten people, and five rooms. */
function configure({ domain, write, names }: Workspace, more = ""): void {
  names(TEN);
  write("rooms.txt", "r1@D\nr2@D\nr3@D\nr4@D\nr5@D\n");
  write(
    "rollcall.toml",
    `${more}[sources.staff]\nkind = "file"\npath = "list.txt"\n[sources.rooms]\nkind = "file"\npath = "rooms.txt"\nother_domains = "skip"\n[domains."${domain}"]\nsources = ["staff", "rooms"]\nguard = 0.4\n`,
  );
}

describe("a source that ends", () => {
  it("stops plan, publish and sync, which say which one, until a person says --force", async () => {
    const workspace = fresh();
    const { cwd, domain, run, write, verdict } = workspace;
    configure(workspace, "keep_lists = false\n");
    expect(await run("sync")).toMatchObject({ code: 0 });
    write("rooms.txt", "");
    const why = "source rooms gives no name that accepts mail; it gave 5 last";
    const plan = await run("plan --out next.plan");
    expect(plan.code).toBe(4);
    expect(plan.stdout).toContain("  source     source staff gives 10 addresses\n");
    expect(plan.stdout).toContain("  source     source rooms gives 0 addresses\n");
    expect(plan.stdout).toContain(`  refused    ${why}\n`);
    expect(plan.stdout).toContain("  guard      passes\n");
    expect(JSON.parse((await run("plan --json")).stdout)).toMatchObject({
      refused: true,
      domains: [{ guard: null, shrunk: [why], sources: [{ given: 10 }, { given: 0, left_out: 0 }] }],
    });
    for (const command of ["publish --yes", "publish next.plan --yes", "sync"]) {
      const said = await run(command);
      expect([command, said.code]).toEqual([command, 4]);
      expect(said.stderr).toContain("a source gives less than it gave last; nothing was changed");
      expect(said.stderr).toContain(why);
    }
    expect(await verdict("r1")).toBe("deliverable");
    expect(await run("publish next.plan --yes --force")).toMatchObject({ code: 0 });
    expect(await verdict("r1")).toBe("departed");
    expect(await run("sync")).toMatchObject({ code: 0, stdout: "" });
    // No names are stored, and the numbers are.
    const stored = readFileSync(join(cwd, ".rollcall", "published", domain), "utf8");
    expect(JSON.parse(stored).sources).toMatchObject({ "source staff": { accepting: 10, left_out: 0 } });
    expect(stored).not.toContain("@");
    expect(() => statSync(join(cwd, ".rollcall", "lists"))).toThrow();
  });

  it("is told by a state folder of sync's own, after a person published elsewhere", async () => {
    const workspace = fresh();
    const { run, write } = workspace;
    configure(workspace);
    expect(await run("sync --state state")).toMatchObject({ code: 0 });
    write("rooms.txt", "r1@D\n");
    expect(await run("sync --state state")).toMatchObject({ code: 4 });
    expect((await run("publish --yes")).stdout).toContain(
      "this host does not know what the sources gave last, so they are not compared",
    );
    expect(await run("sync --state state")).toMatchObject({ code: 0, stdout: "" });
    write("rooms.txt", "");
    expect(await run("sync --state state")).toMatchObject({ code: 4 });
  });

  it("shows what is left out: rows of domains that the settings do not name", async () => {
    const workspace = fresh();
    const { domain, run, write } = workspace;
    configure(workspace);
    write("rooms.txt", `r1@D\nr2@${domain.replace("d", "b")}\nr3@${domain.replace("d", "b")}\n`);
    const { stdout } = await run("plan");
    expect(stdout).toContain(
      `  source     source rooms gives 1 address, and leaves out 2 rows: 2 of ${domain.replace("d", "b")}\n`,
    );
    expect(await run("sync")).toMatchObject({ code: 0 });
    expect((await run(`status ${domain}`)).stdout).toContain("its sources leave out 2 rows");
    const { domains } = JSON.parse((await run(`status ${domain} --json`)).stdout);
    expect(domains).toMatchObject([{ domain, left_out: 2 }]);
  });
});
