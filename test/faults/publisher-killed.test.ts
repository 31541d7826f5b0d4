import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useEdge, type Workspace } from "../cli/support/workspace.ts";
import { type Running, startCli } from "../support/processes.ts";

/*
 * `rollcall sync` is killed (SIGKILL) before or after each of its requests takes effect. The edge then has the old list or the
 * new one, and the next run ends in the true one.
 */

const FULL = process.env.ROLLCALL_FULL === "1";
/** Points at which it is killed; a sample of them without ROLLCALL_FULL=1. */
const POINTS = 100;
const EACH = FULL ? 1 : 15;

const { edge, fresh } = useEdge();

/** A proxy that kills a process at its n-th request. */
class KillingProxy {
  readonly #server: Server;
  #count = 0;
  #at = Number.POSITIVE_INFINITY;
  #isAfter = false;
  victim: Running | null = null;

  constructor() {
    this.#server = createServer((incoming, outgoing) => {
      const isLast = this.#count++ === this.#at;
      if (isLast && !this.#isAfter) return this.#kill();
      const target = new URL(incoming.url ?? "/", edge.url);
      const { host: _, ...headers } = incoming.headers;
      const forwarded = request(target, { method: incoming.method ?? "GET", headers }, (answer) => {
        if (isLast) {
          // The edge did it, and the publisher never learns.
          answer.resume();
          this.#kill();
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      forwarded.on("error", () => outgoing.destroy());
      outgoing.on("error", () => undefined);
      incoming.pipe(forwarded);
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** @param at number of the request, from 0 @param isAfter whether the edge still gets it */
  arm(at: number, isAfter: boolean): void {
    this.#count = 0;
    this.#at = at;
    this.#isAfter = isAfter;
  }

  get requests(): number {
    return this.#count;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #kill(): void {
    this.victim?.child.kill("SIGKILL");
  }
}

describe("a publisher that is killed", { timeout: 600_000 }, () => {
  const proxy = new KillingProxy();
  let url = "";
  let workspace: Workspace;

  /** A list of two shards; each round changes names in both. */
  const list = (round: number): void => {
    const names = Array.from({ length: 9_000 }, (_, i) => `user${i}@D`);
    const own = Array.from({ length: 40 }, (_, i) => `round${round}-${i}@D`);
    workspace.write("list.txt", `postmaster@D\n${[...names, ...own].join("\n")}\n`);
  };
  const sync = (): Running => {
    const running = startCli(["sync"], {
      home: workspace.cwd,
      env: { ROLLCALL_URL: url, ROLLCALL_TOKEN: edge.admin },
    });
    proxy.victim = running;
    return running;
  };
  const generations = async (): Promise<number> => {
    const { stdout } = await workspace.run(`history ${workspace.domain} --json`);
    return (JSON.parse(stdout) as { generations: unknown[] }).generations.length;
  };

  beforeAll(async () => {
    url = await proxy.start();
    workspace = fresh();
    workspace.write("rollcall.toml", `[domains."${workspace.domain}"]\nlist = "list.txt"\n`);
  });
  afterAll(() => proxy.stop());

  it(`leaves the old or the new list, and the next run ends in the true one (every ${EACH}. of ${POINTS} points)`, async () => {
    list(0);
    proxy.arm(Number.POSITIVE_INFINITY, false);
    expect(await sync().ended).toMatchObject({ code: 0 });
    list(-1);
    proxy.arm(Number.POSITIVE_INFINITY, false);
    expect(await sync().ended).toMatchObject({ code: 0 });
    // Each request is two points: it never arrives, or its answer does not.
    const { requests } = proxy;
    expect(requests).toBeGreaterThan(7);
    const tally = { killed: 0, before: 0, after: 0, "not killed": 0 };
    for (let point = 0; point < POINTS; point += EACH) {
      const round = point + 1;
      list(round);
      const before = await generations();
      proxy.arm(Math.floor(point / 2) % requests, point % 2 === 1);
      const { code } = await sync().ended;
      const isNew = (await workspace.verdict(`round${round}-0`)) === "deliverable";
      tally[code === null ? "killed" : "not killed"]++;
      tally[isNew ? "after" : "before"]++;
      // Whole: every name of one round, and none of another.
      const { stdout } = await workspace.run("plan --json");
      const [planned] = (
        JSON.parse(stdout) as { domains: { difference: { added: number; removed: number } }[] }
      ).domains;
      const difference = planned?.difference;
      if (!isNew) expect([point, difference?.added]).toEqual([point, 40]);
      else expect([point, difference]).toMatchObject([point, { added: 0, removed: 0 }]);
      proxy.arm(Number.POSITIVE_INFINITY, false);
      expect(await sync().ended).toMatchObject({ code: 0 });
      expect(await workspace.run("plan")).toMatchObject({ code: 0 });
      // Killed after the commit or not, the list was published once.
      expect([point, await generations()]).toEqual([point, before + 1]);
    }
    console.info(`publisher killed, ${requests} requests a publish: ${JSON.stringify(tally)}`);
    expect(tally["not killed"]).toBe(0);
    expect(tally.before).toBeGreaterThan(0);
    // Some points are after the commit.
    expect(tally.after).toBeGreaterThan(0);
  });
});
