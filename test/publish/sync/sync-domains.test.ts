import { describe, expect, it } from "vitest";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import {
  memorySource,
  PublishError,
  type PublishTarget,
  parseSyncStatus,
  type Source,
  type SyncedDomain,
  type SyncStatus,
  statusAfter,
  syncDomains,
  syncMetrics,
} from "../../../src/publish/index.ts";
import { failed, MemoryEdge } from "../../support/memory-edge.ts";

const target = (domain: string, locals: string, more: Partial<PublishTarget> = {}): PublishTarget => ({
  domain,
  source: memorySource(
    domain,
    locals.split("").map((local) => `${local}@${domain}`),
  ),
  policy: {},
  canaries: [],
  ...more,
});

const broken = (domain: string): PublishTarget => ({
  ...target(domain, ""),
  source: {
    describe: () => domain,
    read: async () => {
      throw new PublishError("input", `${domain} cannot be\nread`, "look", ["line 1"]);
    },
  },
});

/** A publisher whose clock a test sets. */
class Syncing {
  readonly edge = new MemoryEdge();
  readonly stop = new AbortController();
  now = 1_000_000;
  status: SyncStatus | null = null;

  async run(targets: readonly PublishTarget[], done: (synced: SyncedDomain) => void = () => undefined) {
    const started = this.now;
    const synced = await syncDomains(
      {
        client: this.edge.client(),
        hashing: stablelibHashing,
        timers: { sleep: async () => undefined },
        recorder: null,
        progress: {},
        clock: { now: () => this.now },
        steady: () => 5,
      },
      targets,
      this.stop.signal,
      done,
    );
    const run = { started, ended: this.now, synced, unconfigured: [] };
    // As a file brings it back.
    this.status = parseSyncStatus(
      JSON.stringify(
        statusAfter(
          this.status,
          run,
          targets.map(({ domain }) => domain),
        ),
      ),
    );
    expect(this.status).not.toBeNull();
    return synced.map(({ domain, outcome }) => [
      domain,
      outcome.kind === "failed" ? outcome.failure : outcome.kind,
    ]);
  }
}

describe("sync", () => {
  it("publishes each domain by itself, whatever happens to the others, and aliases last", async () => {
    const syncing = new Syncing();
    const alias = target("alias.example", "", { source: null, policy: { alias: "b.example" } });
    const targets = [
      alias,
      broken("a.example"),
      target("b.example", "xy"),
      target("c.example", "x", { canaries: ["q@c.example"] }),
      target("d.example", "x", { minimum: 2 }),
      target("e.example", "x"),
    ];
    expect(await syncing.run(targets)).toEqual([
      ["a.example", "input"],
      ["b.example", "published"],
      ["c.example", "guard"],
      ["d.example", "guard"],
      ["e.example", "published"],
      ["alias.example", "published"],
    ]);
    expect((await syncing.run(targets)).map(([, kind]) => kind)).toEqual([
      "input",
      "unchanged",
      "guard",
      "guard",
      "unchanged",
      "unchanged",
    ]);
    expect(syncing.edge.commits.map(({ note, force }) => [note, force])).toEqual(
      Array.from({ length: 3 }, () => ["sync", undefined]),
    );
  });

  it("never publishes a domain that a source lists beside its own", async () => {
    const syncing = new Syncing();
    const mixed = target("a.example", "x", {
      source: memorySource("mixed", ["x@a.example", "boss@new.example"]),
    });
    expect(await syncing.run([mixed])).toEqual([["a.example", "input"]]);
    expect([...syncing.edge.heads.keys()]).toEqual([]);
  });

  it("tells faults of the edge apart", async () => {
    const syncing = new Syncing();
    const answers = { unauthorized: 401, conflict: 409, unavailable: 503 } as const;
    const kinds = [];
    for (const [code, status] of Object.entries(answers)) {
      syncing.edge.intercept = () => failed(status, { code: code as "conflict", message: code });
      kinds.push(...(await syncing.run([target("a.example", "x")])));
    }
    expect(kinds.map(([, kind]) => kind)).toEqual(["edge", "conflict", "edge"]);
  });

  it("ends between two steps when it is stopped, and finishes a commit that has begun", async () => {
    const syncing = new Syncing();
    // The first domain's commit is under way.
    syncing.edge.intercept = (_, path) => {
      if (path === "/v1/commits") syncing.stop.abort();
      return undefined;
    };
    const targets = [target("a.example", "x"), target("b.example", "x")];
    expect(await syncing.run(targets)).toEqual([
      ["a.example", "published"],
      ["b.example", "stopped"],
    ]);
    expect([...syncing.edge.heads.keys()]).toEqual(["a.example"]);
    expect(Object.keys(syncing.status?.domains ?? {})).toEqual(["a.example"]);
  });
});

