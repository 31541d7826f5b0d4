import { describe, expect, it } from "vitest";
import { TEN, useEdge } from "./support/workspace.ts";

/* The mode changed by the command, without a list, against the real edge in workerd. */

const { fresh } = useEdge();

const reply = async ({ run, domain }: ReturnType<typeof fresh>): Promise<string> => {
  const { stdout } = await run(`check nobody@${domain} --json`);
  return (JSON.parse(stdout) as { action: string }).action;
};

describe("rollcall mode", () => {
  it("goes down without a question, and up only when confirmed", async () => {
    const place = fresh();
    const { domain, run, publish } = place;
    await publish(TEN, "--enforce");
    const down = await run(`mode ${domain} observe --note panic`);
    expect(down).toMatchObject({ code: 0, stdout: expect.stringContaining("was enforce") });
    expect(await reply(place)).toBe("accept");
    expect((await run(`history ${domain}`)).stdout).toMatch(/mode +admin.*enforce to observe: panic/);

    const up = await run(`mode ${domain} enforce`);
    expect(up).toMatchObject({ code: 5, stdout: expect.stringContaining("would have been refused") });
    expect(await reply(place)).toBe("accept");
    expect(await run(`mode ${domain} enforce`, { answer: "y" })).toMatchObject({ code: 0 });
    expect(await reply(place)).toBe("reject");
  });

  it("says what was so already, and changes nothing", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN, "--observe");
    const before = (await run(`history ${domain}`)).stdout;
    expect((await run(`mode ${domain} observe`)).stdout).toContain("1 domain in observe mode already");
    expect((await run(`history ${domain}`)).stdout).toBe(before);
  });

  it("changes every domain with --all, and lists what it did as JSON", async () => {
    const [one, other] = [fresh(), fresh()];
    await one.publish(TEN, "--enforce");
    await other.publish(TEN, "--observe");
    const { code, stdout } = await one.run("mode --all observe --json");
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as {
      changed: { domain: string }[];
      unchanged: string[];
      failed: unknown[];
    };
    expect(result.changed.map(({ domain }) => domain)).toContain(one.domain);
    expect(result.unchanged).toContain(other.domain);
    expect(result.failed).toEqual([]);
    expect([await reply(one), await reply(other)]).toEqual(["accept", "accept"]);
  });

  it("is not undone by rollcall.toml: publish and sync keep the mode, and the plan names the difference", async () => {
    const place = fresh();
    const { domain, run, names, write } = place;
    names(TEN);
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\nmode = "enforce"\n`);
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    expect(await reply(place)).toBe("reject");
    await run(`mode ${domain} observe`);
    for (const again of ["publish --yes", "sync --state state"]) {
      expect(await run(again)).toMatchObject({ code: 0 });
      expect(await reply(place)).toBe("accept");
    }
    names(`${TEN} j`);
    const plan = await run("plan");
    expect(`${plan.stdout}${plan.stderr}`).toContain(
      "stays in observe mode, although rollcall.toml says enforce",
    );
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    expect(await reply(place)).toBe("accept");
    // Down without a word, and up with one.
    await run(`mode ${domain} enforce --yes`);
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\nmode = "defer"\n`);
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    expect(await reply(place)).toBe("defer");
    expect(await run("publish --yes --enforce")).toMatchObject({ code: 0 });
    expect(await reply(place)).toBe("reject");
  });

  it("is undone by no rollback", async () => {
    const place = fresh();
    await place.publish(TEN, "--enforce");
    await place.publish(`${TEN} j`);
    await place.run(`mode ${place.domain} observe`);
    const { stdout } = await place.run(`rollback ${place.domain} --yes`);
    expect(stdout).toContain("published");
    expect(await reply(place)).toBe("accept");
  });

  it("exits as other commands do", async () => {
    const { domain, run } = fresh();
    expect(await run("mode observe")).toMatchObject({ code: 2, stderr: expect.stringContaining("--all") });
    expect(await run(`mode ${domain} quiet`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("observe, defer, enforce"),
    });
    expect(await run(`mode ${domain} --all observe`)).toMatchObject({ code: 2 });
    expect(await run(`mode ${domain} observe`)).toMatchObject({ code: 3 });
  });
});
