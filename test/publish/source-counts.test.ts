/** What each source gives, beside what it gave last. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { beforeEach, describe, expect, it } from "vitest";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import {
  decodePlanFile,
  encodePlanFile,
  ListRecorder,
  ListStore,
  openSources,
  type PlannedList,
  type PublishOptions,
  type PublishPorts,
  type PublishTarget,
  planChanges,
  publishLists,
  publishPlanFile,
  SOURCE_SETTINGS,
  type SourceSettings,
  syncDomains,
} from "../../src/publish/index.ts";
import { temporaryFolder } from "../support/folders.ts";
import { DOMAIN } from "../support/lists.ts";
import { MemoryEdge } from "../support/memory-edge.ts";
import { hostOf, refusal } from "./support/reading.ts";

const folder = temporaryFolder();
const HOUR = 3_600_000;
const EDGE = "https://edge.example";

/** `n` addresses. */
const people = (n: number, prefix: string, domain = DOMAIN): string[] =>
  Array.from({ length: n }, (_, i) => `${prefix}${i}@${domain}`);

/** Publishers of one edge, whose sources are files. */
class World {
  readonly edge = new MemoryEdge();
  now = 1_000 * HOUR;
  readonly warned: string[] = [];
  keepsNames = true;
  /** Domains of rollcall.toml. */
  domains: readonly string[] = [DOMAIN];

  source(name: string, lines: readonly string[]): void {
    writeFileSync(join(folder, `${name}.txt`), lines.map((line) => `${line}\n`).join(""));
  }

  target(names: readonly string[], more: object = {}, domain = DOMAIN): PublishTarget {
    const settings = (name: string): SourceSettings =>
      v.parse(SOURCE_SETTINGS, { kind: "file", path: `${name}.txt`, ...more });
    const named = names.map((name) => ({ shown: `source ${name}`, settings: settings(name) }));
    const host = hostOf(folder, { domain, domains: new Set(this.domains) });
    return { domain, source: openSources(named, host), policy: {}, canaries: [] };
  }

  ports(host = "host", url = EDGE): PublishPorts {
    const store = new ListStore(join(folder, host));
    const warn = (text: string): void => void this.warned.push(text);
    return {
      client: this.edge.client(),
      hashing: stablelibHashing,
      timers: { sleep: async () => undefined },
      recorder: new ListRecorder(store, url, { now: () => this.now }, warn, { keepsNames: this.keepsNames }),
      progress: {},
      confirm: async () => undefined,
    };
  }

  publish(targets: readonly PublishTarget[], options: PublishOptions = {}, host?: string) {
    return publishLists(this.ports(host), targets, options);
  }

  async sync(targets: readonly PublishTarget[], host?: string): Promise<string[]> {
    const { confirm: _, ...ports } = this.ports(host);
    const clock = { clock: { now: () => this.now }, steady: () => 0 };
    const synced = await syncDomains({ ...ports, ...clock }, targets, new AbortController().signal, () => {});
    return synced.map(({ outcome }) => (outcome.kind === "failed" ? outcome.failure : outcome.kind));
  }

  get list(): number | undefined {
    return this.edge.heads.get(DOMAIN)?.counts.active;
  }
}

let world: World;
beforeEach(() => {
  for (const host of ["host", "other"]) rmSync(join(folder, host), { recursive: true, force: true });
  world = new World();
  world.source("staff", people(100, "staff"));
  world.source("rooms", people(10, "room"));
});

const both = (): PublishTarget => world.target(["staff", "rooms"]);

