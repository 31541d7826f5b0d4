import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { pause, Running, temporaryFolder } from "../support/processes.ts";
import { type BridgeProcess, refusing, startBoth, working } from "./support/bridge-process.ts";
import { isRunning, replace } from "./support/replacing.ts";

/*
 * What systemd is told through its notify socket, by the real systemd-notify.
 */

const SLOW = 180_000;
const PYTHON = "/usr/bin/python3";
const NOTIFY = "/usr/bin/systemd-notify";
const MISSING = [PYTHON, NOTIFY].filter((file) => !existsSync(file));

type Message = Readonly<Record<string, string>>;

class Receiver {
  readonly path = join(temporaryFolder(), "notify");
  readonly #running = new Running(PYTHON, [
    join(import.meta.dirname, "support", "notify-receiver.py"),
    this.path,
  ]);

  async start(): Promise<this> {
    onTestFinished(() => void this.#running.child.kill());
    await this.#running.saying(/ready\n/);
    return this;
  }

  get messages(): Message[] {
    const lines = this.#running.stdout.split("\n").slice(1, -1);
    return lines.map((line) => JSON.parse(line) as Message);
  }

  /** The first message with a value, which arrives within the time of the test. */
  async saying(name: string, value: string, after = 0): Promise<Message> {
    for (;;) {
      const found = this.messages.slice(after).find((message) => message[name] === value);
      if (found !== undefined) return found;
      await pause(20);
    }
  }
}

async function start(env: Record<string, string> = {}) {
  const receiver = await new Receiver().start();
  const home = temporaryFolder();
  const write = (text: string): void => writeFileSync(join(home, "rollcall.toml"), `[bridge]\n${text}\n`);
  write('line = "127.0.0.1:0"');
  const { bridge } = await startBoth(working, [], { home, env: { NOTIFY_SOCKET: receiver.path, ...env } });
  return { receiver, bridge, write };
}

const listening = (bridge: BridgeProcess): string =>
  `listening on line ${/^line on (.*)$/m.exec(bridge.running.stdout)?.[1]}`;

describe.skipIf(MISSING.length > 0)(
  `a service of systemd${MISSING.length > 0 ? ` (${MISSING.join(" and ")} missing)` : ""}`,
  { timeout: SLOW },
  () => {
    it("says that it is ready, and that it stops", async () => {
      const { receiver, bridge } = await start();
      expect(await receiver.saying("READY", "1")).toEqual({ READY: "1", STATUS: listening(bridge) });
      expect(await bridge.running.stop()).toMatchObject({ code: 0 });
      expect(await receiver.saying("STOPPING", "1")).toEqual({ STOPPING: "1", STATUS: "stopping" });
      expect(receiver.messages).toHaveLength(2);
    });

    it("says that it reloads, with the time, and then that it is ready, whether the settings are right or wrong", async () => {
      const { receiver, bridge, write } = await start();
      await receiver.saying("READY", "1");
      const before = process.hrtime.bigint() / 1000n;
      bridge.running.child.kill("SIGHUP");
      const reloading = await receiver.saying("RELOADING", "1");
      const at = BigInt(reloading.MONOTONIC_USEC as string);
      expect(at >= before && at <= process.hrtime.bigint() / 1000n).toBe(true);
      expect(await receiver.saying("READY", "1", 2)).toEqual({ READY: "1", STATUS: listening(bridge) });
      write('line = "127.0.0.1:0"\ntimeout = 60');
      bridge.running.child.kill("SIGHUP");
      expect((await receiver.saying("READY", "1", 3)).STATUS).toBe(
        "the old settings are in use: rollcall.toml has errors",
      );
      expect(receiver.messages.map((message) => Object.keys(message)[0])).toEqual([
        ...["READY", "RELOADING", "READY", "RELOADING", "READY"],
      ]);
      await bridge.running.stop();
    });

    it("names the process that takes over, before the old one ends, and feeds the watchdog from then on", async () => {
      const { receiver, bridge } = await start({ WATCHDOG_USEC: "400000" });
      await receiver.saying("WATCHDOG", "1");
      const pid = await replace(bridge.running);
      const main = receiver.messages.findIndex(({ MAINPID }) => MAINPID === String(pid));
      expect(receiver.messages[main]).toEqual({
        READY: "1",
        STATUS: listening(bridge),
        MAINPID: String(pid),
      });
      while (bridge.running.child.exitCode === null) await pause(10);
      const over = receiver.messages.length;
      await receiver.saying("WATCHDOG", "1", over);
      expect(receiver.messages.some((message) => "STOPPING" in message)).toBe(false);
      process.kill(pid, "SIGTERM");
      while (isRunning(pid)) await pause(10);
      await receiver.saying("STOPPING", "1");
    });

    it("feeds no watchdog that waits for another process", async () => {
      const { receiver, bridge } = await start({ WATCHDOG_USEC: "100000", WATCHDOG_PID: "1" });
      await receiver.saying("READY", "1");
      await pause(500);
      await bridge.running.stop();
      expect(receiver.messages.some((message) => "WATCHDOG" in message)).toBe(false);
    });

    it("does not feed the watchdog while it hangs", async () => {
      const { receiver, bridge } = await start({ WATCHDOG_USEC: "200000" });
      await receiver.saying("WATCHDOG", "1");
      bridge.running.child.kill("SIGSTOP");
      await pause(300);
      const before = receiver.messages.length;
      await pause(500);
      expect(receiver.messages).toHaveLength(before);
      bridge.running.child.kill("SIGCONT");
      await receiver.saying("WATCHDOG", "1", before);
      await bridge.running.stop();
    });

    it("shows in its status that the edge refuses the token", async () => {
      const receiver = await new Receiver().start();
      const { bridge } = await startBoth(refusing(401, "unauthorized"), ["--line", "127.0.0.1:0"], {
        env: { NOTIFY_SOCKET: receiver.path, WATCHDOG_USEC: "200000" },
      });
      await receiver.saying("READY", "1");
      expect(await bridge.act("line", "user@example.com")).toBe("defer");
      for (;;) {
        const status = receiver.messages.findLast(({ STATUS }) => STATUS !== undefined)?.STATUS;
        if (status?.startsWith("the edge refuses the token (401)")) break;
        await pause(20);
      }
      await bridge.running.stop();
    });
  },
);

describe("a service manager that cannot be told", { timeout: SLOW }, () => {
  it("is logged, and changes nothing else", async () => {
    const { bridge } = await startBoth(working, ["--line", "127.0.0.1:0"], {
      env: { NOTIFY_SOCKET: join(temporaryFolder(), "none") },
    });
    expect(await bridge.act("line", "user@example.com")).toBe("accept");
    await bridge.running.logging(/"event":"notify-failed"/);
    expect(await bridge.running.stop()).toMatchObject({ code: 0 });
  });
});
