import { describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { openFile, type PublishTarget, publishLists } from "../../src/publish/index.ts";
import { TEN, useEdge } from "./support/workspace.ts";

/* Single changes by the command, and publishes among them, against the real edge in workerd. */

const { edge, fresh } = useEdge();

describe("rollcall add, remove, disable and enable", () => {
  it("change single mailboxes, when confirmed", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    expect(await run(`add new@${domain}`)).toMatchObject({ code: 5 });
    expect(await verdict("new")).toBe("unknown");
    const added = await run(`add new@${domain} --yes`);
    expect(added).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("1 added, 0 removed, 0 changed"),
    });
    expect(await verdict("new")).toBe("deliverable");
    const disabled = await run(`disable New@${domain}`, { answer: "y" });
    expect(disabled).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/1 changed; deferred, and refused after 2/),
    });
    expect(await verdict("new")).toBe("departed");
    // A person's word ends the grace.
    expect((await run(`disable new@${domain} --now --yes`)).stdout).toContain(
      "nothing to change; refused at once",
    );
    expect(await verdict("new")).toBe("disabled");
    await run(`enable new@${domain} --yes`);
    expect(await verdict("new")).toBe("deliverable");
    expect((await run(`disable new@${domain} --now --yes`)).stdout).toContain("1 changed; refused at once");
    expect(await verdict("new")).toBe("disabled");
    await run(`enable new@${domain} --yes`);
    expect((await run(`add new@${domain} --now --yes`)).code).toBe(3);
    expect((await run(`remove new@${domain} --yes`)).stdout).toContain("deferred, and refused after 2");
    expect(await verdict("new")).toBe("departed");
    await run(`remove new@${domain} --now --yes`);
    expect(await verdict("new")).toBe("unknown");
    expect((await run(`remove new@${domain} --yes`)).stdout).toContain("nothing to change");
    expect((await run(`history ${domain}`)).stdout).toMatch(/patch +admin/);
  });

  it("do not enable what somebody disabled: add says that it is listed, and --as says the state", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    await run(`disable a@${domain} --now --yes`);
    const again = await run(`add a@${domain} another@${domain} --yes`);
    expect(again).toMatchObject({ code: 3 });
    expect(again.stderr).toContain("a mailbox is in the list already, in another state; nothing was changed");
    expect(again.stderr).toContain(`a@${domain}`);
    expect(again.stderr).toContain("rollcall enable ADDRESS");
    expect(await verdict("a")).toBe("disabled");
    expect(await run(`add a@${domain} --as active --yes`)).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("deliverable");
    expect((await run(`add a@${domain} --yes`)).stdout).toContain("nothing to change");
  });

  it("do not make a mailbox of a typo: enable and disable say what is not in the list, and how to add it", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    for (const [verb, state] of [
      ["enable", "active"],
      ["disable", "disabled"],
    ]) {
      const said = await run(`${verb} a@${domain} typo@${domain} other@${domain} --yes`);
      expect(said.code).toBe(3);
      expect(said.stderr).toContain(
        `error: ${domain}: 2 mailboxes are not in the list; nothing was changed\n  typo@${domain}\n  other@${domain}\nwhat to do: check the spelling`,
      );
      expect(said.stderr).toContain(`rollcall add ADDRESS --as ${state}`);
      expect([await verdict("typo"), await verdict("a")]).toEqual(["unknown", "deliverable"]);
    }
  });

  it("refuse a name below a catch-all or a pattern if that is said: add with a state", async () => {
    const { domain, run, write, verdict } = fresh();
    write("list.txt", "postmaster@D\na@D\nb@D\nticket-*@D\n@D\n");
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\ncatchall = true\nmode = "enforce"\n`);
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    for (const name of ["trap", "ticket-7"]) {
      expect(await run(`disable ${name}@${domain} --yes`)).toMatchObject({ code: 3 });
      expect(await verdict(name)).toBe("deliverable");
      expect(await run(`add ${name}@${domain} --as disabled --yes`)).toMatchObject({ code: 0 });
      // It was accepted until now.
      expect(await verdict(name)).toBe("departed");
      expect(await run(`enable ${name}@${domain} --yes`)).toMatchObject({ code: 0 });
      expect(await verdict(name)).toBe("deliverable");
    }
  });

  it("say what was not in the list when it is removed", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    const typo = await run(`remove a@${domain} typo@${domain} --yes`);
    expect(typo).toMatchObject({ code: 0 });
    expect(typo.stdout).toContain("0 added, 1 removed, 0 changed");
    expect(typo.stderr).toContain(`warning: typo@${domain} was not in the list\n`);
    expect((await run(`remove a@${domain} --now --yes`)).stderr).toContain(
      `a@${domain} was not in the list; if it left before, its grace has ended\n`,
    );
  });

  it("say at once what a publish will ask, and how to settle it", async () => {
    const { domain, run, publish } = fresh();
    await publish(TEN);
    for (const change of ["add new", "disable new", "enable new", "remove new"]) {
      const [verb, name] = change.split(" ");
      const { stderr } = await run(`${verb} ${name}@${domain} --yes`);
      expect(stderr).toContain("what to do: make the same change in the source of the list");
      expect(stderr).toContain('patched = "keep" or "drop" in rollcall.toml');
      expect(stderr).toContain("`rollcall sync` ends with 4");
    }
    expect((await run(`remove new@${domain} --yes`)).stderr).not.toContain("what to do");
  });

  it("change several domains in one call, and take the domain from --domain", async () => {
    const [one, other] = [fresh(), fresh()];
    await one.publish(TEN);
    await other.publish(TEN);
    const { code, stdout } = await one.run(`add x@${one.domain} x@${other.domain} --as full --yes --json`);
    expect(code).toBe(0);
    const { domains } = JSON.parse(stdout) as { domains: unknown[] };
    expect(domains).toMatchObject([
      { domain: one.domain, added: 1 },
      { domain: other.domain, added: 1 },
    ]);
    expect([await one.verdict("x"), await other.verdict("x")]).toEqual(["full", "full"]);
    expect(await one.run(`remove x --domain ${one.domain} --yes`)).toMatchObject({ code: 0 });
    expect(await one.verdict("x")).toBe("departed");
  });

  it("exit as other commands do", async () => {
    const { domain, run, publish } = fresh();
    expect(await run(`add a@${domain} --yes`)).toMatchObject({ code: 3 });
    await publish(TEN);
    expect(await run("add nobody --yes")).toMatchObject({ code: 3 });
    expect(await run(`add --yes`)).toMatchObject({ code: 2 });
    const refused = await run(`remove a@${domain} b@${domain} c@${domain} --yes`);
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("3 of 10 names") });
    expect(await run(`remove a@${domain} b@${domain} c@${domain} --force --yes`)).toMatchObject({ code: 0 });
  });
});

describe("rollcall publish after single changes", () => {
  it("asks what becomes of those that the list does not know", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    await run(`add new@${domain} --yes`);
    await run(`remove a@${domain} --yes`);
    const plan = await run(`publish --domain ${domain} list.txt --dry-run`);
    expect(plan).toMatchObject({ code: 4, stdout: expect.stringMatching(/patched +1 added, 1 removed/) });
    const undecided = await publish(TEN);
    expect(undecided).toMatchObject({ code: 4, stderr: expect.stringContaining("--keep-patched") });
    expect(await verdict("new")).toBe("deliverable");
    expect(await publish(TEN, "--keep-patched")).toMatchObject({ code: 0 });
    expect([await verdict("new"), await verdict("a")]).toEqual(["deliverable", "departed"]);
    // They are asked about again, until the list has them.
    expect(await publish(TEN)).toMatchObject({ code: 4 });
    expect(await publish(`${TEN.replace("a ", "")} new`)).toMatchObject({ code: 0 });
    expect(await publish(TEN.replace("a ", ""))).toMatchObject({ code: 0 });
    expect(await verdict("new")).toBe("departed");
  });

  it("keeps them also if a name is again as it was before a list that is published since", async () => {
    const { domain, run, publish, verdict } = fresh();
    await publish(TEN);
    await run(`disable a@${domain} --now --yes`);
    const without = TEN.replace("a ", "");
    expect(await publish(without, "--keep-patched")).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("disabled");
    await run(`enable a@${domain} --yes`);
    expect(await publish(without)).toMatchObject({ code: 4 });
    expect(await publish(without, "--keep-patched")).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("deliverable");
  });

  it("drops them if told to, by an option or by rollcall.toml", async () => {
    const { domain, run, publish, verdict, write } = fresh();
    await publish(TEN);
    await run(`add new@${domain} --yes`);
    expect(await publish(TEN, "--drop-patched")).toMatchObject({ code: 0 });
    expect(await verdict("new")).toBe("departed");
    await run(`remove a@${domain} --yes`);
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\npatched = "drop"\n`);
    expect(await run("publish --yes")).toMatchObject({ code: 0 });
    expect(await verdict("a")).toBe("deliverable");
    write("rollcall.toml", `[defaults]\npatched = "sometimes"\n`);
    expect(await run("publish --yes")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('"keep" or "drop"'),
    });
  });

  it("keeps them with a plan in a file, and remembers that the list does not know them", async () => {
    const { domain, run, publish, verdict, write, names } = fresh();
    await publish(TEN);
    await run(`add new@${domain} --yes`);
    await run(`remove a@${domain} --yes`);
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\npatched = "keep"\n`);
    names(`${TEN} other`);
    expect(await run("plan --out x.plan")).toMatchObject({
      code: 7,
      stdout: expect.stringMatching(/patched +1 added, 1 removed/),
    });
    expect(await run("publish x.plan --yes")).toMatchObject({ code: 0 });
    expect([await verdict("new"), await verdict("a"), await verdict("other")]).toEqual([
      "deliverable",
      "departed",
      "deliverable",
    ]);
    // Only if the commit named them as kept, they still need a decision.
    write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\n`);
    expect(await run("publish --yes")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("1 added, 1 removed"),
    });
    expect(await run("publish --yes --drop-patched")).toMatchObject({ code: 0 });
    expect([await verdict("new"), await verdict("a")]).toEqual(["departed", "deliverable"]);
  });

  it("plans again if single changes come between plan and commit, and not if a publish does", async () => {
    const { cwd, domain, publish, names, verdict } = fresh();
    await publish(TEN);
    const client = createClient({
      url: edge.url,
      token: edge.admin,
      fetch,
      now: () => performance.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    });
    names(`${TEN} listed`);
    const source = openFile({ path: `${cwd}/list.txt`, shown: "list.txt" });
    const target: PublishTarget = { domain, source, policy: {}, canaries: [], patched: "keep" };
    const publishAfter = (between: () => Promise<unknown>) =>
      publishLists(
        {
          client,
          hashing: stablelibHashing,
          timers: { sleep: async () => undefined },
          recorder: null,
          progress: {},
          confirm: async () => void (await between()),
        },
        [target],
      );
    const set = [{ recipient: `helpdesk@${domain}`, state: "active" as const }];
    await publishAfter(() => client.patchMailboxes(domain, { set }, "k1"));
    expect([await verdict("listed"), await verdict("helpdesk")]).toEqual(["deliverable", "deliverable"]);
    names(`${TEN} listed more`);
    const racing = publishAfter(async () => {
      expect(await publish(`${TEN} listed other`, "--drop-patched")).toMatchObject({ code: 0 });
    });
    await expect(racing).rejects.toMatchObject({ code: "conflict" });
    expect(await verdict("other")).toBe("deliverable");
  });
});