describe("a source that gives less than it gave last", () => {
  it.each<[string, string[], string]>([
    ["nothing", [], "source rooms gives no name that accepts mail; it gave 10 last"],
    [
      "less by more than the guard's share",
      people(7, "room"),
      "source rooms gives 7 names that accept mail; it gave 10 last (30.0 % less), and at most 20 % may go at one time",
    ],
  ])("stops the publish if it gives %s, and is named", async (_, rooms, why) => {
    await world.publish([both()]);
    world.source("rooms", rooms);
    const error = await refusal(() => world.publish([both()]));
    expect(error.fault).toBe("guard");
    expect(error.message).toBe("a source gives less than it gave last; nothing was changed");
    expect(error.details).toEqual([`${DOMAIN}: ${why}`]);
    expect(error.hint).toContain("--force");
    expect(await world.sync([both()])).toEqual(["guard"]);
    expect(world.list).toBe(110);
    const dry = await world.publish([both()], { dryRun: true });
    expect(dry).toMatchObject({ isRefused: true });
    expect(dry.planned[0]?.plan).toMatchObject({ shrunk: [why], refusal: null });
  });

  it("may lose a name, or a share that the guard allows", async () => {
    await world.publish([both()]);
    world.source("rooms", people(8, "room"));
    await world.publish([both()]);
    expect(world.list).toBe(108);
    world.source("few", people(2, "few"));
    const three = (): PublishTarget => world.target(["staff", "rooms", "few"]);
    await world.publish([three()]);
    world.source("few", people(1, "few"));
    await world.publish([three()]);
    expect(world.list).toBe(109);
  });

  it("is not compared with the totals of others: two that change places both stop", async () => {
    await world.publish([both()]);
    world.source("staff", [...people(93, "staff"), ...people(10, "new")]);
    world.source("rooms", people(2, "room"));
    expect((await refusal(() => world.publish([both()]))).details).toHaveLength(1);
  });

  it("counts names that accept mail, so that a state which is read wrongly stops it too", async () => {
    const csv = (state: string): string[] => [
      "address,state",
      ...people(10, "room").map((a) => `${a},${state}`),
    ];
    const withCsv = (): PublishTarget => world.target(["staff", "rooms"], { format: "csv" });
    world.source("staff", ["address", ...people(100, "staff")]);
    world.source("rooms", csv("active"));
    await world.publish([withCsv()]);
    world.source("rooms", csv("disabled"));
    expect((await refusal(() => world.publish([withCsv()]))).details).toEqual([
      expect.stringContaining("source rooms gives no name that accepts mail; it gave 10 last"),
    ]);
  });

  it("counts lines that were left out as invalid as not given", async () => {
    await world.publish([both()]);
    world.source(
      "rooms",
      people(10, "room").map((address) => address.replace("@", " ")),
    );
    expect((await refusal(() => world.publish([both()], { skipInvalid: true }))).details).toEqual([
      expect.stringContaining("source rooms gives no name"),
    ]);
  });

  it("stops the publish even if no name leaves, since another source has them all", async () => {
    world.source("staff", [...people(100, "staff"), ...people(10, "room")]);
    await world.publish([both()]);
    world.source("rooms", []);
    expect(await world.sync([both()])).toEqual(["guard"]);
  });

  it("is compared with the most that it gave within a day, so that many small steps are one", async () => {
    await world.publish([both()]);
    world.source("rooms", people(9, "room"));
    expect(await world.sync([both()])).toEqual(["published"]);
    world.now += HOUR;
    world.source("rooms", people(8, "room"));
    expect(await world.sync([both()])).toEqual(["published"]);
    world.now += HOUR;
    world.source("rooms", people(7, "room"));
    expect((await refusal(() => world.publish([both()]))).details).toEqual([
      expect.stringContaining("gives 7 names that accept mail; it gave 10 within the last day (30.0 % less)"),
    ]);
    expect(await world.sync([both()])).toEqual(["guard"]);
    world.now += 23 * HOUR;
    expect(await world.sync([both()])).toEqual(["published"]);
  });
});

