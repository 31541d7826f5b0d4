import { describe, expect, it } from "vitest";
import { TEN, useEdge, type Workspace } from "./support/workspace.ts";

/* A rollback and single changes, by the command, against the real edge in workerd. */

const { fresh } = useEdge();

/** A list with two single changes that its source does not reflect, and then a bad publish. */
async function changedAndSpoilt(patched: "keep" | null): Promise<Workspace> {
  const workspace = fresh();
  const { domain, run, names, write } = workspace;
  const setting = patched === null ? "" : `patched = "${patched}"\n`;
  write(
    "rollcall.toml",
    `[defaults]\nmode = "enforce"\n[domains."${domain}"]\nlist = "list.txt"\n${setting}`,
  );
  names(TEN);
  expect(await run("sync")).toMatchObject({ code: 0 });
  await run(`add newbie@${domain} --yes`);
  await run(`remove a@${domain} --now --yes`);
  names("postmaster b");
  expect(await run("publish --yes --force --keep-patched")).toMatchObject({ code: 0 });
  names(TEN);
  return workspace;
}

describe("rollcall rollback", () => {
  it("opens again the single changes that were open then", async () => {
    const { domain, run, verdict } = await changedAndSpoilt("keep");
    // The bad list settled that `a` was removed.
    expect((await run(`status ${domain}`)).stdout).toContain("1 open single change");
    expect(await run(`rollback ${domain}`, { answer: "y" })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("patched    1 added, 1 removed, 0 changed one by one: open again\n"),
    });
    expect(await run("sync")).toMatchObject({ code: 0 });
    expect([await verdict("newbie"), await verdict("a")]).toEqual(["deliverable", "unknown"]);
  });

  it("lets sync stop as before, if nobody has decided about them", async () => {
    const { domain, run, verdict } = await changedAndSpoilt(null);
    expect(await run(`rollback ${domain} --yes`)).toMatchObject({ code: 0 });
    expect(await run("sync")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("1 added, 1 removed, 0 changed"),
    });
    expect([await verdict("newbie"), await verdict("a")]).toEqual(["deliverable", "unknown"]);
  });

  it("refuses again who was removed with --now since, unless a person says otherwise", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    await run(`remove a@${domain} --now --yes`);
    await publish(TEN.replace("a ", ""));
    await run(`add newbie@${domain} --yes`);
    const to = (
      JSON.parse((await run(`history ${domain} --json`)).stdout) as { generations: { generation: number }[] }
    ).generations.at(-1)?.generation;
    const { stdout } = await run(`rollback ${domain} --to ${to} --yes`);
    expect(stdout).toContain("patched    1 name refused with --now since: refused again\n");
    expect(stdout).toContain("patched    1 later single change: dropped\n");
    expect([await verdict("a"), await verdict("newbie")]).toEqual(["unknown", "departed"]);
    const dropped = await run(`rollback ${domain} --to ${to} --drop-patched --yes`);
    expect(dropped.stdout).toContain("patched    1 name refused with --now since: as the list has them\n");
    expect(await verdict("a")).toBe("deliverable");
  });

  it("stops if such names cannot be found in the list, and goes on with --drop-patched", async () => {
    const { domain, run, publish, verdict, write } = fresh();
    await publish(TEN);
    const to = (
      JSON.parse((await run(`history ${domain} --json`)).stdout) as { generations: { generation: number }[] }
    ).generations[0]?.generation;
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\ncase = "sensitive"\n`);
    expect(await run("publish --force --yes")).toMatchObject({ code: 0 });
    await run(`remove a@${domain} --now --yes`);
    const stopped = await run(`rollback ${domain} --to ${to} --yes`);
    expect(stopped.code).toBe(4);
    expect(stopped.stderr).toContain("1 name refused with --now since cannot be found in that list");
    expect(await run(`rollback ${domain} --to ${to} --drop-patched --yes`)).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("deliverable");
  });

  it("says first what a list under another spelling takes from names that left, and until when it refuses nobody", async () => {
    const { domain, run, names, write } = fresh();
    const config = (more: string): void =>
      write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\ngrace = 259200\n${more}`);
    config("");
    names(TEN);
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    const history = JSON.parse((await run(`history ${domain} --json`)).stdout) as {
      generations: { generation: number }[];
    };
    const [first] = history.generations;
    config('case = "sensitive"\n');
    expect(await run("publish --force --yes")).toMatchObject({ code: 0 });
    names(TEN.replace("a ", ""));
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    const rollback = `rollback ${domain} --to ${first?.generation}`;
    const refused = await run(rollback, { answer: "n" });
    expect(refused.stdout).toMatch(/then refuses nobody until \d{4}-/);
    expect(refused.stdout).toContain("1 name that left loses the rest of a longer grace.\n");
    // Back to the same spelling nothing is lost.
    const same = await run(`rollback ${domain}`, { answer: "n" });
    expect(same.stdout).not.toContain("longer grace");
  });

  it('is not undone by patched = "drop": who was removed with --now stays so until the source reflects it', async () => {
    const { domain, run, names, write, verdict } = fresh();
    write(
      "rollcall.toml",
      `[defaults]\nmode = "enforce"\n[domains."${domain}"]\nlist = "list.txt"\npatched = "drop"\n`,
    );
    names(TEN);
    await run("sync");
    await run(`remove a@${domain} --now --yes`);
    await run(`add newbie@${domain} --yes`);
    expect(await run("sync")).toMatchObject({ code: 0 });
    expect([await verdict("a"), await verdict("newbie")]).toEqual(["unknown", "departed"]);
    names(`${TEN} other`);
    expect((await run("plan")).stdout).toContain("dropped; not 1 name refused with --now");
    // A deletion ends the list, and not what was said of the name.
    await run(`delete ${domain} --yes`);
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    // Just after a deletion all refusals wait for the grace.
    expect([await verdict("a"), await verdict("b")]).toEqual(["departed", "deliverable"]);
    names(TEN.replace("a ", ""));
    await run("sync");
    names(TEN);
    await run("sync");
    expect(await verdict("a")).toBe("deliverable");
  });
});
