import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BridgeProcess, startEdge } from "../bridge/support/bridge-process.ts";
import { isRunning, replace } from "../bridge/support/replacing.ts";
import { askOnce } from "../bridge/support/sockets.ts";
import {
  COMMAND,
  environment,
  NODE_20,
  pause,
  ROOT,
  Running,
  temporaryFolder,
} from "../support/processes.ts";

/*
 * The files for systemd, with its own tools. service.test.ts runs them under systemd itself.
 */

const UNITS = join(ROOT, "packaging", "systemd");
const SERVICE = join(UNITS, "rollcall-bridge.service");
const service = readFileSync(SERVICE, "utf8");
/** Highest exposure that the service may have. */
const MOST_EXPOSED = 2;

const without = (...tools: string[]): string | null => {
  const missing = tools.filter((tool) => !existsSync(tool));
  return missing.length === 0 ? null : `${missing.join(", ")} missing`;
};
const named = (title: string, missing: string | null): string =>
  missing === null ? title : `${title} (${missing})`;

const NO_ANALYZE = without("/usr/bin/systemd-analyze");

/** The values of a setting, in the order of the unit. */
const valuesOf = (setting: string): string[] =>
  [...service.matchAll(new RegExp(`^${setting}=(.*)$`, "gm"))].map(([, value]) => value as string);

describe.skipIf(NO_ANALYZE !== null)(named("the units", NO_ANALYZE), () => {
  it("are accepted by systemd", () => {
    // The command is not installed where the tests run.
    const folder = temporaryFolder();
    const copies = readdirSync(UNITS).map((name) => {
      const copy = join(folder, name);
      writeFileSync(copy, readFileSync(join(UNITS, name), "utf8").replace("/usr/bin/rollcall", "/bin/true"));
      return copy;
    });
    expect(copies.length).toBeGreaterThan(1);
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...copies], {
      encoding: "utf8",
    });
    expect(stderr.split("\n").filter((line) => line.includes("rollcall"))).toEqual([]);
    expect(status).toBe(0);
  });

  it.each(["rollcall-bridge.service", "rollcall-sync.service"])(
    `expose the host little: at most ${MOST_EXPOSED.toFixed(1)}, by systemd-analyze security: %s`,
    (unit) => {
      const text = execFileSync("systemd-analyze", ["security", "--offline=true", join(UNITS, unit)], {
        encoding: "utf8",
      });
      const [line, score] =
        /^.*Overall exposure level for rollcall-(?:bridge|sync)\.service: ([\d.]+).*$/m.exec(text) ?? [];
      console.info(line?.trim());
      expect(Number(score)).toBeLessThanOrEqual(MOST_EXPOSED);
    },
  );
});

describe("the units", () => {
  it("let the bridge create its sockets where the pages put them", () => {
    const writable = valuesOf("ReadWritePaths").map((path) => `${path.replace(/^-/, "")}/`);
    for (const name of valuesOf("RuntimeDirectory")) writable.push(`/run/${name}/`);
    const pages = ["docs/bridge.md", "docs/mta/postfix.md", "packaging/systemd/rollcall-bridge.service"];
    const sockets = pages.flatMap((file) =>
      [...readFileSync(join(ROOT, file), "utf8").matchAll(/unix:(\/(?:var|run)\/[\w./-]+)/g)].map(
        ([, path]) => path,
      ),
    );
    expect(new Set(sockets)).toContain("/var/spool/postfix/rollcall/socketmap");
    for (const path of sockets) expect(writable.some((folder) => path?.startsWith(folder))).toBe(true);
  });

  it("name their sockets as the bridge expects", () => {
    const sockets = readdirSync(UNITS).filter((name) => name.endsWith(".socket"));
    expect(sockets.length).toBeGreaterThan(0);
    for (const name of sockets) {
      const unit = readFileSync(join(UNITS, name), "utf8");
      const [, descriptor] = /^FileDescriptorName=(\w+)$/m.exec(unit) ?? [];
      expect(name).toBe(`rollcall-bridge-${descriptor}.socket`);
      expect(["socketmap", "policy", "line", "metrics"]).toContain(descriptor);
    }
  });
});

const NO_FILES = without("/usr/bin/systemd-sysusers", "/usr/bin/systemd-tmpfiles");