describe("a source that gives less in small steps after it gave the same for long", () => {
  beforeEach(async () => {
    await world.publish([both()]);
    world.now += 7 * 24 * HOUR;
    for (const count of [9, 8]) {
      world.source("rooms", people(count, "room"));
      expect(await world.sync([both()])).toEqual(["published"]);
      world.now += HOUR;
    }
    world.source("rooms", people(7, "room"));
  });

  it("is compared with what it gave until the first of them", async () => {
    expect((await refusal(() => world.publish([both()]))).details).toEqual([
      expect.stringContaining("gives 7 names that accept mail; it gave 10 within the last day (30.0 % less)"),
    ]);
  });

  it("is not, a day after that step", async () => {
    world.now += 22 * HOUR - 1;
    expect(await world.sync([both()])).toEqual(["guard"]);
    world.now++;
    expect(await world.sync([both()])).toEqual(["published"]);
    // It gave eight until now.
    world.now += HOUR;
    world.source("rooms", people(6, "room"));
    expect(await world.sync([both()])).toEqual(["guard"]);
  });
});

it("a source that gives all again has given that until then", async () => {
  await world.publish([both()]);
  const given = async (count: number): Promise<string[]> => {
    world.source("rooms", people(count, "room"));
    return world.sync([both()]);
  };
  expect(await given(9)).toEqual(["published"]);
  world.now += 20 * HOUR;
  expect(await given(10)).toEqual(["published"]);
  expect(await given(8)).toEqual(["published"]);
  world.now += 5 * HOUR;
  expect(await given(7)).toEqual(["guard"]);
});

describe("a person who says that a source is right", () => {
  beforeEach(async () => {
    await world.publish([both()]);
    world.source("rooms", people(3, "room"));
  });

  it("uses --force, which the history shows, and what it gives now is the new measure", async () => {
    await world.publish([both()], { force: true });
    expect(world.edge.commits.at(-1)).toMatchObject({ force: true });
    expect(world.list).toBe(103);
    expect(await world.sync([both()])).toEqual(["unchanged"]);
    world.source("rooms", []);
    expect(await world.sync([both()])).toEqual(["guard"]);
  });

  it("may do so on another host: sync finds that very list published, and takes it", async () => {
    await world.publish([both()], { force: true }, "other");
    expect(await world.sync([both()])).toEqual(["unchanged"]);
    world.source("rooms", people(4, "room"));
    expect(await world.sync([both()])).toEqual(["published"]);
  });

  it("may do so at another edge, whose generation of the same number has nothing to do with what was stored here", async () => {
    const staging = new World();
    const at = (host: string): PublishPorts => staging.ports(host, "https://staging.example");
    await publishLists(at("other"), [both()], {});
    expect(staging.edge.heads.get(DOMAIN)?.generation).toBe(world.edge.heads.get(DOMAIN)?.generation);
    expect(await publishLists(at("host"), [both()], {})).toMatchObject({ isPublished: false });
  });

  it("is not asked again if the host was killed before it stored what the sources gave", async () => {
    const ports = world.ports();
    const killed = { ...ports, recorder: null };
    await publishLists(killed, [both()], { force: true });
    expect(await world.sync([both()])).toEqual(["unchanged"]);
    expect(await world.sync([both()])).toEqual(["unchanged"]);
  });

  it("says so even if the list stays as it is", async () => {
    world.source("staff", [...people(100, "staff"), ...people(10, "room")]);
    world.source("rooms", people(10, "room"));
    await world.publish([both()]);
    world.source("rooms", []);
    expect(await world.sync([both()])).toEqual(["guard"]);
    expect(await world.publish([both()], { force: true })).toMatchObject({ isPublished: false });
    expect(await world.sync([both()])).toEqual(["unchanged"]);
  });
});

