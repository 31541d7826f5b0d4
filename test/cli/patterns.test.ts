import { describe, expect, it } from "vitest";
import { TEN, useEdge } from "./support/workspace.ts";

/* Lists with patterns by the command, against the real edge in workerd. */

const { fresh } = useEdge();

describe("a list with patterns", () => {
  it("is planned, published, checked and shown", async () => {
    const { domain, run, publish, names, verdict } = fresh();
    await publish(TEN);
    names(`${TEN} Ticket-* *-support`);
    const plan = await run(`plan --domain ${domain} list.txt`);
    expect(plan).toMatchObject({ code: 7, stderr: "" });
    expect(plan.stdout).toContain("  patterns   2 in the list; 2 added, 0 removed, 0 changed\n");
    expect(plan.stdout).toContain(`  joins      ticket-*@${domain}\n`);
    expect(plan.stdout).toContain(`  joins      *-support@${domain}\n`);
    expect(plan.stdout).toContain("guard      passes");
    expect(plan.stdout).toContain("0 unchanged; 2 added, 0 removed, 0 changed.");
    expect(JSON.parse((await run(`plan --domain ${domain} list.txt --json`)).stdout)).toMatchObject({
      domains: [{ patterns: { count: 2, added: 2, removed: 0, changed: 0 }, counts: { active: 10 } }],
    });
    expect(await run(`publish --domain ${domain} list.txt --yes`)).toMatchObject({ code: 0, stderr: "" });
    expect(await run(`plan --domain ${domain} list.txt`)).toMatchObject({ code: 0 });
    const checked = await run(`check TICKET-7@${domain}`);
    expect(checked.stdout).toContain("deliverable (accept)");
    expect(checked.stdout).toMatch(/matched +a pattern of the list\n/);
    expect(checked.stdout).toMatch(/detail +by the pattern ticket-\*\n/);
    expect(await verdict("x-support")).toBe("deliverable");
    expect(await verdict("case-7")).toBe("unknown");
    expect((await run(`status ${domain}`)).stdout).toMatch(/10 +0 +.*2 patterns/);
    expect(JSON.parse((await run("status --json")).stdout).domains).toContainEqual(
      expect.objectContaining({ domain, patterns: 2, counts: expect.objectContaining({ active: 10 }) }),
    );
  });

  it("needs the override if a pattern goes, and names it", async () => {
    const { domain, run, publish, names, verdict } = fresh();
    await publish(`${TEN} ticket-*`);
    names(TEN);
    const plan = await run(`plan --domain ${domain} list.txt`);
    expect(plan.code).toBe(4);
    expect(plan.stdout).toContain(`  leaves     ticket-*@${domain}\n`);
    expect(plan.stdout).toContain("  patterns   0 in the list; 0 added, 1 removed, 0 changed\n");
    expect(plan.stdout).toContain(
      "refuses: it changes patterns, whose effect on who is accepted cannot be counted",
    );
    const refused = await run(`publish --domain ${domain} list.txt --yes`);
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("--force") });
    expect(await verdict("ticket-7")).toBe("deliverable");
    expect(await run(`publish --domain ${domain} list.txt --yes --force`)).toMatchObject({ code: 0 });
    expect(await verdict("ticket-7")).toBe("departed");
    expect(await run(`rollback ${domain} --yes`)).toMatchObject({ code: 0 });
    expect(await verdict("ticket-7")).toBe("deliverable");
  });

  it("is published from a plan in a file", async () => {
    const { domain, run, publish, names, verdict } = fresh();
    await publish(TEN);
    names(`${TEN} ticket-*`);
    await run(`plan --domain ${domain} list.txt --out next.plan`);
    expect(await run("publish next.plan --yes")).toMatchObject({ code: 0, stderr: "" });
    expect(await verdict("ticket-7")).toBe("deliverable");
    // What it says is the head already.
    expect(await run("publish next.plan --yes")).toMatchObject({ code: 0 });
  });

  it("is synced, and the line says what changes of the patterns", async () => {
    const { domain, run, names, write } = fresh();
    names(TEN);
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\n`);
    await run("sync");
    names(`${TEN} ticket-*`);
    expect((await run("sync")).stdout).toContain(
      "0 added, 0 removed, 0 changed; of the patterns 1 added, 0 removed, 0 changed\n",
    );
  });

  it("moves to a new key with its patterns", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(`${TEN} ticket-*`);
    expect(await run(`publish --domain ${domain} list.txt --yes --new-key`)).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(await verdict("ticket-7")).toBe("deliverable");
  });

  it("keeps patterns over single changes, which refuse a pattern", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(`${TEN} ticket-*`);
    expect(await run(`add ticket-1@${domain} --as disabled --yes`)).toMatchObject({ code: 0 });
    // The pattern accepted it until now.
    expect([await verdict("ticket-1"), await verdict("ticket-2")]).toEqual(["departed", "deliverable"]);
    expect(await run(`remove ticket-1@${domain} --yes`)).toMatchObject({ code: 0 });
    expect(await verdict("ticket-1")).toBe("deliverable");
    for (const verb of ["add", "remove", "disable"]) {
      expect(await run(`${verb} case-*@${domain} --yes`)).toMatchObject({
        code: 3,
        stderr: expect.stringContaining("a pattern, which only a publish can change"),
      });
    }
    expect(await run(`add a*b@${domain} --yes`)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("write \\* for an asterisk itself"),
    });
    expect(await run(`add star\\*@${domain} --yes`)).toMatchObject({ code: 0 });
    expect(await verdict("star*")).toBe("deliverable");
    // A publish whose list knows nothing of these changes keeps them if it is told to.
    expect(await run(`publish --domain ${domain} list.txt --yes --keep-patched`)).toMatchObject({ code: 0 });
    expect([await verdict("star*"), await verdict("ticket-7")]).toEqual(["deliverable", "deliverable"]);
  });

  it("is refused with the line of an asterisk that makes no pattern", async () => {
    const { domain, run, names } = fresh();
    names(`${TEN} ticket*`);
    expect(await run(`publish --domain ${domain} list.txt --yes`)).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(
        /list\.txt:11: an asterisk makes a pattern: .*write \\\* for an asterisk itself/,
      ),
    });
  });
});
