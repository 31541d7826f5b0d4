import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lacksCompiler, type Questions, socketmapLoad } from "../../bench/rig/socketmap-load.ts";

const KEYS = Array.from({ length: 10 }, (_, i) => `${i % 2 === 0 ? "user" : "nobody"}${i}@example.com`);
const questions: Questions = {
  table: "recipients",
  keys: KEYS,
  value: (key) => (key.startsWith("user") ? "deliverable" : null),
};

const netstring = (text: string): string => `${text.length}:${text},`;

/** Runs a service that answers each question by `answer`, and says what it was asked on each connection. */
async function withService(
  answer: (key: string) => string,
  use: (address: string, asked: readonly string[][]) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-load-"));
  const path = join(folder, "socket");
  const asked: string[][] = [];
  const server = createServer((socket) => {
    const mine: string[] = [];
    asked.push(mine);
    let text = "";
    socket
      .on("error", () => undefined)
      .on("data", (piece) => {
        text += piece;
        let replies = "";
        text = text.replace(/\d+:recipients ([^,]*),/g, (_, key: string) => {
          mine.push(key);
          replies += netstring(answer(key));
          return "";
        });
        // In pieces, as they may come.
        for (let at = 0; at < replies.length; at += 7) socket.write(replies.slice(at, at + 7));
      });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await use(`unix:${path}`, asked);
  } finally {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  }
}

const right = (key: string): string => (key.startsWith("user") ? "OK deliverable" : "NOTFOUND ");

describe.skipIf(lacksCompiler().length > 0)("the load on socketmap services", () => {
  it("asks on every connection, going around the keys, and says how many a second were answered", async () => {
    await withService(right, async (address, asked) => {
      const rate = await socketmapLoad(address, questions, { connections: 2, atOnce: 1 }).ask(40);
      expect(rate).toBeGreaterThan(0);
      const around = (from: number) => Array.from({ length: 20 }, (_, i) => KEYS[(from + i) % KEYS.length]);
      expect(asked).toEqual([around(0), around(5)]);
    });
  });

  it("says how long a question waited, in microseconds: at least as long as the service did", async () => {
    let number = 0;
    const slowAtTimes = (key: string): string => {
      const since = performance.now();
      // Three of a hundred: the slow ones are at the 99th percentile, and not in the middle.
      while (number % 33 === 0 && performance.now() - since < 20);
      number++;
      return right(key);
    };
    await withService(slowAtTimes, async (address) => {
      const { p50, p99 } = await socketmapLoad(address, questions, { connections: 1, atOnce: 1 }).time(99);
      expect(p50).toBeGreaterThan(0);
      expect(p50).toBeLessThan(20_000);
      expect(p99).toBeGreaterThanOrEqual(20_000);
    });
  });

  it("sends several at once", async () => {
    await withService(right, async (address, asked) => {
      await socketmapLoad(address, questions, { connections: 1, atOnce: 4 }).ask(24);
      // Keys are gone around within a burst too, so that all are as long.
      expect(asked[0]).toHaveLength(24);
      expect(asked[0]?.slice(0, 13)).toEqual([...KEYS, ...KEYS.slice(0, 2), ...KEYS.slice(0, 1)]);
    });
  });

  it.each([
    ["another answer", () => "OK else"],
    ["a longer one", (key: string) => `${right(key)}!`],
  ])("fails on %s", async (_, answer) => {
    await withService(answer, async (address) => {
      const load = socketmapLoad(address, questions, { connections: 1, atOnce: 1 });
      await expect(load.ask(10)).rejects.toThrow("was expected");
    });
  });

  it("fails where nothing listens, or the service closes the connection", async () => {
    const load = socketmapLoad("unix:/nonexistent/socket", questions, { connections: 1, atOnce: 1 });
    await expect(load.ask(10)).rejects.toThrow("No such file");
  });
});
