/* The brake from end to end: a mail host with a replica reports names that left, and a person decides with the command. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FULL, ifFull } from "../../support/full.ts";
import { pause, temporaryFolder } from "../../support/processes.ts";
import { startReplica, useRealEdge } from "./support.ts";

const DOMAIN = "a.example";
const edge = useRealEdge();
const names = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `m${from + i}`);
const mailbox = (local: string): string => `${local}@${DOMAIN}`;

// Minutes of real time; law-4.test.ts and edge/brake.test.ts try the brake in workerd, too.
it.runIf(FULL)(
  ifFull("holds leavers that the replica answers about, raises every alarm, and ends as the person says"),
  {
    timeout: 900_000,
  },
  async () => {
    await edge.publish(DOMAIN, names(60), "--grace", "20");
    const token = await edge.token(DOMAIN);
    const bridge = await startReplica(edge, token, join(temporaryFolder(), "replica"));
    await bridge.comesToSay(mailbox("nobody"), "550 replica");
    const quiet = await edge.try("brake", DOMAIN);
    expect(quiet).toMatchObject({ code: 0, stdout: `the brake holds no names of ${DOMAIN}\n` });

    // A mistake: fifteen names go.
    await edge.publish(DOMAIN, names(45, 15), "--force");
    await bridge.comesToSay(mailbox("m0"), "450 replica");
    const asked = names(12).map(mailbox);
    // Counted within the grace and after it: on a busy machine it may be over by now.
    for (const each of asked) expect(await bridge.said(each)).toMatch(/^[45]50 replica$/);
    // The Registry writes what was counted within a minute.
    const since = Date.now();
    while ((await edge.try("brake", DOMAIN)).code === 0) await pause(3_000);
    // A bridge looks at the lists within a minute of its start, and then every five minutes.
    const watching = await startReplica(edge, token, join(temporaryFolder(), "replica"));
    // Long after their grace, and from the next poll on, they are deferred. Names that never existed are refused.
    while (Date.now() < since + 25_000) await pause(500);
    await bridge.comesToSay(mailbox("m0"), "450 replica");
    for (const each of [...asked, mailbox("m14")]) expect(await bridge.said(each)).toBe("450 replica");
    expect(await bridge.said(mailbox("nobody"))).toBe("550 replica");
    expect(await bridge.said(mailbox("m15"))).toBe("250 replica");

    const shown = await edge.try("brake", DOMAIN);
    expect(shown).toMatchObject({ code: 1, stderr: expect.stringContaining(`rollcall rollback ${DOMAIN}`) });
    // Ten are enough. A poll while they were asked for may have reported the first of them alone.
    expect(shown.stdout).toMatch(
      /15 names that left have been deferred since .*\n.* 1[0-3] of 15 names .* asked for/,
    );
    const status = await edge.try("status");
    expect(status).toMatchObject({ code: 1, stdout: expect.stringContaining("15 leavers held") });
    expect(status.stderr).toContain("the brake holds names that left");
    const ofHost = await edge.try("status", DOMAIN, "--json");
    expect(JSON.parse(ofHost.stdout).domains).toMatchObject([
      { domain: DOMAIN, brake: { held: 15, left: 15 } },
    ]);
    const doctor = await edge.try("doctor", "--url", edge.url, "--json");
    expect(doctor.code).toBe(1);
    const { steps } = JSON.parse(doctor.stdout) as {
      steps: { step: string; state: string; detail: string }[];
    };
    expect(steps.filter(({ state }) => state === "failed")).toMatchObject([
      { step: "brake", detail: expect.stringContaining(`15 of ${DOMAIN}`) },
    ]);
    const plan = await edge.try("plan", "--domain", DOMAIN, `${DOMAIN}.txt`);
    expect(plan.stdout).toContain(`holds 15 names that left: see \`rollcall brake ${DOMAIN}\``);

    writeFileSync(
      join(edge.home, "rollcall.toml"),
      `url = "${edge.url}"\n[domains."${DOMAIN}"]\nlist = "${DOMAIN}.txt"\n`,
    );
    const sync = await edge.try("sync", "--state", "sync-state", "--metrics-file", "sync.prom");
    expect(sync).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("the brake holds 15 names that left"),
    });
    const stored = JSON.parse(readFileSync(join(edge.home, "sync-state", "status.json"), "utf8"));
    expect(stored.domains[DOMAIN]).toMatchObject({ outcome: "unchanged", held: 15 });
    expect(readFileSync(join(edge.home, "sync.prom"), "utf8")).toContain(
      `rollcall_sync_held_names{domain="${DOMAIN}"} 15\n`,
    );
    const line = `rollcall_bridge_list_held_names{domain="${DOMAIN}"} 15\n`;
    while (!(await watching.metrics()).includes(line)) await pause(2_000);
    expect((await watching.running.stop()).code).toBe(0);

    // A person must confirm, and has to see what.
    const unconfirmed = await edge.try("brake", DOMAIN, "--release");
    expect(unconfirmed).toMatchObject({ code: 5, stdout: expect.stringContaining("15 names") });
    expect(await bridge.said(mailbox("m0"))).toBe("450 replica");
    const released = await edge.run("brake", DOMAIN, "--release", "--yes");
    expect(released).toContain(`released ${DOMAIN} in generation`);
    await bridge.comesToSay(mailbox("m0"), "550 replica");
    for (const each of asked) expect(await bridge.said(each)).toBe("550 replica");
    expect(await edge.try("brake", DOMAIN, "--release", "--yes")).toMatchObject({ code: 3 });
    expect(await edge.run("history", DOMAIN)).toMatch(/release +admin/);
    expect(await edge.run("history", DOMAIN)).toMatch(/brake +registry/);
    // The list before the mistake, and not that of the brake's generations.
    await edge.run("rollback", DOMAIN, "--yes");
    await bridge.comesToSay(mailbox("m0"), "250 replica");
    expect((await bridge.running.stop()).code).toBe(0);
  },
);