describe("the status of sync", () => {
  it("remembers the last success and change, and counts failures until the next success", async () => {
    const syncing = new Syncing();
    const good = [target("a.example", "xy")];
    await syncing.run(good);
    expect(syncing.status?.domains["a.example"]).toMatchObject({
      last_attempt: 1_000_000,
      last_success: 1_000_000,
      last_change: 1_000_000,
      counts: { active: 2 },
      failure: null,
    });
    for (syncing.now = 2_000_000; syncing.now < 5_000_000; syncing.now += 1_000_000)
      await syncing.run([broken("a.example")]);
    expect(syncing.status?.domains["a.example"]).toMatchObject({
      last_attempt: 4_000_000,
      last_success: 1_000_000,
      outcome: "failed",
      counts: { active: 2 },
      failure: { kind: "input", message: "a.example cannot be read; line 1", since: 2_000_000, attempts: 3 },
      failures: { input: 3, guard: 0 },
    });
    expect(syncMetrics(syncing.status as SyncStatus)).toContain(
      'rollcall_sync_failing{domain="a.example",kind="input"} 3\n',
    );
    await syncing.run(good);
    expect(syncing.status?.domains["a.example"]).toMatchObject({
      last_success: 5_000_000,
      last_change: 1_000_000,
      outcome: "unchanged",
      failure: null,
      failures: { input: 3 },
    });
  });

  it("keeps a domain that a run did not get to, and none that is no longer configured", async () => {
    const syncing = new Syncing();
    await syncing.run([target("a.example", "xy"), target("b.example", "xy")]);
    const before = syncing.status as SyncStatus;
    const run = { started: 1, ended: 2, synced: [], unconfigured: null };
    const { domains } = statusAfter(before, run, ["a.example", "new.example"]);
    expect(domains).toEqual({ "a.example": before.domains["a.example"] });
  });

  it("keeps how many names the brake held while a domain fails, and until the next success", async () => {
    const syncing = new Syncing();
    const good = [target("a.example", "xy")];
    await syncing.run(good);
    const held = (): number | undefined => syncing.status?.domains["a.example"]?.held;
    expect(held()).toBe(0);
    let synced: SyncedDomain | undefined;
    await syncing.run(good, (each) => {
      synced = each;
    });
    const { outcome, ...rest } = synced as unknown as SyncedDomain;
    const braked = { ...rest, outcome: { ...outcome, held: 12 } } as SyncedDomain;
    const run = { started: 1, ended: 2, synced: [braked], unconfigured: [] };
    syncing.status = statusAfter(syncing.status, run, ["a.example"]);
    expect(held()).toBe(12);
    await syncing.run([broken("a.example")]);
    expect(held()).toBe(12);
    expect(syncMetrics(syncing.status as SyncStatus)).toContain(
      'rollcall_sync_held_names{domain="a.example"} 12\n',
    );
    await syncing.run(good);
    expect(held()).toBe(0);
  });

  it("counts the rows that sources left out at the last success, over all sources", async () => {
    const syncing = new Syncing();
    /** A source that leaves out so many rows, and one of another domain of the settings. */
    const leaving = (rows: number): PublishTarget => {
      const list = target("a.example", "xy");
      const read: Source["read"] = async (sink, signal) => {
        for (let row = 1; row <= rows; row++) sink.leftOut?.(row, "of exmaple.com");
        sink.leftOut?.(rows + 1, null);
        await list.source?.read(sink, signal);
      };
      return { ...list, source: { describe: () => "staff", identity: { name: "source staff" }, read } };
    };
    const leftOut = (): number | null | undefined => syncing.status?.domains["a.example"]?.left_out;
    await syncing.run([broken("a.example")]);
    expect(leftOut()).toBeNull();
    expect(syncMetrics(syncing.status as SyncStatus)).not.toContain("rollcall_sync_left_out_rows{");
    await syncing.run([leaving(3)]);
    expect(leftOut()).toBe(3);
    await syncing.run([broken("a.example")]);
    expect(leftOut()).toBe(3);
    expect(syncMetrics(syncing.status as SyncStatus)).toContain(
      'rollcall_sync_left_out_rows{domain="a.example"} 3\n',
    );
    await syncing.run([leaving(0)]);
    expect(leftOut()).toBe(0);
  });

  it("keeps a domain that a stopped run did not get to, and drops one that is no longer configured", async () => {
    const syncing = new Syncing();
    await syncing.run([target("a.example", "x"), target("b.example", "x")]);
    const before = syncing.status?.domains["b.example"];
    syncing.now = 9_000_000;
    syncing.stop.abort();
    await syncing.run([target("b.example", "x")]);
    expect(syncing.status?.domains).toEqual({ "b.example": before });
  });

  it("is null for text that is no status, or one of another format", () => {
    for (const text of ["", "{", "null", "[]", '{"sync_status":2}', '{"sync_status":1,"domains":{"a":{}}}']) {
      expect(parseSyncStatus(text)).toBeNull();
    }
  });

  it("shows a domain that never succeeded with an age that raises the alarm, and no address", async () => {
    const syncing = new Syncing();
    await syncing.run([broken("a.example"), target("b.example", "xy")]);
    const text = syncMetrics(syncing.status as SyncStatus);
    expect(text).toContain('rollcall_sync_last_success_timestamp_seconds{domain="a.example"} 0\n');
    expect(text).toContain('rollcall_sync_mailboxes{domain="b.example",state="active"} 2\n');
    expect(text).not.toContain("@");
  });
});
