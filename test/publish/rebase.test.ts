/* A publish whose head moves between plan and commit, against the real edge and Registry. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DomainDescription, GenerationRecord } from "../../src/api/index.ts";
import type { RollcallClient } from "../../src/client/index.ts";
import { addToSketch, fingerprint, newSketch } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import {
  memorySource,
  type PublishOptions,
  type PublishResult,
  type PublishTarget,
  publishLists,
} from "../../src/publish/index.ts";
import { clientOf } from "../../testing/client.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { DAY, World } from "../../testing/world.ts";

const D = "example.com";

let world: World;
let isolate: IsolateHost;
let client: RollcallClient;
/** Comes between the client and the edge. */
let intercept: (path: string, send: () => Promise<Response>) => Promise<Response>;

beforeEach(() => {
  world = new World();
  isolate = world.isolate();
  intercept = (_, send) => send();
  const fetch = (url: string, init?: RequestInit) =>
    intercept(new URL(url).pathname, () => isolate.fetch(new Request(url, init)));
  client = clientOf(world.clock, fetch, world.settings.adminToken ?? "");
});

/** Publishes names; `between` runs when they are planned. */
function publish(
  names: readonly string[],
  between: () => Promise<unknown> = async () => undefined,
  more: PublishOptions & Partial<PublishTarget> = {},
): Promise<PublishResult> {
  const source = memorySource(
    "a list",
    names.map((name) => `${name}@${D}`),
  );
  const target = { domain: D, source, policy: {}, canaries: [], ...more };
  const confirm = async (): Promise<void> => void (await between());
  const ports = { client, hashing: stablelibHashing, timers: world.clock, recorder: null, progress: {} };
  return world.clock.run(publishLists({ ...ports, confirm }, [target], more));
}

/** Adds a mailbox by a single change. */
const change = (name: string): Promise<unknown> =>
  client.patchMailboxes(D, { set: [{ recipient: `${name}@${D}`, state: "active" }] }, name);
/** Names whose single changes no publish settled. */
const patched = (): unknown => world.registry().sql("SELECT count(*) AS n FROM patched_names")[0]?.n;
const described = async (): Promise<DomainDescription> =>
  (await world.clock.run(client.domain(D))) ?? expect.fail("no head");
const actions = async (): Promise<GenerationRecord["action"][]> =>
  (await world.clock.run(client.generations(D))).map(({ action }) => action).reverse();
const verdicts = async (...names: string[]): Promise<string[]> => {
  const answers: string[] = [];
  for (const name of names) answers.push((await isolate.check(`${name}@${D}`)).verdict);
  return answers;
};

/** The brake takes hold: the Registry learns of twelve names that left and are asked for. */
async function brake(): Promise<void> {
  const asked = newSketch();
  for (const name of people(12)) addToSketch(asked, fingerprint(world.keyFor(D).names, name));
  world
    .registry()
    .core({ partition: 0, partitions: 1 })
    .brake(D, new Map([[world.lastLeavers(D), asked]]));
}

describe("a publish, if single changes or another mode came since it was planned,", () => {
  beforeEach(async () => {
    await publish(people(10), undefined, { mode: "enforce" });
  });

  it("is refused if nobody said what becomes of the changes, which stay", async () => {
    await expect(publish(people(11), () => change("new"))).rejects.toMatchObject({
      fault: "guard",
      message: expect.stringContaining("single changes need a decision"),
    });
    expect(await actions()).toEqual(["commit", "patch"]);
    expect(await verdicts("new", "u10")).toEqual(["deliverable", "unknown"]);
  });

  it("is planned again, and keeps the mode that a person has chosen meanwhile", async () => {
    await publish(people(11), () => client.changeMode(D, { mode: "observe" }), { settingsMode: "enforce" });
    expect(await actions()).toEqual(["commit", "mode", "commit"]);
    expect(await described()).toMatchObject({ mode: "observe", counts: { active: 11 } });
  });
});

