/** The bridge hangs, or its queue of connections is full: the mail server waits for as long as its own settings say. */
import { createConnection, type Socket } from "node:net";
import { expect } from "vitest";
import type { ProtocolName } from "../../../src/bridge/protocols/index.ts";
import { codesOf, type Reply } from "../../mta/support/smtp-client.ts";
import { pause, until } from "../../mta/support/waiting.ts";
import { askLine } from "../session.ts";
import { DISHONEST, type Line, patienceOf } from "./line.ts";
import { LIMIT_MS } from "./observe.ts";

export const STALLS = ["hung", "backlog"] as const;
export type Stall = (typeof STALLS)[number];

export const STALL_TITLES: Readonly<Record<Stall, string>> = {
  hung: "bridge: hung, so that its system accepts connections and it does not answer",
  backlog: "bridge: hung, and its queue of connections is full",
};

export const STALLED_HEAD = [
  "fault",
  "way",
  "reply",
  "after",
  "same session, after the recovery",
  "new session",
];

const PROBE = "known.probe@example.com";
/** A client that all sessions share may have to connect again, where each session defers once. */
const RETRY_MS = 2_500;

/** A server without a limit is watched for so long, and gets its answer after the recovery. */
const WATCHED_SECONDS = 20;

/** Connects to a port until no connection is accepted any more. */
async function fill(port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (;;) {
    const socket = createConnection({ port, host: "127.0.0.1" });
    sockets.push(socket.on("error", () => undefined));
    const isOpen = await Promise.race([
      new Promise<boolean>((resolve) => socket.once("connect", () => resolve(true))),
      pause(500).then(() => false),
    ]);
    if (!isOpen) return sockets;
  }
}

/** @returns a row of the table, after the fault */
export async function observeStall(line: Line, stall: Stall): Promise<string[]> {
  const { way, bridge } = line;
  const patience = patienceOf(way, stall);
  const limit = patience?.seconds ?? LIMIT_MS / 1000;
  const what = `${way.title}, ${stall}`;
  const session = await line.open();
  const before = await session.rcpt("<known.before@example.com>");
  expect(before.code, `${what}: ${before.text}`).toBe(250);
  const waiting = stall === "backlog" ? await line.open() : session;
  bridge.signal("SIGSTOP");
  const fillers =
    stall === "backlog"
      ? await fill(bridge.ports[way.asks === "http" ? "hooks" : (way.asks as ProtocolName)])
      : [];
  // A session that has not asked yet has to connect.
  const pending = waiting.rcpt("<known.meanwhile@example.com>");
  let reply: Reply | null = null;
  if (Number.isFinite(limit)) reply = await pending;
  else reply = await Promise.race([pending, pause(1000 * WATCHED_SECONDS).then(() => null)]);
  bridge.signal("SIGCONT");
  for (const socket of fillers) socket.destroy();
  if (reply !== null) {
    expect(reply.code, `${what}: ${reply.text}`).toBeOneOf([450, 451, 452]);
    expect(reply.text.replace(/<[^>]*>/g, ""), what).not.toMatch(DISHONEST);
    expect(reply.ms / 1000, what).toBeLessThan(limit);
    expect(reply.ms / 1000, what).toBeGreaterThan(patience?.atLeast ?? 0);
  } else {
    const late = await pending;
    expect(late.code, `${what}: ${late.text}`).toBeOneOf([250, 450, 451, 452]);
  }
  // It has recovered when it answers: it takes thousands of connections from its queue first.
  await until("the bridge answers", async () => /^250/.test(await askLine(bridge.ports.line, PROBE)));
  const fresh = await line.open();
  let other = await fresh.rcpt("<known.other@example.com>");
  if (patience?.defersInSession === "once" && other.code !== 250) {
    await pause(RETRY_MS);
    other = await fresh.rcpt("<known.other.again@example.com>");
  }
  expect(other.code, `${what}, new session: ${other.text}`).toBe(250);
  let same = await waiting.rcpt("<known.after@example.com>");
  if (patience?.defersInSession === "always") expect(same.code, what).toBeOneOf([250, 450, 451, 452]);
  else {
    if (patience?.defersInSession === "once" && same.code !== 250)
      same = await waiting.rcpt("<known.then@example.com>");
    expect(same.code, `${what}, same session: ${same.text}`).toBe(250);
  }
  expect(line.isRunning?.(), what).not.toBe(false);
  for (const each of new Set([session, waiting, fresh])) await each.quit();
  return [
    STALL_TITLES[stall],
    way.title,
    reply === null ? "none" : codesOf(reply),
    reply === null ? "no reply" : `within ${limit} s`,
    codesOf(same),
    codesOf(other),
  ];
}
