import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useEdge, type Workspace } from "../cli/support/workspace.ts";
import { expectWritten, table } from "../mta/support/written.ts";
import { FULL } from "../support/full.ts";
import { type Running, startCli } from "../support/processes.ts";

/*
 * `rollcall sync` is killed (SIGKILL) at each step of each of its requests. The edge then has the old list or the new one of
 * each domain, and the next run ends in the true ones.
 */

/** Without ROLLCALL_FULL=1, every so many points are tried. With the number of steps it has no common divisor. */
const EACH = FULL ? 1 : 37;
/** Points that there are at least. */
const POINTS = 100;
const DOMAINS = 4;

/** How far a request has come when the publisher is killed. */
const STEPS = [
  "before the request arrives",
  "after half of the request, the rest of which never comes",
  "after the edge did it, before its answer",
  "after half of the answer",
  "after the answer",
] as const;
type Step = (typeof STEPS)[number];

const { edge, fresh } = useEdge();

/** A proxy that kills a process at a step of its n-th request. */
class KillingProxy {
  readonly #server: Server;
  #count = 0;
  #at = Number.POSITIVE_INFINITY;
  #step: Step = STEPS[0];
  victim: Running | null = null;

  constructor() {
    this.#server = createServer((incoming, outgoing) => {
      const number = this.#count++;
      // What a publisher sends that is not killed quite at once must not arrive.
      if (number > this.#at) return;
      void this.#pass(incoming, outgoing, number === this.#at ? this.#step : null);
    });
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse, step: Step | null): Promise<void> {
    if (step === "before the request arrives") return this.#kill();
    // A request that is read whole is sent on whole, and what the publisher does meanwhile is no concern of the edge.
    const body = await bodyOf(incoming);
    const { host: _, ...headers } = incoming.headers;
    const target = new URL(incoming.url ?? "/", edge.url);
    const forwarded = request(target, { method: incoming.method ?? "GET", headers });
    forwarded.on("error", () => outgoing.destroy());
    outgoing.on("error", () => undefined);
    if (step?.startsWith("after half of the request")) {
      forwarded.write(body.subarray(0, Math.floor(body.length / 2)), () => {
        this.#kill();
        forwarded.destroy();
      });
      return;
    }
    forwarded.end(body);
    const [answer] = (await once(forwarded, "response")) as [IncomingMessage];
    const content = await bodyOf(answer);
    if (step?.startsWith("after the edge did it")) return this.#kill();
    const { "transfer-encoding": _chunked, ...answered } = answer.headers;
    outgoing.writeHead(answer.statusCode ?? 502, { ...answered, "content-length": content.length });
    if (step === "after half of the answer") {
      outgoing.write(content.subarray(0, Math.floor(content.length / 2)), () => this.#kill());
      return;
    }
    outgoing.end(content, () => {
      if (step !== null) this.#kill();
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** @param at number of the request, from 0 */
  arm(at: number, step: Step): void {
    this.#count = 0;
    this.#at = at;
    this.#step = step;
  }

  disarm(): void {
    this.arm(Number.POSITIVE_INFINITY, STEPS[0]);
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

/** The whole body, as far as it comes. */
async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of message) chunks.push(chunk as Buffer);
  } catch {
    // The publisher was killed while it sent another request.
  }
  return Buffer.concat(chunks);
}

describe("a publisher that is killed", { timeout: 1_800_000 }, () => {
  const proxy = new KillingProxy();
  let url = "";
  const workspaces: Workspace[] = [];

  /** A list of two shards, and others of one; each round changes names in all of them. */
  const lists = (round: number): void => {
    for (const [i, workspace] of workspaces.entries()) {
      const names = Array.from({ length: i === 0 ? 9_000 : 100 }, (_, each) => `user${each}@D`);
      const own = Array.from({ length: i === 0 ? 40 : 10 }, (_, each) => `round${round}-${each}@D`);
      workspace.write("list.txt", `postmaster@D\n${[...names, ...own].join("\n")}\n`);
    }
  };
  const sync = (): Running => {
    const running = startCli(["sync"], {
      home: (workspaces[0] as Workspace).cwd,
      env: { ROLLCALL_URL: url, ROLLCALL_TOKEN: edge.admin },
    });
    proxy.victim = running;
    return running;
  };
  const generations = async (): Promise<number[]> => {
    const numbers: number[] = [];
    for (const { run, domain } of workspaces) {
      const { stdout } = await run(`history ${domain} --json`);
      numbers.push((JSON.parse(stdout) as { generations: unknown[] }).generations.length);
    }
    return numbers;
  };
  /** How many names of each domain's list the edge lacks, and has too many. */
  const differences = async (): Promise<{ added: number; removed: number }[]> => {
    const { stdout } = await (workspaces[0] as Workspace).run("plan --json");
    const { domains } = JSON.parse(stdout) as {
      domains: { domain: string; difference: { added: number; removed: number } }[];
    };
    return workspaces.map(({ domain }) => {
      const difference = domains.find((each) => each.domain === domain)?.difference;
      return { added: difference?.added ?? -1, removed: difference?.removed ?? -1 };
    });
  };

  beforeAll(async () => {
    url = await proxy.start();
    workspaces.push(...Array.from({ length: DOMAINS }, fresh));
    const tables = workspaces.map(({ domain, cwd }) => `[domains."${domain}"]\nlist = "${cwd}/list.txt"\n`);
    workspaces[0]?.write("rollcall.toml", tables.join(""));
  });
  afterAll(() => proxy.stop());

  it(`leaves the old or the new list, and the next run ends in the true one (${FULL ? "every point" : "a sample of the points"})`, async () => {
    for (const round of [-2, -1]) {
      lists(round);
      proxy.disarm();
      expect(await sync().ended).toMatchObject({ code: 0 });
    }
    const { requests } = proxy;
    const points = Array.from({ length: requests }, (_, at) => STEPS.map((step) => ({ at, step }))).flat();
    expect(points.length).toBeGreaterThanOrEqual(POINTS);
    const tally = new Map(STEPS.map((step) => [step, { points: 0, old: 0, new: 0 }]));
    for (let i = 0; i < points.length; i += EACH) {
      const { at, step } = points[i] as (typeof points)[number];
      const point = `request ${at}, ${step}`;
      lists(i);
      const before = await generations();
      proxy.arm(at, step);
      const { code } = await sync().ended;
      // Behind the last answer there is little left to do.
      if (step !== "after the answer") expect([point, code]).toEqual([point, null]);
      // Whole: the names of one round, and none of another.
      const found = await differences();
      const counts = tally.get(step) as { points: number; old: number; new: number };
      counts.points++;
      for (const [domain, { added, removed }] of found.entries()) {
        const own = domain === 0 ? 40 : 10;
        const isNew = added === 0;
        expect([point, added, removed]).toEqual([point, isNew ? 0 : own, isNew ? 0 : own]);
        counts[isNew ? "new" : "old"]++;
      }
      proxy.disarm();
      expect(await sync().ended).toMatchObject({ code: 0 });
      expect([point, await differences()]).toEqual([point, found.map(() => ({ added: 0, removed: 0 }))]);
      // Killed after the commit or not, each list was published once.
      expect([point, await generations()]).toEqual([point, before.map((count) => count + 1)]);
    }
    const total = { old: 0, new: 0 };
    for (const counts of tally.values()) {
      total.old += counts.old;
      total.new += counts.new;
    }
    expect(total.old).toBeGreaterThan(0);
    // Some points are after a commit.
    expect(total.new).toBeGreaterThan(0);
    if (FULL) expectWritten("../publishing.md", "killed", tallyTable(requests, tally));
  });
});

/** The tally for docs/publishing.md. */
function tallyTable(
  requests: number,
  tally: ReadonlyMap<Step, { readonly points: number; readonly old: number; readonly new: number }>,
): string[] {
  const points = [...tally.values()].reduce((sum, counts) => sum + counts.points, 0);
  return [
    `\`rollcall sync\` of ${DOMAINS} domains sends ${requests} requests. It was killed at ${points} points:`,
    "",
    ...table(
      [
        "killed",
        "points",
        "lists that were the old ones",
        "the new ones",
        "others",
        "true after the next run",
      ],
      [...tally].map(([step, counts]) => [
        step,
        String(counts.points),
        String(counts.old),
        String(counts.new),
        "0",
        `${counts.points * DOMAINS} of ${counts.points * DOMAINS}`,
      ]),
    ),
  ];
}
