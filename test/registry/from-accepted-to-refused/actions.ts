/** Every action that makes a generation, each as a publisher or a person does it. */
import {
  addToSketch,
  type DomainPolicy,
  type EntryState,
  FINEST_GRID,
  groupOf,
  newSketch,
  type Sketch,
} from "../../../src/directory/index.ts";
import { accepted } from "../support.ts";
import { NAMES, POOL, type Scene } from "./scene.ts";

/** Recipients of whom a person said that they may be refused at once; null if nothing was done. */
export type Outcome = ReadonlySet<string> | null;

export interface Action {
  readonly name: string;
  act(scene: Scene): Promise<Outcome>;
}

/** Names that a stem, a pattern, the catch-all or the policy accepts while they are not listed. */
const HIDDEN = ["u0+tag", "u1+x", "ticket-7", "stray", "postmaster"] as const;
const NOBODY: ReadonlySet<string> = new Set();
const done = (isMade: boolean, dismissed = NOBODY): Outcome => (isMade ? dismissed : null);
const STATES: readonly EntryState[] = ["active", "active", "disabled", "moved", "full"];

/** Changes the source, and publishes it. */
const publishing = (name: string, change: (scene: Scene) => void, force = false): Action => ({
  name,
  act: async (scene) => {
    change(scene);
    return done(await scene.publish({ force }));
  },
});

/** Publishes the source under other settings. */
const setting = (name: string, pick: (scene: Scene, now: DomainPolicy) => Partial<DomainPolicy>): Action => ({
  name,
  act: async (scene) => {
    const head = await scene.head();
    if (head?.deletedUntil !== null) return null;
    const policy = pick(scene, head.policy);
    const list = policy.alias == null ? [...scene.source] : [];
    return done(await scene.publish({ policy, force: true }, list));
  },
});

/** Changes some single mailboxes. */
const patching = (
  name: string,
  state: number,
  more: { atOnce?: boolean; force?: boolean } = {},
  of: readonly string[] = NAMES,
): Action => ({
  name,
  act: async (scene) => {
    const names = of.filter(() => scene.random.chance(of === NAMES ? 0.15 : 0.4));
    if (names.length === 0) return null;
    const isMade = await scene.patch(new Map(names.map((each) => [each, state])), { force: true, ...more });
    return done(isMade, more.atOnce ? reachedBy(names) : NOBODY);
  },
});

/** Every spelling of the pool that these names answer for. */
const reachedBy = (names: readonly string[]): ReadonlySet<string> => {
  const own = new Set(names);
  return new Set(POOL.filter((local) => own.has(plain(local)) || own.has(local)));
};
const plain = (local: string): string => local.toLowerCase().replace(/\+.*$/, "").replaceAll(".", "");

const aFew = ({ source, random }: Scene): void => {
  for (const name of NAMES) {
    if (!random.chance(0.15)) continue;
    if (source.has(name) && random.chance(0.5)) source.delete(name);
    else source.set(name, random.pick(STATES));
  }
};

const toggle = (scene: Scene, pattern: string): void => {
  if (scene.source.has(pattern)) scene.source.delete(pattern);
  else scene.source.set(pattern, scene.random.pick(STATES));
};

/** Asks for everybody who left, as often as it takes. */
async function reportAll(scene: Scene): Promise<void> {
  const head = await scene.head();
  if (head === null || head.deletedUntil !== null || head.policy.alias !== null) return;
  const asked = new Map<number, Sketch>();
  for (const local of NAMES) {
    const { name, until } = await scene.find(head, local);
    if (name === undefined || until === undefined) continue;
    const group = groupOf(until, head.departures.groups?.grid ?? FINEST_GRID);
    const sketch = asked.get(group) ?? newSketch();
    addToSketch(sketch, name);
    asked.set(group, sketch);
  }
  scene.desk.core.brake(scene.domain, asked);
}

