import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import {
  type Confirmation,
  ListRecorder,
  ListStore,
  memorySource,
  PublishError,
  type PublishOptions,
  type PublishPorts,
  type PublishTarget,
  publishLists,
} from "../../src/publish/index.ts";
import { temporaryFolder } from "../support/folders.ts";
import { DOMAIN } from "../support/lists.ts";
import { failed, MemoryEdge } from "../support/memory-edge.ts";

const root = temporaryFolder();

/** A publisher whose every report is noted. */
class Publisher {
  readonly edge = new MemoryEdge();
  readonly store = new ListStore(join(root, `store-${Math.random()}`));
  readonly seen: string[] = [];
  readonly asked: Confirmation[] = [];
  declines = false;

  publish(targets: readonly PublishTarget[], options: PublishOptions = {}) {
    const ports: PublishPorts = {
      client: this.edge.client(),
      hashing: stablelibHashing,
      timers: { sleep: async () => undefined },
      recorder: new ListRecorder(this.store, "https://edge.example", { now: () => 5 }, (text) =>
        expect.fail(text),
      ),
      progress: {
        step: (step, done) => {
          if (done === 1) this.seen.push(step);
        },
        planned: ({ plan }) => this.seen.push(`planned ${plan.domain}`),
        committed: (generations) => this.seen.push(`committed ${JSON.stringify(generations)}`),
      },
      confirm: async (confirmation) => {
        this.asked.push(confirmation);
        if (this.declines) throw new Error("declined");
      },
    };
    return publishLists(ports, targets, options);
  }
}

const target = (locals: string, domain = DOMAIN, more: Partial<PublishTarget> = {}): PublishTarget => {
  const names = locals.split("").map((local) => `${local}@${domain}`);
  return { domain, source: memorySource("list", names), policy: {}, canaries: [], ...more };
};

describe("publishing lists", () => {
  it("plans, asks, commits, and reports each step", async () => {
    const publisher = new Publisher();
    const result = await publisher.publish([target("ab"), target("c", "example.net")], { note: "spring" });
    const steps = (domain: string): string[] => [
      "reading list",
      `comparing ${domain}`,
      `naming who leaves ${domain}`,
      `naming who joins ${domain}`,
      `planned ${domain}`,
    ];
    expect(publisher.seen).toEqual([
      ...steps(DOMAIN),
      ...steps("example.net"),
      "uploading",
      `committed {"${DOMAIN}":1,"example.net":1}`,
    ]);
    expect(publisher.asked).toMatchObject([{ changed: [{}, {}], emptied: [], overridesGuard: false }]);
    expect(publisher.edge.commits).toMatchObject([{ note: "spring" }]);
    expect(result).toMatchObject({ isPublished: true, generations: { [DOMAIN]: 1, "example.net": 1 } });
    expect(result.planned[0]?.coming).toEqual([`a@${DOMAIN}`, `b@${DOMAIN}`]);
    expect(publisher.store.published(DOMAIN)).toMatchObject({ generation: 1, time: 5 });
  });

  it("asks nothing and commits nothing if nothing changes", async () => {
    const publisher = new Publisher();
    await publisher.publish([target("ab")]);
    const again = await publisher.publish([target("ab")]);
    expect(again).toMatchObject({ isPublished: false, generations: { [DOMAIN]: 1 } });
    expect(publisher.asked).toHaveLength(1);
    expect(publisher.edge.commits).toHaveLength(1);
  });

  it("changes and stores nothing if it is not confirmed", async () => {
    const publisher = new Publisher();
    publisher.declines = true;
    await expect(publisher.publish([target("ab")])).rejects.toThrow("declined");
    expect(publisher.edge.commits).toEqual([]);
    expect(publisher.store.published(DOMAIN)).toBeNull();
    publisher.declines = false;
    const { planned } = await publisher.publish([target("b")]);
    expect(planned[0]?.leaving).toEqual([]);
  });

  it("names who leaves from the list that was published last", async () => {
    const publisher = new Publisher();
    await publisher.publish([target("abcdefghij")]);
    const { planned } = await publisher.publish([target("bcdefghij")]);
    expect(planned[0]?.leaving).toEqual([{ address: `a@${DOMAIN}`, how: "removed" }]);
    expect(planned[0]?.coming).toEqual([]);
  });

  it("ends with a refusal of the guard, unless forced; a dry run reports it", async () => {
    const publisher = new Publisher();
    await publisher.publish([target("abcdefghij")]);
    await expect(publisher.publish([target("ab")])).rejects.toMatchObject({
      fault: "guard",
      details: [expect.stringMatching(/example\.com would refuse 8 of 10/)],
    });
    const dry = await publisher.publish([target("ab")], { dryRun: true });
    expect(dry).toMatchObject({ isRefused: true, isPublished: false, generations: {} });
    expect(publisher.edge.commits).toHaveLength(1);
    await publisher.publish([target("ab")], { force: true });
    expect(publisher.asked.at(-1)).toMatchObject({ emptied: [], overridesGuard: true });
    await publisher.publish([target("")], { force: true });
    expect(publisher.asked.at(-1)).toMatchObject({
      emptied: [{ plan: { domain: DOMAIN } }],
      overridesGuard: false,
    });
    expect(publisher.edge.commits.at(-1)).toMatchObject({ force: true });
  });

  it("ends if a canary is missing, which no option overrides", async () => {
    const publisher = new Publisher();
    const lacking = target("ab", DOMAIN, { canaries: [`z@${DOMAIN}`] });
    for (const options of [{}, { force: true }, { dryRun: true }]) {
      await expect(publisher.publish([lacking], options)).rejects.toMatchObject({
        fault: "guard",
        details: [`z@${DOMAIN}`],
      });
    }
    expect(publisher.edge.commits).toEqual([]);
  });

  it("does not read the list of an alias", async () => {
    const publisher = new Publisher();
    const policy = { alias: "example.net" };
    await expect(publisher.publish([target("a", DOMAIN, { policy })])).rejects.toThrow(
      /is an alias of example.net/,
    );
    const alias = { ...target("", DOMAIN, { policy }), source: null };
    expect(await publisher.publish([alias])).toMatchObject({ isPublished: true });
  });

  it("ends if this release derives another key (law 5)", async () => {
    const publisher = new Publisher();
    const key = { domain: DOMAIN, epoch: 1, key: "AA", key_id: "00", canonicaliser: 1, partition: 0 };
    publisher.edge.intercept = (_, path) => (path.endsWith("/key") ? Response.json(key) : undefined);
    await expect(publisher.publish([target("a")])).rejects.toBeInstanceOf(PublishError);
    publisher.edge.intercept = (method, path) =>
      path.endsWith("/key") ? failed(403, no(method)) : undefined;
    await expect(publisher.publish([target("a")])).rejects.toMatchObject({ kind: "forbidden" });
  });

  it("splits a short list into the given number of shards", async () => {
    const publisher = new Publisher();
    await publisher.publish([target("abcdef", DOMAIN, { bits: 2 })]);
    expect(publisher.edge.heads.get(DOMAIN)?.shards).toMatchObject({ bits: 2 });
    expect(publisher.edge.shards.size).toBe(4);
  });

  it("stops when it is aborted", async () => {
    const publisher = new Publisher();
    const signal = AbortSignal.abort(new Error("stopped"));
    await expect(publisher.publish([target("a")], { signal })).rejects.toThrow("stopped");
    expect(publisher.edge.commits).toEqual([]);
  });
});

const no = (method: string) => ({ code: "forbidden", message: `no ${method}` }) as const;