describe("a publish, if the brake took hold since it was planned,", () => {
  beforeEach(async () => {
    await publish(people(60));
    await publish(people(40, 20), undefined, { force: true });
  });

  it("is planned again: names that it lists again are accepted, and the others stay held", async () => {
    const { generations } = await publish([...people(5), ...people(41, 20)], brake);
    expect(await actions()).toEqual(["commit", "commit", "brake", "commit"]);
    expect(await described()).toMatchObject({ generation: generations[D], brake: { held: 15, left: 20 } });
    await world.clock.advance(DAY);
    expect(await verdicts("u0", "u5", "u19", "u60", "u99")).toEqual([
      "deliverable",
      "departed",
      "departed",
      "deliverable",
      "unknown",
    ]);
  });

  it("ends the brake if it lists all of them again", async () => {
    await publish(people(60), brake);
    expect((await described()).brake).toBeNull();
    expect(await verdicts("u0", "u19", "u20")).toEqual(["deliverable", "deliverable", "deliverable"]);
  });

  it("is planned again too if single changes were made before it or after it", async () => {
    const between = async () => {
      await change("before");
      await brake();
      await change("after");
    };
    await publish(people(41, 20), between, { patched: "keep" });
    expect(await actions()).toEqual(["commit", "commit", "patch", "brake", "patch", "commit"]);
    expect(await verdicts("before", "after", "u60")).toEqual(["deliverable", "deliverable", "deliverable"]);
    expect((await described()).brake).toMatchObject({ held: 20 });
  });

  it("settles the single changes that its list knows, even if the list is that of the head", async () => {
    await world.clock.run(change("new"));
    await publish([...people(40, 20), "new"], brake);
    expect(patched()).toBe(0);
    expect(await verdicts("new")).toEqual(["deliverable"]);
  });

  it.each([
    ["another key", { newKey: true, force: true }],
    ["another spelling", { policy: { case: "sensitive" as const }, force: true }],
  ])("is refused if it is under %s: it cannot keep the names", async (_, options) => {
    await expect(publish(people(40, 20), brake, options)).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringContaining("the brake holds 20 names"),
    });
    expect(await actions()).toEqual(["commit", "commit", "brake"]);
    expect(await verdicts("u0", "u20")).toEqual(["departed", "deliverable"]);
  });

  it("is planned again if a person has released the names already", async () => {
    await publish(people(41, 20), async () => {
      await brake();
      await client.releaseBrake(D, (await client.domain(D))?.generation ?? 0);
    });
    expect(await actions()).toEqual(["commit", "commit", "brake", "release", "commit"]);
    expect(await verdicts("u0", "u60")).toEqual(["unknown", "deliverable"]);
  });

  it("is not made over a rollback by which a person ended it", async () => {
    const racing = publish(people(41, 20), async () => {
      await brake();
      await client.rollback(D, { to: 1, expect: (await client.domain(D))?.generation ?? 0 });
    });
    await expect(racing).rejects.toMatchObject({ code: "conflict" });
    expect(await verdicts("u0", "u59", "u60")).toEqual(["deliverable", "deliverable", "unknown"]);
  });
});

it("a publish goes on if the head moves again while it is planned again", async () => {
  await publish(people(20));
  let plans = 0;
  intercept = async (path, send) => {
    // The first one was judged before anything moved.
    if (path === "/v1/plans" && ++plans === 2) await change("during");
    return send();
  };
  await publish(people(21), () => change("between"), { patched: "keep" });
  expect(plans).toBeGreaterThan(2);
  expect(await actions()).toEqual(["commit", "patch", "patch", "commit"]);
  expect(await verdicts("between", "during", "u20")).toEqual(["deliverable", "deliverable", "deliverable"]);
});

