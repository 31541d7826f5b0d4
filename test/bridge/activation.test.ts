import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ListenAddress } from "../../src/bridge/index.ts";
import { activatedListeners } from "../../src/cli/activation.ts";
import { freePort } from "../../testing/ports.ts";
import { COMMAND, environment, pause, Running, startCli, temporaryFolder } from "../support/processes.ts";
import { startEdge } from "./support/bridge-process.ts";
import { isRunning, replace } from "./support/replacing.ts";
import { askOnce, Client, netstring } from "./support/sockets.ts";

/*
 * Sockets that a service manager opened: sd_listen_fds(3).
 */

const SLOW = 180_000;
const ACTIVATE = "/usr/bin/systemd-socket-activate";
const PYTHON = "/usr/bin/python3";
const USER = netstring("access user@example.com");
const DUNNO = "8:OK DUNNO,";

describe.skipIf(!existsSync(ACTIVATE))(
  `a bridge that systemd-socket-activate starts${existsSync(ACTIVATE) ? "" : " (systemd is not installed)"}`,
  { timeout: SLOW },
  () => {
    it("listens on inherited sockets by their names, beside those of its settings, and hands them over", async () => {
      const edge = await startEdge();
      const folder = temporaryFolder();
      const [file, own, port] = [join(folder, "socketmap"), join(folder, "own"), await freePort()];
      const running = new Running(
        ACTIVATE,
        [
          ...["-l", file, "-l", `127.0.0.1:${port}`, "--fdname=socketmap:line"],
          ...["-E", `ROLLCALL_URL=${edge.url}`, "-E", "ROLLCALL_TOKEN=a-token", "-E", `HOME=${folder}`],
          ...[process.execPath, COMMAND, "bridge", "--socketmap", `unix:${own}`],
          // The same address as an inherited one: no second listener.
          ...["--line", `127.0.0.1:${port}`],
        ],
        { cwd: folder, env: environment(folder) },
      );
      await running.logging(/Listening on .*\n[\s\S]*Listening on/);
      // The first client starts the bridge; the others wait in the queues.
      const [byFile, line] = await Promise.all([
        askOnce({ kind: "unix", path: file }, USER),
        askOnce({ kind: "tcp", host: "127.0.0.1", port }, "nobody@example.com\n"),
      ]);
      expect(byFile).toBe(DUNNO);
      expect(line).toMatch(/^550 5\.1\.1 /);
      expect(await askOnce({ kind: "unix", path: own }, USER)).toBe(DUNNO);
      expect(running.stdout.match(/^line on .*$/gm)).toEqual([`line on 127.0.0.1:${port}`]);
      const client = await Client.connect({ kind: "unix", path: file });
      const pid = await replace(running);
      expect(await client.send(USER).told(/,$/)).toBe(DUNNO);
      expect(await askOnce({ kind: "tcp", host: "127.0.0.1", port }, "user@example.com\n")).toMatch(/^250 /);
      client.leave();
      process.kill(pid, "SIGTERM");
      while (isRunning(pid)) await pause(20);
      expect(existsSync(own)).toBe(false);
      // This file belongs to the process that opened it.
      expect(statSync(file).isSocket()).toBe(true);
    });
  },
);

