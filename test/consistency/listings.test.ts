/** Listings of many domains and of long histories: in pages, and without reading the lists themselves. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  type DomainList,
  type DomainSummary,
  type GenerationList,
  type GenerationRecord,
  MAX_WHOLE,
} from "../../src/api/index.ts";
import type { RegistryStorage, SqlRow } from "../../src/registry/ports.ts";
import { RegistryCore } from "../../src/registry/registry.ts";
import { migrate } from "../../src/registry/schema.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { RegistryObject } from "../../testing/registry-object.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";
import { MINUTE, must, SECOND, World } from "../../testing/world.ts";

const D = "example.com";
const PLACE = { partition: 0, partitions: 1 };
const ALL = { after: null, limit: MAX_WHOLE };

describe("a listing", () => {
  let world: World;
  let isolate: IsolateHost;

  beforeEach(() => {
    world = new World();
    isolate = world.isolate();
  });

  /** The Registry over its own storage, and the statements that look at manifests. */
  function watched(): { core: RegistryCore; manifests: string[] } {
    const manifests: string[] = [];
    const sql = (statement: string, ...bindings: (string | number)[]): SqlRow[] => {
      if (/manifest|(?<!count\()\*/.test(statement)) manifests.push(statement);
      return world.registry().sql(statement, ...bindings);
    };
    const core = new RegistryCore({
      storage: {
        sql: sql as RegistryStorage["sql"],
        transaction: (work) => work(),
        setAlarm: () => undefined,
      },
      kv: world.kv.at("registry"),
      ports: world.ports,
      settings: world.settings,
      place: PLACE,
      revocations: async () => ({ ok: true, value: [] }),
    });
    return { core, manifests };
  }

  /** The state that an earlier release leaves: without summaries. */
  const forget = (): void => {
    world.registry().sql("DELETE FROM summaries");
    world.registry().sql("DELETE FROM meta WHERE name LIKE 'summari%'");
  };

  const publishMany = async (): Promise<void> => {
    for (let i = 0; i < 7; i++) await world.publish(isolate, `d${i}.example`, people(3 + i));
    for (let i = 0; i < 7; i++) await world.publish(isolate, D, people(20 + i));
    await world.remove(isolate, "d3.example");
  };

  it("of domains or of a history reads no manifest", async () => {
    await publishMany();
    const { core, manifests } = watched();
    expect(await core.domains(ALL)).toMatchObject({ ok: true, value: { length: 8 } });
    expect(await core.generations(D, ALL)).toMatchObject({ ok: true, value: { length: 7 } });
    expect(await core.domains({ after: "d1.example", limit: 2 })).toMatchObject({ value: { length: 2 } });
    expect(await core.question({ since: null, want: null })).toMatchObject({ ok: true });
    expect(manifests).toEqual([]);
  });

  it("is the same if an earlier release made the generations, and then reads one manifest at a time", async () => {
    await publishMany();
    const { core, manifests } = watched();
    const [domains, generations] = [await core.domains(ALL), await core.generations(D, ALL)];
    forget();
    expect(await core.domains(ALL)).toEqual(domains);
    expect(await core.generations(D, ALL)).toEqual(generations);
    expect(manifests.length).toBe(8 + 7);
    for (const statement of manifests) expect(statement).toMatch(/WHERE domain = \? AND number = \?$/);
  });

  it("has its summaries made in the background for what an earlier release made, before and in between", async () => {
    await publishMany();
    const { core, manifests } = watched();
    const told = async (): Promise<unknown> => [await core.domains(ALL), await core.generations(D, ALL)];
    const before = await told();
    const lacking = (): number =>
      world
        .registry()
        .sql(
          "SELECT count(*) AS n FROM generations g LEFT JOIN summaries s USING (domain, number) WHERE s.domain IS NULL",
        )[0]?.n as number;
    forget();
    await world.clock.run(world.registry().core({ partition: 0, partitions: 0 }).alarm());
    expect(lacking()).toBe(0);
    expect(await told()).toEqual(before);
    expect(manifests).toEqual([]);
    // An earlier release was active in between, and made no summaries of its commits.
    await world.publish(isolate, D, people(40));
    await world.publish(isolate, "d5.example", people(40));
    world.registry().sql("DELETE FROM summaries WHERE number > 15");
    expect(lacking()).toBe(2);
    await world.clock.advance(MINUTE);
    expect(lacking()).toBe(0);
  });

  it("is filled in bounded steps, however many generations and domains there are", async () => {
    await world.publish(isolate, "a.example", ["alice"]);
    await world.publish(isolate, D, ["alice"]);
    await world.clock.advance(MINUTE);
    // A thousand generations of one domain without a head.
    world.registry().sql(`WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 1002)
      INSERT INTO generations SELECT domain, i, time, action, made_by, forced, note, accepted, 1e15, manifest
      FROM generations, n WHERE domain = 'example.com'`);
    const { core, manifests } = watched();
    forget();
    world.registry().sql("UPDATE meta SET value = 9 WHERE name = 'number'");
    const perRun: number[] = [];
    for (let run = 0; run < 6; run++) {
      await world.clock.run(core.alarm());
      perRun.push(manifests.splice(0).filter((it) => /number = \?$/.test(it)).length);
    }
    expect(perRun).toEqual([250, 250, 250, 250, 2, 0]);
  });

  it("loses the summaries of pruned generations, whichever release prunes", async () => {
    await publishMany();
    world.registry().sql("DELETE FROM generations WHERE domain = 'd1.example'");
    expect(world.registry().sql("SELECT number FROM summaries WHERE domain = 'd1.example'")).toEqual([]);
    expect(world.registry().sql("SELECT number FROM summaries WHERE domain = 'd2.example'")).toHaveLength(1);
  });

  it("comes in pages that together are complete, over several partitions too", async () => {
    for (const partitions of [1, 3]) {
      world = new World({ partitions });
      isolate = world.isolate();
      for (let i = 0; i < 11; i++) await world.publish(isolate, `d${i}.example`, ["alice"]);
      for (let i = 0; i < 5; i++) await world.publish(isolate, D, people(3 + i));
      for (const limit of [1, 4, 6, 12, 1000]) {
        const domains: DomainSummary[] = [];
        for (let query = `limit=${limit}`; query !== ""; ) {
          const { body } = await must(isolate.call(`/v1/domains?${query}`));
          const page = body as DomainList;
          domains.push(...page.domains);
          expect(page.domains.length).toBeLessThanOrEqual(limit);
          query = page.next === null ? "" : `limit=${limit}&after=${page.next}`;
        }
        const whole = (await must(isolate.call("/v1/domains"))).body as DomainList;
        expect(whole.next).toBeNull();
        // Time passes with each request, and the age with it.
        const ageless = (each: readonly DomainSummary[]): unknown[] => each.map((it) => ({ ...it, age: 0 }));
        expect(ageless(domains)).toEqual(ageless(whole.domains));
        expect(domains.map(({ domain }) => domain)).toEqual(
          [D, ...Array.from({ length: 11 }, (_, i) => `d${i}.example`)].sort(),
        );
        const generations: GenerationRecord[] = [];
        for (let query = `limit=${limit}`; query !== ""; ) {
          const { body } = await must(isolate.call(`/v1/domains/${D}/generations?${query}`));
          const page = body as GenerationList;
          generations.push(...page.generations);
          query = page.next === null ? "" : `limit=${limit}&after=${page.next}`;
        }
        const history = (await must(isolate.call(`/v1/domains/${D}/generations`))).body as GenerationList;
        expect(generations).toEqual(history.generations);
        expect(generations).toHaveLength(5);
      }
    }
  });

  it.each(["limit=0", "limit=1001", "limit=x", "limit=1.5", "limit=-1", "limit=", "after="])(
    "with %s is an error",
    async (query) => {
      await world.publish(isolate, D, ["alice"]);
      for (const path of ["/v1/domains", `/v1/domains/${D}/generations`]) {
        expect(await isolate.call(`${path}?${query}`)).toMatchObject({
          status: 400,
          body: { error: { code: "bad_request" } },
        });
      }
    },
  );

  it("of a domain that was never published is not found on any page, and is empty after the last line", async () => {
    await world.publish(isolate, D, ["alice"]);
    for (const query of ["", "?limit=5", "?after=7"]) {
      expect((await isolate.call(`/v1/domains/nowhere.example/generations${query}`)).status).toBe(404);
    }
    const empty = await must(isolate.call(`/v1/domains/${D}/generations?after=1`));
    expect(empty.body).toEqual({ domain: D, generations: [], next: null });
    expect((await must(isolate.call("/v1/domains?after=zzz"))).body).toEqual({ domains: [], next: null });
  });

  it("that is too long is an error for a client that does not use pages, and never incomplete", async () => {
    await world.publish(isolate, D, ["alice"]);
    world.registry().sql(
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_WHOLE - 1})
       INSERT INTO heads (domain, number) SELECT printf('x%05d.example', i), 1 FROM n`,
    );
    world.registry().sql(
      `INSERT INTO summaries (domain, number, time, mode, active, disabled, "full", moved, departures, alias,
       deleted_until, epoch, key_id, canonicaliser, bits) SELECT h.domain, 1, time, mode, active, disabled, "full", moved, departures, s.alias,
       deleted_until, epoch, key_id, canonicaliser, bits FROM heads h, summaries s WHERE h.domain != '${D}'`,
    );
    expect(await isolate.call("/v1/domains")).toMatchObject({
      status: 400,
      body: { error: { code: "bad_request", message: expect.stringContaining("limit=1000") } },
    });
    expect((await must(isolate.call("/v1/domains?limit=1000"))).body).toMatchObject({
      domains: { length: 1000 },
      next: "x00998.example",
    });
    world.registry().sql("DELETE FROM heads WHERE domain = 'x00000.example'");
    expect((await must(isolate.call("/v1/domains"))).body).toMatchObject({
      domains: { length: MAX_WHOLE },
      next: null,
    });
  });

  it("of a Registry of an earlier release, which has no pages, is split into pages", async () => {
    for (let i = 0; i < 5; i++) await world.publish(isolate, `d${i}.example`, ["alice"]);
    const whole = await world.registry().core(PLACE).domains(ALL);
    world.registry().fault = ({ method }) =>
      method === "domains" ? { kind: "replaced", answer: whole } : undefined;
    expect((await must(isolate.call("/v1/domains?limit=2&after=d1.example"))).body).toMatchObject({
      domains: [{ domain: "d2.example" }, { domain: "d3.example" }],
      next: "d3.example",
    });
  });
});

describe("a Registry of many domains", () => {
  it("finds those that wait for KV, are aliases, deleted or new without scanning all of them", () => {
    const world = new World();
    const seen = new Set<string>();
    for (const statement of [
      "SELECT count(*) AS n FROM heads WHERE kv_number < number",
      "SELECT min(max(kv_time + 1, coalesce(kv_next, 0))) AS due FROM heads WHERE kv_number < number",
      "SELECT 1 FROM heads WHERE kv_number < number AND kv_failures > 0 LIMIT 1",
      "SELECT domain FROM heads WHERE alias = 'x'",
      "SELECT domain, number FROM heads WHERE deleted IS NOT NULL AND deleted < 5 LIMIT 9",
      "SELECT domain, number FROM heads WHERE number > 5 LIMIT 9",
    ]) {
      for (const { detail } of world.registry().sql(`EXPLAIN QUERY PLAN ${statement}`))
        seen.add(String(detail));
    }
    expect([...seen].filter((each) => !/INDEX/.test(each))).toEqual([]);
  });
});

describe("tables of the previous release", () => {
  it("get the newer columns, keep their rows, and can still be written by that release", async () => {
    const clock = new VirtualTime();
    const object = new RegistryObject({ clock, alarm: async () => undefined, alarmDelay: () => 0 });
    for (const [table, column] of [
      ["heads", "kv_failures"],
      ["heads", "kv_next"],
      ["kv_deletions", "failures"],
      ["kv_deletions", "next"],
    ]) {
      object.sql(`ALTER TABLE ${table} DROP COLUMN ${column}`);
    }
    object.sql("DROP TRIGGER generations_gone");
    object.sql("DROP TABLE summaries");
    object.sql("DELETE FROM meta WHERE name = 'schema'");
    object.sql("INSERT INTO heads (domain, number) VALUES ('a.example', 1)");
    object.sql("INSERT INTO kv_deletions (key) VALUES ('domain/b.example')");
    migrate(object.storage());
    migrate(object.storage());
    expect(object.sql("SELECT domain, number, kv_next FROM heads")).toEqual([
      { domain: "a.example", number: 1, kv_next: null },
    ]);
    expect(object.sql("SELECT key, next FROM kv_deletions")).toEqual([
      { key: "domain/b.example", next: null },
    ]);
    // The statements of that release.
    object.sql(
      `INSERT INTO generations (domain, number, time, action, made_by, forced, note, accepted, superseded, manifest)
       VALUES ('a.example', 1, ${SECOND}, 'commit', 'admin', 0, NULL, 0, NULL, x'00')`,
    );
    object.sql("INSERT OR IGNORE INTO kv_deletions (key) VALUES ('domain/c.example')");
    object.sql("DELETE FROM generations WHERE domain = 'a.example'");
    expect(object.sql("SELECT * FROM summaries")).toEqual([]);
  });
});
