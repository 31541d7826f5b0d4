/* A domain with a history and no head is a fault, and not a domain that is not served; one damaged row spoils its own line. */
import { beforeEach, describe, expect, it } from "vitest";
import type { FaultLine } from "../../src/edge/ports.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { HOUR, MINUTE, SECOND, World } from "../../testing/world.ts";
import { accepted } from "./support.ts";

const D = "example.com";
const OTHER = "other.example";
let world: World;
let lines: FaultLine[];
let isolate: IsolateHost;

beforeEach(async () => {
  world = new World();
  lines = [];
  Object.assign(world.ports, { log: (line: FaultLine) => void (line.event === "fault" && lines.push(line)) });
  isolate = world.isolate();
  await world.clock.run(world.publish(isolate, D, people(20)));
  await world.clock.run(world.publish(isolate, OTHER, people(20)));
  await world.clock.advance(MINUTE);
});

const core = () => world.registry().core({ partition: 0, partitions: 1 });
const sql = (statement: string, ...bindings: (string | number)[]) =>
  world.registry().sql(statement, ...bindings);
const check = (who: IsolateHost, recipient: string) => who.check(recipient);
const seen = () => lines.map(({ kind, domain }) => `${kind} of ${domain}`);
const faultOf = async (domain: string) =>
  accepted(await core().domainsNamed([domain])).map(({ fault }) => fault);