describe("what the sources gave last", () => {
  it("is not known at the first publish, on a new host, or if the record is lost", async () => {
    world.source("rooms", []);
    await world.publish([both()]);
    world.source("rooms", people(10, "room"));
    await world.publish([both()]);
    world.source("rooms", []);
    expect(await world.sync([both()], "other")).toEqual(["published"]);
    world.source("rooms", people(10, "room"));
    await world.publish([both()]);
    rmSync(join(folder, "host"), { recursive: true });
    world.source("rooms", []);
    const { planned } = await world.publish([both()]);
    expect(planned[0]?.plan.warnings).toContain(
      "this host does not know what the sources gave last, so they are not compared; set a minimum in their tables",
    );
  });

  it("is stored without names, also where no names are stored", async () => {
    world.keepsNames = false;
    await world.publish([both()]);
    world.source("rooms", []);
    expect(await world.sync([both()])).toEqual(["guard"]);
    const { planned } = await world.publish([both()], { dryRun: true });
    expect(planned[0]).toMatchObject({ leaving: [], coming: [] });
  });

  it("belongs to a name of a source: one that is added or renamed is new, one that is removed is forgotten", async () => {
    await world.publish([both()]);
    world.source("rooms", []);
    world.source("places", people(10, "room"));
    await world.publish([world.target(["staff", "places"])]);
    world.source("rooms", people(2, "room"));
    await world.publish([world.target(["staff", "places", "rooms"])]);
    world.source("places", []);
    expect(await world.sync([world.target(["staff", "places", "rooms"])])).toEqual(["guard"]);
  });

  it("is compared with a source that stays when the other one is removed", async () => {
    await world.publish([both()]);
    world.source("staff", [...people(95, "staff")]);
    world.source("rooms", []);
    expect(await world.sync([world.target(["rooms"])])).toEqual(["guard"]);
    expect(world.list).toBe(110);
  });

  it("is known by domain: a source that lists two and loses one of them stops that one only", async () => {
    world.domains = [DOMAIN, "b.example"];
    const two = (): PublishTarget[] =>
      [DOMAIN, "b.example"].map((domain) =>
        world.target(["staff", "shared"], { other_domains: "skip" }, domain),
      );
    world.source("staff", [...people(100, "staff"), ...people(100, "staff", "b.example")]);
    world.source("shared", [...people(10, "s"), ...people(10, "s", "b.example")]);
    expect(await world.sync(two())).toEqual(["published", "published"]);
    world.source("shared", people(10, "s"));
    expect(await world.sync(two())).toEqual(["unchanged", "guard"]);
  });

  it("stays if the list in a file is published instead", async () => {
    await world.publish([both()]);
    const path = { domain: DOMAIN, policy: {}, canaries: [] };
    const { memorySource } = await import("../../src/publish/index.ts");
    const source = memorySource("list.txt", [...people(100, "staff"), ...people(10, "room"), `x@${DOMAIN}`]);
    await world.publish([{ ...path, source }]);
    world.source("rooms", []);
    expect(await world.sync([both()])).toEqual(["guard"]);
  });
});

describe("a plan in a file", () => {
  const planned = async (): Promise<readonly PlannedList[]> => {
    const { client, hashing, recorder } = world.ports();
    return planChanges({ client, hashing, recorder, progress: {} }, [both()]);
  };
  const publishFile = (plans: readonly PlannedList[], force = false) => {
    const bytes = encodePlanFile(plans, EDGE, stablelibHashing);
    const file = decodePlanFile(bytes, "a.plan", stablelibHashing);
    return publishPlanFile(world.ports(), file, { edge: EDGE, shown: "a.plan", force });
  };

  it("is refused, or published with --force, as the plan said", async () => {
    await world.publish([both()]);
    world.source("rooms", []);
    const plans = await planned();
    expect((await refusal(() => publishFile(plans))).details).toEqual([
      `${DOMAIN}: source rooms gives no name that accepts mail; it gave 10 last`,
    ]);
    await publishFile(plans, true);
    expect(world.list).toBe(100);
    expect(await world.sync([both()])).toEqual(["unchanged"]);
  });

  it("says what the sources gave when it was made, which is stored when it is published", async () => {
    await publishFile(await planned());
    world.source("rooms", []);
    expect(await world.sync([both()])).toEqual(["guard"]);
  });
});