describe.skipIf(!existsSync(PYTHON))(
  `a service manager that holds the sockets${existsSync(PYTHON) ? "" : " (python3 is not installed)"}`,
  { timeout: SLOW },
  () => {
    it("can restart the bridge, and clients that connect meanwhile only wait", async () => {
      const edge = await startEdge();
      const folder = temporaryFolder();
      const file = join(folder, "socketmap");
      const holder = new Running(
        PYTHON,
        [
          join(import.meta.dirname, "support", "hold-sockets.py"),
          ...["socketmap:socketmap", file, "127.0.0.1", "--", process.execPath, COMMAND, "bridge"],
        ],
        {
          stdio: ["pipe", "pipe", "pipe"],
          cwd: folder,
          env: environment(folder, { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: "a-token" }),
        },
      );
      const port = Number((await holder.saying(/^0 (\d+)\n/))[1]);
      const addresses: ListenAddress[] = [
        { kind: "unix", path: file },
        { kind: "tcp", host: "127.0.0.1", port },
      ];
      let over = false;
      let lookups = 0;
      const failures: string[] = [];
      const ask = async (address: ListenAddress): Promise<void> => {
        while (!over) {
          const reply = await askOnce(address, USER);
          if (reply !== DUNNO) failures.push(reply);
          lookups++;
        }
      };
      const asking = [...addresses, ...addresses].map(ask);
      for (let i = 2; i <= 5; i++) {
        const before = lookups;
        while (lookups < before + 20) await pause(10);
        holder.child.stdin?.write("restart\n");
        await holder.saying(new RegExp(`(?:ready[\\s\\S]*){${i}}\n`));
      }
      over = true;
      await Promise.all(asking);
      expect(failures).toEqual([]);
      holder.child.stdin?.end();
      expect(await holder.ended).toMatchObject({ code: 0 });
      expect(existsSync(file)).toBe(true);
    });
  },
);

describe("inherited sockets", { timeout: SLOW }, () => {
  it("are only those for this process", () => {
    expect(activatedListeners({}, 17)).toEqual([]);
    expect(
      activatedListeners({ LISTEN_FDS: "2", LISTEN_PID: "18", LISTEN_FDNAMES: "line:line" }, 17),
    ).toEqual([]);
    expect(
      activatedListeners({ LISTEN_FDS: "2", LISTEN_PID: "17", LISTEN_FDNAMES: "line:metrics" }, 17),
    ).toEqual([
      { name: "line", fd: 3, setting: null, shown: null },
      { name: "metrics", fd: 4, setting: null, shown: null },
    ]);
  });

  it.each([
    [{ LISTEN_FDS: "1" }, 'descriptor 3 is named "" \\(LISTEN_FDNAMES\\)'],
    [{ LISTEN_FDS: "1", LISTEN_FDNAMES: "rollcall-bridge.socket" }, 'is named "rollcall-bridge.socket"'],
    [{ LISTEN_FDS: "2", LISTEN_FDNAMES: "line" }, 'descriptor 4 is named ""'],
    [{ LISTEN_FDS: "many", LISTEN_FDNAMES: "line" }, "LISTEN_FDS is not a number: many"],
  ])("without a known name are refused (%j)", async (env, message) => {
    const running = new Running(
      "/bin/sh",
      ["-c", 'LISTEN_PID=$$ exec "$@"', "sh", process.execPath, COMMAND, "bridge"],
      {
        cwd: temporaryFolder(),
        env: environment(temporaryFolder(), {
          ROLLCALL_URL: "http://127.0.0.1:9",
          ROLLCALL_TOKEN: "t",
          ...env,
        }),
      },
    );
    const { code, stderr } = await running.ended;
    expect(stderr).toMatch(
      new RegExp(
        `error: .*${message}[\\s\\S]*FileDescriptorName= .*socketmap, policy, line, tcp, hooks, metrics`,
      ),
    );
    expect(code).toBe(2);
  });

  it("that are not listening sockets are refused", async () => {
    const running = startCli(["bridge"], {
      home: temporaryFolder(),
      env: { ROLLCALL_URL: "http://127.0.0.1:9", ROLLCALL_TOKEN: "t" },
    });
    expect(await running.ended).toMatchObject({ code: 2 });
    const shell = new Running(
      "/bin/sh",
      [
        "-c",
        'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=line exec "$@" 3</dev/null',
        "sh",
        process.execPath,
        COMMAND,
        "bridge",
      ],
      {
        cwd: temporaryFolder(),
        env: environment(temporaryFolder(), { ROLLCALL_URL: "http://127.0.0.1:9", ROLLCALL_TOKEN: "t" }),
      },
    );
    onTestFinished(() => void shell.child.kill());
    const { code, stderr } = await shell.ended;
    expect(stderr).toMatch(
      /cannot listen on the inherited socket line \(descriptor 3\): it is not a stream socket that listens/,
    );
    expect(code).toBe(1);
  });
});
