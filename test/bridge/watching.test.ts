import { afterEach, describe, expect, it } from "vitest";
import { startBridge } from "../../src/bridge/bridge.ts";
import type { ListStatesOptions } from "../../src/bridge/edge-source/list-states.ts";
import { expiryOf } from "../../src/bridge/edge-source/token.ts";
import { DEFAULTS } from "../../src/bridge/index.ts";
import { ClientError, type DomainPage } from "../../src/client/index.ts";
import { DAY } from "./support/bench.ts";
import { LOOPBACK } from "./support/server.ts";
import { VirtualTime } from "./support/virtual-time.ts";

/*
 * What a bridge watches without being asked: its token, and the state of the lists.
 */

const HOUR = DAY / 24;
const MINUTE = HOUR / 60;

const tokenOf = (claims: unknown): string =>
  `rc1.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.bWFj`;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A bridge in virtual time, with its page of metrics. Its wall clock shows the time since its start. */
async function start({
  expires,
  page,
}: {
  expires?: number | null;
  page?: ListStatesOptions["page"];
}): Promise<{ time: VirtualTime; lines: Record<string, unknown>[]; page: () => Promise<string> }> {
  const time = new VirtualTime();
  const lines: Record<string, unknown>[] = [];
  const running = await startBridge({
    clock: time.clock,
    timers: time.timers,
    configuration: {
      settings: { ...DEFAULTS, line: [LOOPBACK], metrics: [LOOPBACK] },
      token: {
        current:
          expires === undefined ? "a-token" : tokenOf({ id: "1", role: "check", domains: null, expires }),
        refresh: () => null,
      },
      edge: {
        ask: async () => [],
        page: page ?? (async () => ({ domains: [], next: null })),
        origin: "https://edge.example",
        close: () => undefined,
      },
    },
    chance: () => 0.5,
    writeLog: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    wall: () => time.clock.now(),
  });
  closing.push(() => time.until(running.stop("SIGTERM")));
  await time.advance(0);
  const metrics = running.listeners.find(({ name }) => name === "metrics")?.address;
  return { time, lines, page: async () => (await fetch(`http://${metrics}/metrics`)).text() };
}

const said = (lines: readonly Record<string, unknown>[]): unknown[] =>
  lines.filter(({ event }) => event === "token").map(({ level, msg }) => `${level}: ${msg}`);

describe("the expiry of a token", () => {
  it("is read from the token itself, and from no other text", () => {
    expect(expiryOf(tokenOf({ expires: 17 }))).toBe(17);
    expect(expiryOf(tokenOf({ expires: null }))).toBeNull();
    for (const text of [
      "",
      "rc1",
      "rc1..",
      "rc1.e30.x",
      "rc2.e30.x",
      "rc1.####.x",
      tokenOf([]),
      tokenOf(null),
    ]) {
      expect(expiryOf(text)).toBeUndefined();
    }
    expect(expiryOf(tokenOf({ expires: "soon" }))).toBeUndefined();
    expect(expiryOf(`${tokenOf({ expires: 17 })}.more`)).toBeUndefined();
  });

  it("is warned about once a day from a week before, and logged as an error when it has passed", async () => {
    const expires = 7 * DAY + 12 * HOUR;
    const { time, lines } = await start({ expires });
    await time.advance(11 * HOUR);
    expect(said(lines)).toEqual([]);
    await time.advance(2 * HOUR);
    const warning =
      /^warn: the token expires on 1970-01-08T12:00:00\.000Z: create another of the same role with/;
    expect(said(lines)).toEqual([expect.stringMatching(warning)]);
    await time.advance(23 * HOUR - MINUTE);
    expect(said(lines)).toHaveLength(1);
    await time.advance(2 * HOUR);
    expect(said(lines)).toHaveLength(2);
    await time.advance(expires - time.clock.now() - MINUTE);
    const before = said(lines).length;
    expect(before).toBe(7);
    await time.advance(2 * MINUTE);
    expect(said(lines).slice(before)).toEqual([
      expect.stringMatching(/^error: the token expired on 1970-01-08/),
    ]);
  });

  it.each([
    ["never", null, "\\+Inf"],
    ["unknown", undefined, "NaN"],
    ["some day", 90 * DAY, String((90 * DAY) / 1000)],
  ])("that is %s is a metric, and no warning", async (_, expires, shown) => {
    const { page, lines } = await start(expires === undefined ? {} : { expires });
    const text = await page();
    expect(text.split("\n")).toContainEqual(
      expect.stringMatching(new RegExp(`^rollcall_bridge_token_expires_timestamp_seconds ${shown}$`, "i")),
    );
    expect(text).toContain("rollcall_bridge_ready 1\n");
    expect(said(lines)).toEqual([]);
  });
});