it("a publish that only settles single changes is done if its answer was lost", async () => {
  await publish(people(20));
  await world.clock.run(change("new"));
  let commits = 0;
  intercept = async (path, send) => {
    const response = await send();
    if (path === "/v1/commits" && ++commits === 1) throw new TypeError("fetch failed");
    return response;
  };
  const { isPublished, generations } = await publish([...people(20), "new"]);
  expect({ commits, isPublished, generations }).toEqual({
    commits: 2,
    isPublished: true,
    generations: { [D]: 2 },
  });
  expect(patched()).toBe(0);
});

it("a publish goes on if single changes are made before the guard is asked about it", async () => {
  await publish(people(20));
  let plans = 0;
  intercept = async (path, send) => {
    if (path === "/v1/plans" && ++plans <= 2) await change(`early${plans}`);
    return send();
  };
  let planned = 0;
  await publish(people(21), async () => void planned++, { patched: "keep" });
  expect(planned).toBe(1);
  expect(await actions()).toEqual(["commit", "patch", "patch", "commit"]);
  expect(await verdicts("early1", "early2", "u20")).toEqual(["deliverable", "deliverable", "deliverable"]);
});

it("a publish ends if another one comes before the guard is asked about it", async () => {
  await publish(people(20));
  let plans = 0;
  intercept = async (path, send) => {
    if (path === "/v1/plans" && ++plans === 1) await world.publish(isolate, D, people(22), { expect: 1 });
    return send();
  };
  await expect(publish(people(21))).rejects.toMatchObject({ code: "conflict" });
});

describe("a publish, while another client makes single changes one after the other,", () => {
  /** Milliseconds that a request of the publisher takes on its way. */
  const slow = async (path: string, send: () => Promise<Response>): Promise<Response> => {
    if (path === "/v1/commits") commits++;
    await world.clock.sleep(90);
    return send();
  };
  let commits: number;
  let isOver: boolean;

  /** Single changes without a pause, until the publish is over. @returns how long each took */
  async function write(): Promise<number[]> {
    const fetch = (url: string, init?: RequestInit) => isolate.fetch(new Request(url, init));
    const writer = clientOf(world.clock, fetch, world.settings.adminToken ?? "");
    const took: number[] = [];
    while (!isOver && took.length < 2_000) {
      const name = `w${took.length}`;
      const from = world.clock.now();
      await writer.patchMailboxes(D, { set: [{ recipient: `${name}@${D}`, state: "active" }] }, name);
      took.push(world.clock.now() - from);
    }
    return took;
  }

  beforeEach(async () => {
    [commits, isOver] = [0, false];
    await publish(people(20));
  });

  it("gets its turn: they wait for it, for a second at most", async () => {
    intercept = slow;
    const writing = write();
    const [{ generations }, took] = await world.clock.run(
      Promise.all([
        publish(people(21), undefined, { patched: "keep" }).finally(() => {
          isOver = true;
        }),
        writing,
      ]),
    );
    expect(generations[D]).toBeGreaterThan(2);
    expect(commits).toBeLessThanOrEqual(2);
    expect(took.length).toBeGreaterThan(3);
    expect(Math.max(...took)).toBeLessThan(1_100);
    expect(await verdicts("w0", `w${took.length - 1}`, "u20")).toEqual([
      "deliverable",
      "deliverable",
      "deliverable",
    ]);
  });

  it("says what came first if it takes longer than they wait", async () => {
    intercept = async (path, send) => {
      if (path === `/v1/domains/${D}`) await world.clock.sleep(1_100);
      return slow(path, send);
    };
    const publishing = publish(people(21), undefined, { patched: "keep" }).finally(() => {
      isOver = true;
    });
    const outcomes = await world.clock.run(Promise.allSettled([publishing, write()]));
    expect(outcomes[0]).toMatchObject({
      status: "rejected",
      reason: {
        fault: "conflict",
        message: expect.stringMatching(
          /^single changes came first, 21 times in a row: .*nothing was published$/,
        ),
      },
    });
    expect(new Set((await actions()).slice(1))).toEqual(new Set(["patch"]));
  });
});
