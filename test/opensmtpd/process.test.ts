import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Cleanup } from "../mta/support/cleanup.ts";
import { inTime, pause, until } from "../mta/support/waiting.ts";
import {
  honest,
  netstring,
  type Script,
  ScriptedBridge,
  startScripted,
  TableProcess,
} from "./support/table-process.ts";

let cleanup = new Cleanup();
afterEach(async () => {
  await cleanup.run();
  cleanup = new Cleanup();
});

async function startTable(address: string): Promise<TableProcess> {
  const table = new TableProcess(address, cleanup);
  await table.register();
  return table;
}

async function timed(work: Promise<string>): Promise<{ result: string; ms: number }> {
  const start = performance.now();
  return { result: await work, ms: performance.now() - start };
}

/** Resident memory, MiB. */
const residentMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

describe("rollcall opensmtpd-table", () => {
  it.each([
    ["as its own file", "dist/cli/opensmtpd-table.mjs", []],
    ["through the command's starter", "bin/rollcall.js", ["opensmtpd-table"]],
    ["as a command", "dist/cli/rollcall.mjs", ["opensmtpd-table"]],
  ])("registers and answers, %s", async (_, file, before) => {
    const bridge = await startScripted(cleanup);
    const table = new TableProcess(bridge.address, cleanup, file, before);
    expect(await table.register()).toEqual(["register|mailaddr", "register|domain"]);
    expect(await table.check("known@example.com")).toBe("found");
    expect(await table.check("nobody@example.com")).toBe("not-found");
    expect(await table.check("known.example", "domain")).toBe("found");
    expect(await table.check("alice@example.com", "credentials")).toMatch(/^error\|/);
    table.say("table|0.1|1|recipients|update|478ff0d2\n");
    expect(await table.next()).toBe("update-result|478ff0d2|ok");
    expect(bridge.questions).toEqual([
      "recipients postmaster",
      "recipients known@example.com",
      "recipients nobody@example.com",
      "domains known.example",
    ]);
    expect(bridge.connections).toBe(1);
    table.child.stdin.end();
    expect(await once(table.child, "exit")).toEqual([0, null]);
  });

  it("asks through a unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rollcall-table-"));
    cleanup.add(() => rmSync(folder, { recursive: true }));
    const bridge = await new ScriptedBridge().listen(join(folder, "socketmap"));
    cleanup.add(() => bridge.close());
    const table = await startTable(join(folder, "socketmap"));
    expect(await table.check("known@example.com")).toBe("found");
  });

  it("says what is wrong with its address, and keeps running", async () => {
    for (const [address, why] of [
      ["", /no address of the bridge is given/],
      ["bridge.example.com:10023", /must be/],
      ["/nowhere/at/all", /ENOENT/],
    ] as const) {
      const table = await startTable(address);
      expect(await table.check("known@example.com"), address).toMatch(why);
      expect(table.isRunning).toBe(true);
    }
  });

  it("defers at once while no bridge listens, and is right with the first question after that", async () => {
    const bridge = await startScripted(cleanup);
    const table = await startTable(bridge.address);
    expect(await table.check("known@example.com")).toBe("found");
    await bridge.close();
    for (let i = 0; i < 5; i++) {
      const { result, ms } = await timed(table.check("known@example.com"));
      expect(result).toMatch(/^error\|connect ECONNREFUSED/);
      expect(ms).toBeLessThan(1_000);
    }
    await bridge.listen();
    expect(await table.check("known@example.com")).toBe("found");
    expect(table.log.split("\n").filter((line) => line !== "")).toEqual([
      expect.stringMatching(/no answer from the bridge: connect ECONNREFUSED/),
      expect.stringMatching(/the bridge answers again/),
    ]);
  });

  it("opens another connection if the bridge closed its own, between questions and within one", async () => {
    const bridge = await startScripted(cleanup);
    const table = await startTable(bridge.address);
    expect(await table.check("known@example.com")).toBe("found");
    bridge.hangUp();
    expect(await table.check("nobody@example.com")).toBe("not-found");
    // The bridge ends after it has read the question.
    bridge.script = (question, socket) => {
      bridge.script = honest;
      socket.destroy();
      return question;
    };
    expect(await table.check("known@example.com")).toBe("found");
    expect(table.log).toBe("");
  });

  it("answers in time if the bridge hangs, fails at once then, and learns from the late answer that it is back", async () => {
    const bridge = await startScripted(cleanup);
    const table = await startTable(bridge.address);
    expect(await table.check("known@example.com")).toBe("found");
    let release = (): void => undefined;
    bridge.script = (question, socket) => {
      const before = release;
      release = () => {
        before();
        socket.write(honest(question, socket) as string);
      };
      return null;
    };
    const first = await timed(table.check("known@example.com"));
    expect(first.result).toBe("error|the bridge does not answer");
    expect(first.ms).toBeGreaterThan(3_000);
    // Far more than a busy machine needs: without a limit of its own it would wait for ever.
    expect(first.ms).toBeLessThan(30_000);
    // Of many questions, some wait for a moment: a second together.
    await inTime(1_500, async () => {
      const start = performance.now();
      for (let i = 0; i < 50; i++) expect(await table.check("known@example.com")).toMatch(/^error\|/);
      return { ms: performance.now() - start };
    });
    bridge.script = honest;
    const { connections } = bridge;
    release();
    await until("the late answers arrive", async () => (await table.check("known@example.com")) === "found");
    // A probe would come on a new connection.
    expect(bridge.connections).toBe(connections);
    expect(await table.check("nobody@example.com")).toBe("not-found");
  });

  it("recovers from a hung bridge that is replaced, by a probe on a new connection", async () => {
    const bridge = await startScripted(cleanup);
    const table = await startTable(bridge.address);
    bridge.script = () => null;
    expect(await table.check("known@example.com")).toMatch(/^error\|/);
    // Its connections stay open, and nothing arrives on them any more.
    bridge.script = honest;
    await pause(2_100);
    expect(await table.check("known@example.com")).toBe("found");
  });

  const wrong: Readonly<Record<string, Script>> = {
    "another socketmap, which finds nothing": () => netstring("NOTFOUND "),
    "another socketmap, which finds everything": () => netstring("OK someone@example.net"),
    "the line listener": () => "451 4.3.0 no recipient given\n",
    HTTP: () => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "an endless length": () => "1".repeat(50_000),
    "a length with a leading zero": () => "012:OK deliverab,",
    "a huge answer": () => `99999:${"x".repeat(99_999)},`,
    "no comma": (question, socket) => (honest(question, socket) as string).replace(",", ";"),
    "an unknown word": (question, socket) =>
      question.endsWith("postmaster") ? honest(question, socket) : netstring("PERM no"),
    "OK without a value": (question, socket) =>
      question.endsWith("postmaster") ? honest(question, socket) : netstring("OK "),
    "a lower-case word": (question, socket) =>
      question.endsWith("postmaster") ? honest(question, socket) : netstring("notfound "),
    nothing: () => "0:,",
  };

  it("defers whatever answers in place of a bridge, and keeps running", async () => {
    const bridge = await startScripted(cleanup);
    const table = await startTable(bridge.address);
    for (const [name, script] of Object.entries(wrong)) {
      bridge.script = script;
      bridge.hangUp();
      for (const key of ["known@example.com", "nobody@example.com"]) {
        const { result, ms } = await timed(table.check(key));
        expect(result, `${name}, ${key}`).toMatch(/^error\|[ -~]+$/);
        expect(ms, name).toBeLessThan(2_000);
      }
      bridge.script = honest;
      bridge.hangUp();
      expect(await table.check("known@example.com"), `after ${name}`).toBe("found");
      expect(await table.check("nobody@example.com"), `after ${name}`).toBe("not-found");
    }
  });

  it("does not repeat a recipient of a deferral in its error, which smtpd writes to its log", async () => {
    const bridge = await startScripted(cleanup, (question, socket) =>
      question.endsWith("postmaster")
        ? honest(question, socket)
        : netstring("TEMP 452 4.2.2 <known@example.com>: mailbox is full"),
    );
    const table = await startTable(bridge.address);
    expect(await table.check("known@example.com")).toBe("error|deferred: 452 4.2.2");
    expect(table.log).toBe("");
  });

  it("survives rubbish from smtpd and 60 MB without an end of line in bounded memory", async () => {
    const bridge = await startScripted(cleanup);
    const table = await startTable(bridge.address);
    const before = residentMiB(table.child.pid as number);
    table.say("\n\nrubbish\n\0\0|||\ntable|\ntable|0.1|1|t|check\nconfig|ready\n");
    const piece = Buffer.alloc(1_000_000, "x");
    for (let i = 0; i < 60; i++) {
      if (!table.child.stdin.write(piece)) await once(table.child.stdin, "drain");
    }
    table.say("\n");
    expect(await table.check("known@example.com")).toBe("found");
    expect(residentMiB(table.child.pid as number) - before).toBeLessThan(40);
    // Three lines of the registration, and one answer.
    expect(table.lines).toHaveLength(4);
  });

  it("ignores signals and a closed standard output, and ends with standard input", async () => {
    const bridge = await startScripted(cleanup);
    const table = await startTable(bridge.address);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) {
      table.child.kill(signal);
      expect(await table.check("known@example.com"), signal).toBe("found");
    }
    table.child.stdout.destroy();
    table.say("table|0.1|1|recipients|check|mailaddr|00ab|known@example.com\n".repeat(100));
    await until("it has asked", () => bridge.questions.length > 50);
    expect(table.isRunning).toBe(true);
    table.child.stdin.end();
    expect(await once(table.child, "exit")).toEqual([0, null]);
  });

  it("ends in time if smtpd goes while a question waits for a bridge that never accepts", async () => {
    const silent = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    cleanup.add(() => void silent.close());
    const { port } = silent.address() as { port: number };
    const table = await startTable(`/127.0.0.1:${port}`);
    table.say("table|0.1|1|recipients|check|mailaddr|00ab|known@example.com\n");
    table.child.stdin.end();
    const [code] = (await once(table.child, "exit")) as [number];
    expect(code).toBe(0);
    expect(table.lines.at(-1)).toBe("check-result|00ab|error|the bridge does not answer");
  });
});