const summary = (domain: string, generation: number, more = {}): DomainPage["domains"][number] =>
  ({
    domain,
    generation,
    time: 1_700_000_000_000,
    mode: "enforce",
    ...more,
  }) as DomainPage["domains"][number];

const seriesOf = (text: string): string[] =>
  text.split("\n").filter((line) => /^rollcall_bridge_list_(?!looks)/.test(line));

describe("the lists", () => {
  it("are read in pages every few minutes, and are metrics by domain", async () => {
    const asked: (string | null)[] = [];
    const { time, page } = await start({
      page: async (after) => {
        asked.push(after);
        return after === null
          ? { domains: [summary("example.com", 7)], next: "example.com" }
          : {
              domains: [
                summary("example.org", 12, { refuses_from: 1_700_003_600_000 }),
                summary("gone.example", 3, { deleted_until: 5 }),
              ],
              next: null,
            };
      },
    });
    expect(asked).toEqual([]);
    await time.advance(30_000);
    expect(seriesOf(await page())).toEqual([
      'rollcall_bridge_list_generation{domain="example.com"} 7',
      'rollcall_bridge_list_generation{domain="example.org"} 12',
      'rollcall_bridge_list_published_timestamp_seconds{domain="example.com"} 1700000000',
      'rollcall_bridge_list_published_timestamp_seconds{domain="example.org"} 1700000000',
      'rollcall_bridge_list_held_names{domain="example.com"} 0',
      'rollcall_bridge_list_held_names{domain="example.org"} 0',
      'rollcall_bridge_list_refuses_from_timestamp_seconds{domain="example.com"} 0',
      'rollcall_bridge_list_refuses_from_timestamp_seconds{domain="example.org"} 1700003600',
    ]);
    expect(asked).toEqual([null, "example.com"]);
    await time.advance(HOUR);
    expect(asked).toHaveLength(2 + 2 * 12);
  });

  it("stay as they were while there is no answer, and nothing else happens", async () => {
    let isAway = false;
    const { time, page, lines } = await start({
      page: async () => {
        if (isAway) throw new ClientError("unreachable", "connection refused");
        return { domains: [summary("example.com", 7)], next: null };
      },
    });
    await time.advance(MINUTE);
    isAway = true;
    await time.advance(10 * MINUTE);
    const text = await page();
    expect(seriesOf(text)).toContain('rollcall_bridge_list_generation{domain="example.com"} 7');
    expect(text).toContain('rollcall_bridge_list_looks_total{result="failed"} 2\n');
    expect(text).toContain("rollcall_bridge_ready 1\n");
    expect(lines.map(({ event }) => event)).toEqual(["started"]);
  });

  it("are refreshed every six hours if the edge does not show them to a check token", async () => {
    let looks = 0;
    const { time, page } = await start({
      page: async () => {
        looks++;
        throw new ClientError("forbidden", "not for this role", 403);
      },
    });
    await time.advance(12 * HOUR);
    expect(looks).toBe(2);
    expect(await page()).toContain('rollcall_bridge_list_looks_total{result="forbidden"} 2\n');
  });

  it("show that the token is refused, without any lookup", async () => {
    const { time, page } = await start({
      page: async () => {
        throw new ClientError("unauthorized", "no", 401);
      },
    });
    await time.advance(MINUTE);
    expect(await page()).toContain("rollcall_bridge_ready 0\n");
  });

  it("are bounded, whatever the edge answers", async () => {
    let pages = 0;
    const { time, page } = await start({
      page: async () => {
        pages++;
        const domains = Array.from({ length: 300 }, (_, i) => summary(`d${pages}-${i}.example`, 1));
        const odd = [null, "x", summary('a"b', 1), summary("EXAMPLE.com", 1), { domain: "no.example" }];
        return { domains: [...odd, ...domains] as DomainPage["domains"], next: `page ${pages}` };
      },
    });
    await time.advance(MINUTE);
    expect(pages).toBe(4);
    expect(seriesOf(await page())).toHaveLength(4 * 1_000);
    expect(await page()).not.toContain("EXAMPLE.com");
  });
});
