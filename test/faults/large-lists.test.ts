import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { useEdge } from "../cli/support/workspace.ts";
import { FULL, ifFull } from "../support/full.ts";
import { NODE_20, pause, type Running, startCli } from "../support/processes.ts";

/* A million rows, through the command as mail hosts run it: on Node 20, if there is one. */

const ROWS = 1_000_000;
/** MiB of memory that a plan of a million rows may take: 15 octets a row and the shards, beside Node itself. */
const MOST_MEMORY = 200;

const { edge, fresh } = useEdge();
const NODE = NODE_20 === undefined ? " (no Node 20 here)" : " on Node 20";

/** The most memory that a process ever had, in MiB, sampled until it ends. */
async function peakOf({ child }: Running): Promise<number> {
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      // It has just ended.
    }
    await pause(20);
  }
  return peak;
}

/** Runs a command on a list that a program prints. */
async function runWith(format: string, args: readonly string[]) {
  const workspace = fresh();
  const { cwd, domain, write } = workspace;
  const command = `["seq", "-f", "${format.replaceAll("@D", `@${domain}`)}", "${ROWS}"]`;
  write(
    "rollcall.toml",
    `[sources.all]\nkind = "command"\ncommand = ${command}\n[domains."${domain}"]\nsources = ["all"]\n`,
  );
  const running = startCli(args, {
    home: cwd,
    env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: edge.admin },
    ...(NODE_20 === undefined ? {} : { node: NODE_20 }),
  });
  const peak = await peakOf(running);
  return { workspace, peak, ...(await running.ended) };
}

describe(`a million rows${NODE}`, () => {
  it(`are read in at most ${MOST_MEMORY} MiB`, async () => {
    const { code, stdout, peak } = await runWith("user%.0f@D", ["plan"]);
    console.info(`a plan of ${ROWS} rows: ${Math.round(peak)} MiB at most`);
    expect(stdout).toContain(`list       ${ROWS} active, 0 disabled`);
    expect(code).toBe(7);
    expect(peak).toBeGreaterThan(20);
    expect(peak).toBeLessThan(MOST_MEMORY);
  });

  it.runIf(FULL)(ifFull("that are malformed are counted, shown in part, and publish nothing"), async () => {
    const { code, stderr, peak, workspace } = await runWith("user %.0f", ["sync"]);
    expect(code).toBe(3);
    expect(stderr).toContain(`${ROWS} lines cannot be used; nothing was published`);
    expect(stderr).toContain(`and ${ROWS - 100} more`);
    expect(stderr.length).toBeLessThan(20_000);
    expect(peak).toBeLessThan(MOST_MEMORY);
    expect(await workspace.verdict("user1")).toBe("not-served");
  });

  it.runIf(FULL)(ifFull("of another domain publish nothing either"), async () => {
    const { code, stderr, workspace } = await runWith("user%.0f@other.example", ["sync"]);
    expect(code).toBe(3);
    expect(stderr).toContain("an address of other.example, not of");
    expect(stderr.length).toBeLessThan(20_000);
    expect(await workspace.verdict("user1")).toBe("not-served");
  });
});