describe("a head that is gone, with its history", () => {
  beforeEach(() => {
    sql("DELETE FROM heads WHERE domain = ?", D);
  });

  it("is a deferral for a cold isolate and for one that knew it, and never a refusal", async () => {
    const cold = world.isolate();
    for (const who of [cold, isolate]) {
      for (const name of ["u1", "nobody"]) {
        const { action } = (await check(who, `${name}@${D}`)) as { action: string };
        expect(action).not.toBe("reject");
      }
    }
    expect(seen()).toContain(`lost_head of ${D}`);
    await world.clock.advance(2 * MINUTE);
    for (const who of [cold, isolate, world.isolate()]) {
      expect(await check(who, `nobody@${D}`)).toMatchObject({ verdict: "unavailable", action: "defer" });
      // Nothing else is spoilt.
      expect(await check(who, `nobody@${OTHER}`)).toMatchObject({ verdict: "unknown" });
    }
    expect(await faultOf(D)).toEqual([expect.stringContaining("rollcall rollback")]);
    expect(await faultOf(OTHER)).toEqual([null]);
  });

  it("is not left out of the roster, from which readers start", async () => {
    await world.clock.run(world.publish(isolate, "third.example", people(3)));
    await world.clock.advance(2 * HOUR);
    const few = world.isolate("there", { mostHeads: 1 });
    expect(await check(few, `nobody@${D}`)).toMatchObject({ verdict: "unavailable", action: "defer" });
    expect(seen()).toContain(`lost_head of ${D}`);
  });

  it("is a deferral for a replica, too", async () => {
    const question = { since: null, want: null, replica: { token: null, domains: null, after: null } };
    const { heads, full } = accepted(await core().question(question));
    expect([full, heads.map(([domain]) => domain).sort()]).toEqual([true, [D, OTHER]]);
  });

  it("ends with a rollback to the list that it was", async () => {
    await check(world.isolate(), `nobody@${D}`);
    const [newest] = accepted(await core().generations(D, { after: null, limit: 1 })) ?? [];
    const request = { to: newest?.generation as number, expect: newest?.generation as number };
    accepted(await core().rollback(D, request, "tester", null));
    await world.clock.advance(MINUTE);
    expect(await check(isolate, `u1@${D}`)).toMatchObject({ verdict: "deliverable" });
    // Whom the lost head accepted is not known.
    expect(await check(isolate, `nobody@${D}`)).toMatchObject({ verdict: "departed" });
    await world.clock.advance(HOUR);
    expect(await check(isolate, `nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    expect(await faultOf(D)).toEqual([null]);
  });

  it("is listed for who knows what was there before it, too", async () => {
    const { incarnation, asOf } = accepted(await core().question({ since: null, want: null }));
    await world.clock.run(world.publish(isolate, "third.example", people(3)));
    await world.clock.run(world.publish(isolate, OTHER, people(19)));
    sql("DELETE FROM heads WHERE domain IN ('third.example', ?)", OTHER);
    for (const replica of [undefined, { token: null, domains: null, after: null }]) {
      const question = { since: { incarnation, number: asOf }, want: null, ...(replica && { replica }) };
      const { heads, full } = accepted(await core().question(question));
      const listed = heads.map(([domain]) => domain).sort();
      expect([full, listed]).toEqual([false, [OTHER, "third.example"]]);
    }
    for (const name of ["u1", "u19", "nobody"]) {
      for (const domain of [OTHER, "third.example"]) {
        const { action } = (await check(isolate, `${name}@${domain}`)) as { action: string };
        expect(action).not.toBe("reject");
      }
    }
  });

  it("is no domain of which nothing was ever published", async () => {
    const cold = world.isolate();
    expect(await check(cold, "x@nowhere.example")).toMatchObject({ verdict: "not-served" });
  });
});

describe("a head whose generation is missing", () => {
  beforeEach(() => {
    sql("DELETE FROM generations WHERE domain = ?", D);
  });

  it("spoils its own line of the listing only; checks are answered from the copy in KV", async () => {
    const heads = accepted(await core().domains({ after: null, limit: 10 }));
    expect(heads.map(({ domain, fault }) => [domain, fault === null])).toEqual([
      [D, false],
      [OTHER, true],
    ]);
    expect(await check(world.isolate("there"), `nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    const asked = await core().head(D);
    expect(asked).toMatchObject({ ok: false, error: { code: "unavailable", domain: D } });
    expect(seen()).toContain(`lost_head of ${D}`);
  });

  it("can be deleted, and published again", async () => {
    const { number } = sql("SELECT number FROM heads WHERE domain = ?", D)[0] as { number: number };
    accepted(await core().remove(D, number, "tester"));
    expect(await faultOf(D)).toEqual([null]);
  });
});

describe("counts that are damaged", () => {
  const count = async (ms = 70 * SECOND): Promise<void> => {
    await core().question({ since: null, want: null, counts: [[D, "enforce", "unknown", 5]] });
    await world.clock.advance(ms);
  };

  it.each([
    ["packed", "no JSON ["],
    ["packed", '{"a": 1}'],
    ["packed", "[[1, 2]]"],
    ["refused", "[["],
  ])("fail neither the status nor what is counted next: %s = %s", async (column, value) => {
    await count();
    await world.clock.advance(HOUR);
    sql(`UPDATE counters SET ${column} = ?`, value);
    await count();
    accepted(await core().counted());
    accepted(await core().domains({ after: null, limit: 10 }));
    const asked = [[D, 2_000_000_000, "AAE"]] as const;
    await core().question({ since: null, want: null, counts: [], asked });
    await world.clock.advance(2 * MINUTE);
    const counted = accepted(await core().counted());
    expect(counted.find(([domain]) => domain === D)?.[4]).toBeGreaterThanOrEqual(5);
    if (column !== "refused") expect(seen()).toContain("damaged_counters of null");
  });
});

describe("a token whose record is damaged", () => {
  it("spoils its own line only", async () => {
    const token = (id: string) =>
      ({
        id,
        role: "check",
        domains: [D],
        expires: null,
        created: 0,
        revoked: null,
        note: null,
        key_id: "0123456789abcdef",
      }) as const;
    accepted(await core().keepToken(token("a"), "admin"));
    accepted(await core().keepToken(token("b"), "admin"));
    sql("UPDATE tokens SET domains = '[' WHERE id = 'a'");
    expect(accepted(await core().tokens()).map(({ id, domains }) => [id, domains])).toEqual([
      ["a", []],
      ["b", [D]],
    ]);
  });
});