describe("rows that a source leaves out", () => {
  const skipping = (more: object = {}): PublishTarget =>
    world.target(["staff"], { other_domains: "skip", ...more });

  it("are counted, by their reason", async () => {
    world.domains = [DOMAIN, "b.example"];
    world.source("staff", [
      ...people(10, "staff"),
      ...people(3, "x", "exmaple.com"),
      ...people(2, "x", "EXAMPLE.org"),
      ...people(4, "x", "b.example"),
    ]);
    const { planned } = await world.publish([skipping()]);
    expect(planned[0]?.plan.sources?.counts).toMatchObject([
      { name: "source staff", accepting: 10, leftOut: 5, elsewhere: 4 },
    ]);
    expect(planned[0]?.plan.sources?.counts[0]?.reasons).toEqual([
      ["of exmaple.com", 3],
      ["of example.org", 2],
    ]);
  });

  it("stop the publish if they are more while names go: typos in the domain", async () => {
    await world.publish([skipping()]);
    world.source("staff", [...people(85, "staff"), ...people(15, "staff", "exmaple.com")]);
    expect((await refusal(() => world.publish([skipping()]))).details).toEqual([
      `${DOMAIN}: source staff gives 15 names that accept mail less than last, and leaves out 15 more rows: 15 of exmaple.com`,
    ]);
    expect(await world.sync([skipping()])).toEqual(["guard"]);
    expect(world.list).toBe(100);
    await world.publish([skipping()], { force: true });
    expect(await world.sync([skipping()])).toEqual(["unchanged"]);
  });

  it("do not if no name goes, however many they are, nor if a few names go", async () => {
    await world.publish([skipping()]);
    world.source("staff", [...people(100, "staff"), ...people(900, "x", "customer.example")]);
    expect(await world.sync([skipping()])).toEqual(["unchanged"]);
    world.source("staff", [...people(96, "staff"), ...people(990, "x", "customer.example")]);
    expect(await world.sync([skipping()])).toEqual(["published"]);
  });

  it("do not if the names that they would stand for went before", async () => {
    await world.publish([skipping()]);
    world.source("staff", people(90, "staff"));
    expect(await world.sync([skipping()])).toEqual(["published"]);
    world.source("staff", [...people(90, "staff"), ...people(10, "x", "customer.example")]);
    expect(await world.sync([skipping()])).toEqual(["unchanged"]);
  });

  it("do not if names move to another domain of rollcall.toml", async () => {
    world.domains = [DOMAIN, "b.example"];
    await world.publish([skipping()]);
    world.source("staff", [...people(85, "staff"), ...people(15, "staff", "b.example")]);
    expect(await world.sync([skipping()])).toEqual(["published"]);
  });

  it("are few in kind: a source of many domains takes no more memory, and the plan shows the most frequent", async () => {
    const strays = Array.from({ length: 5_000 }, (_, i) => `x@d${i}.example`);
    world.source("staff", [...people(100, "staff"), ...strays, ...people(3, "y", "d4999.example")]);
    const { planned } = await world.publish([skipping()]);
    const [source] = planned[0]?.plan.sources?.counts ?? [];
    expect(source?.leftOut).toBe(5_003);
    expect(source?.reasons).toHaveLength(5);
  });
});

describe("bounds of a source in rollcall.toml", () => {
  it("minimum: what it must give for all domains together, which no option overrides", async () => {
    world.domains = [DOMAIN, "b.example"];
    const staff = (minimum: number): PublishTarget =>
      world.target(["staff"], { minimum, other_domains: "skip" });
    world.source("staff", [
      ...people(6, "staff"),
      ...people(4, "staff", "b.example"),
      ...people(9, "x", "stray.example"),
    ]);
    await world.publish([staff(10)]);
    for (const options of [{}, { force: true }, { dryRun: true }]) {
      expect((await refusal(() => world.publish([staff(11)], options))).details).toEqual([
        "source staff gives 10 addresses, and its minimum is 11",
      ]);
    }
  });

  it("max_left_out: rows that it may leave out", async () => {
    const staff = (most: number): PublishTarget =>
      world.target(["staff"], { max_left_out: most, other_domains: "skip" });
    world.source("staff", [...people(6, "staff"), ...people(9, "x", "stray.example")]);
    await world.publish([staff(9)]);
    expect((await refusal(() => world.publish([staff(8)], { force: true }))).details).toEqual([
      "source staff leaves out 9 rows (9 of stray.example), and its max_left_out is 8",
    ]);
  });
});