describe.skipIf(NO_FILES !== null)(named("user and folders", NO_FILES), () => {
  it("are created by systemd-sysusers and systemd-tmpfiles, for the bridge and for Postfix", () => {
    const root = temporaryFolder();
    mkdirSync(join(root, "etc"));
    writeFileSync(join(root, "etc", "passwd"), "");
    writeFileSync(join(root, "etc", "group"), "postfix:x:110:\n");
    const files = (folder: string): string[] =>
      readdirSync(join(ROOT, "packaging", folder)).map((name) => join(ROOT, "packaging", folder, name));
    execFileSync("systemd-sysusers", [`--root=${root}`, ...files("sysusers.d")], { stdio: "ignore" });
    const [, uid, gid] =
      /^rollcall:x:(\d+):(\d+):[^:]*:[^:]*:\/usr\/sbin\/nologin$/m.exec(
        readFileSync(join(root, "etc", "passwd"), "utf8"),
      ) ?? [];
    expect(valuesOf("User")).toEqual(["rollcall"]);
    const { status, stderr } = spawnSync(
      "systemd-tmpfiles",
      [`--root=${root}`, "--create", ...files("tmpfiles.d")],
      { encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([0, ""]);
    const shown = (path: string): unknown[] => {
      const { mode, uid: owner, gid: group } = statSync(join(root, path));
      return [(mode & 0o7777).toString(8), String(owner), String(group)];
    };
    // Only root can give folders away.
    const own = process.getuid?.() === 0 ? [uid, gid] : null;
    expect(shown("etc/rollcall")).toEqual(["750", "0", own?.[1] ?? expect.anything()]);
    expect(shown("var/spool/postfix/rollcall")).toEqual(["2750", own?.[0] ?? expect.anything(), "110"]);
  });
});

const NO_STRACE = without("/usr/bin/strace", "/usr/bin/systemd-analyze");

/** The system calls of a set such as `@system-service`. */
function callsOf(set: string, seen = new Set<string>()): Set<string> {
  const text = execFileSync("systemd-analyze", ["syscall-filter", set], { encoding: "utf8" });
  const calls = new Set<string>();
  for (const word of text.replaceAll(/#.*/g, "").split(/\s+/)) {
    if (word === "" || word === set || seen.has(word)) continue;
    if (!word.startsWith("@")) calls.add(word);
    else for (const call of callsOf(word, seen.add(word))) calls.add(call);
  }
  return calls;
}

/** What SystemCallFilter= of the unit allows. */
function allowedCalls(): Set<string> {
  // systemd allows these in every list.
  const allowed = callsOf("@default");
  for (const value of valuesOf("SystemCallFilter")) {
    const isDenied = value.startsWith("~");
    for (const set of value.replace(/^~/, "").split(" ")) {
      for (const call of callsOf(set)) isDenied ? allowed.delete(call) : allowed.add(call);
    }
  }
  return allowed;
}

/** Starts, answers, is replaced, answers and stops, under strace. @returns the system calls */
async function traced(args: readonly string[]): Promise<Set<string>> {
  const folder = temporaryFolder();
  const edge = await startEdge();
  const output = join(folder, "trace");
  const running = new Running(
    "/usr/bin/strace",
    [
      ...["-f", "-qq", "-o", output, ...args, NODE_20 ?? process.execPath, COMMAND],
      ...[
        "bridge",
        "--line",
        "127.0.0.1:0",
        "--socketmap",
        `unix:${join(folder, "s")}`,
        "--metrics",
        "127.0.0.1:0",
      ],
    ],
    {
      cwd: folder,
      env: environment(folder, {
        ROLLCALL_URL: edge.url,
        ROLLCALL_TOKEN: "t",
        NOTIFY_SOCKET: join(folder, "none"),
        WATCHDOG_USEC: "500000",
      }),
    },
  );
  await running.saying(/\bready\b.*\n/);
  const bridge = new BridgeProcess(running);
  const ask = async (): Promise<void> =>
    expect(await askOnce(bridge.address("line"), "user@example.com\n")).toMatch(/^250 /);
  await ask();
  expect(await bridge.metrics()).toContain("rollcall_bridge_ready 1");
  const [, first] = /^(\d+)/.exec(readFileSync(output, "utf8")) ?? [];
  const pid = await replace(running, Number(first));
  await ask();
  await running.logging(/"event":"notify-failed"/);
  process.kill(pid, "SIGTERM");
  while (isRunning(pid)) await pause(20);
  await running.ended;
  return new Set(
    [...readFileSync(output, "utf8").matchAll(/^\d+ +(\w+)\(/gm)].map(([, call]) => call as string),
  );
}

describe.skipIf(NO_STRACE !== null)(named("the filter of system calls", NO_STRACE), () => {
  it("has all that the bridge needs: with the others denied, it starts, answers, is replaced and stops", async () => {
    const allowed = allowedCalls();
    expect(allowed.size).toBeGreaterThan(100);
    expect(allowed.has("mount")).toBe(false);
    const used = await traced([]);
    expect(used.size).toBeGreaterThan(20);
    const denied = [...used].filter((call) => !allowed.has(call));
    console.info(`${used.size} system calls are used; denied: ${denied.join(", ") || "none"}`);
    // A call that is denied fails, instead of killing the process. V8 asks for memory keys, and does without.
    expect(valuesOf("SystemCallErrorNumber")).toEqual(["EPERM"]);
    expect(denied.filter((call) => !call.startsWith("pkey_"))).toEqual([]);
    if (denied.length > 0) await traced(["-e", `inject=${denied.join(",")}:error=EPERM`]);
  });
});