export const ACTIONS: readonly Action[] = [
  publishing("publish", aFew),
  publishing("publish, forced", aFew, true),
  publishing(
    "publish without most names",
    ({ source }) => {
      for (const name of NAMES.slice(0, 12)) source.delete(name);
    },
    true,
  ),
  publishing(
    "publish all names",
    ({ source }) => {
      for (const name of NAMES) source.set(name, "active");
    },
    true,
  ),
  publishing("patterns", (scene) => toggle(scene, "ticket-*"), true),
  publishing("publish of states", ({ source, random }) => {
    for (const name of source.keys()) if (random.chance(0.3)) source.set(name, random.pick(STATES));
  }),
  publishing(
    "publish of hidden names",
    ({ source, random }) => {
      for (const name of HIDDEN) {
        if (!random.chance(0.5)) continue;
        if (source.has(name) && random.chance(0.5)) source.delete(name);
        else source.set(name, random.pick(STATES));
      }
    },
    true,
  ),
  patching("add", 0),
  patching("remove", -1),
  patching("remove --now", -1, { atOnce: true }),
  patching("disable", 1),
  patching("disable --now", 1, { atOnce: true }),
  patching("disable hidden names", 3, {}, HIDDEN),
  patching("disable hidden names --now", 1, { atOnce: true }, HIDDEN),
  patching("remove hidden names", -1, {}, HIDDEN),
  {
    name: "rollback",
    act: async (scene) => {
      const { desk, domain, random } = scene;
      const head = await scene.head();
      const all = accepted(await desk.core.generations(domain, { after: null, limit: 50 })) ?? [];
      const lists = all.filter(
        ({ action, generation }) => action !== "delete" && generation !== head?.generation,
      );
      if (head === null || lists.length === 0) return null;
      const { generation: to } = random.pick(lists);
      return done((await desk.core.rollback(domain, { to, expect: head.generation }, "tester", null)).ok);
    },
  },
  {
    name: "delete",
    act: async (scene) => {
      const generation = (await scene.head())?.generation ?? 0;
      return done((await scene.desk.core.remove(scene.domain, generation, "tester")).ok);
    },
  },
  {
    name: "mode",
    act: async ({ desk, domain, random }) =>
      done(
        (
          await desk.core.setMode(
            domain,
            { mode: random.pick(["observe", "defer", "enforce"] as const) },
            "tester",
            null,
          )
        ).ok,
      ),
  },
  {
    name: "brake",
    act: async (scene) => {
      const before = (await scene.head())?.generation;
      await reportAll(scene);
      return done((await scene.head())?.generation !== before);
    },
  },
  {
    name: "release",
    act: async (scene) => {
      const { desk, domain } = scene;
      const generation = (await scene.head())?.generation ?? 0;
      const isMade = (await desk.core.release(domain, generation, "tester", null)).ok;
      return done(isMade, isMade ? new Set(POOL) : NOBODY);
    },
  },
  setting("catch-all", (_, { catchall }) => ({ catchall: !catchall })),
  setting("postmaster", (_, { postmaster }) => ({ postmaster: !postmaster })),
  setting("delimiters", (_, { delimiters }) => ({ delimiters: delimiters === "" ? "+" : "" })),
  setting("case", (_, now) => ({ case: now.case === "sensitive" ? "insensitive" : "sensitive" })),
  setting("dots", (_, { dots }) => ({ dots: dots === "ignored" ? "significant" : "ignored" })),
  setting("share", ({ random }) => ({ guard: random.pick([0, 0.2, 1]) })),
  setting("grace", ({ random }) => ({ grace: random.pick([0, 600, 3_600]) })),
  setting("grace, and names go", (scene) => {
    aFew(scene);
    return { grace: scene.random.pick([0, 600]) };
  }),
  setting("alias begins", ({ target }, { alias }) => ({ alias: alias === null ? target : alias })),
  setting("alias ends", () => ({ alias: null })),
  {
    name: "new key",
    act: async (scene) => {
      const head = await scene.head();
      if (head?.deletedUntil !== null || head.policy.alias !== null) return null;
      return done(await scene.publish({ epoch: head.key.epoch + 1, force: true }));
    },
  },
];
