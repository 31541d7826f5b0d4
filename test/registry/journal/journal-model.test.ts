/*
 * Random sequences of whatever touches single changes, on the real Registry, beside the plain sets of law.ts: which changes
 * are open at every moment, and that nobody who was refused with `--now` is accepted again but by the law's own ways.
 */

import { expect, it } from "vitest";
import {
  DEFAULT_POLICY,
  type DomainPolicy,
  decodePatched,
  ENTRY_STATES,
  type EntryState,
  fingerprint,
  fingerprintIn,
  toHex,
} from "../../../src/directory/index.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import { commitOf } from "../../../src/publish/commit-body.ts";
import { decidePatched } from "../../../src/publish/patched.ts";
import type { PatchedNames } from "../../../src/registry/protocol.ts";
import { pack } from "../../../testing/lists.ts";
import { Random } from "../../../testing/random.ts";
import { MINUTE } from "../../../testing/units.ts";
import { FULL } from "../../support/full.ts";
import { accepted, Desk } from "../support.ts";
import {
  changed,
  deleted,
  type Generation,
  GONE,
  isAccepted,
  type List,
  openIn,
  publishedAs,
  refusalOf,
  restored,
  stateIn,
  strangeTo,
} from "./law.ts";

const SEQUENCES = Number(process.env.ROLLCALL_SEQUENCES ?? (FULL ? 3_000 : 60));
const SEED = Number(process.env.ROLLCALL_SEED ?? 1);
const STEPS = 14;
const NAMES = Array.from({ length: 8 }, (_, i) => `u${i}`);
const TOGETHER = 20;
/** How often each step did something. */
const did = new Map<string, number>();

type Decision = "keep" | "drop" | "standing drop" | "unset";

class Story {
  readonly desk: Desk;
  readonly domain: string;
  readonly random: Random;
  head: Generation | null = null;
  /** What was open at the end of each generation. */
  readonly history = new Map<number, Generation>();
  readonly steps: string[] = [];

  constructor(desk: Desk, number: number) {
    this.desk = desk;
    this.domain = `d${number}.example`;
    this.random = new Random(SEED, number);
  }

  async run(): Promise<void> {
    await this.publish("drop", this.policyOf("insensitive"));
    for (let i = 0; i < STEPS; i++) {
      const step = this.random.pick(Object.keys(STEP) as (keyof typeof STEP)[]);
      this.steps.push(step);
      const isDone = await STEP[step](this);
      if (isDone) did.set(step, (did.get(step) ?? 0) + 1);
      await this.look();
      if (this.random.chance(0.3)) await this.desk.world.clock.advance(MINUTE);
    }
  }

  policyOf = (spelling: string): Partial<DomainPolicy> => ({
    case: spelling as DomainPolicy["case"],
    guard: 1,
  });

  fail = (words: string): never => expect.fail(`${this.domain}: ${words} after: ${this.steps.join(", ")}`);

  /** The number of the head, 0 if there is none. */
  async number(): Promise<number> {
    return (await this.desk.head(this.domain))?.generation ?? 0;
  }

  async took(generation: Generation): Promise<void> {
    this.head = generation;
    this.history.set(await this.number(), generation);
  }

  async publish(decision: Decision, policy: Partial<DomainPolicy> = {}): Promise<boolean> {
    const { desk, domain, random, head } = this;
    const source: List = new Map(
      NAMES.filter(() => random.chance(0.7)).map((name) => [
        name,
        random.chance(0.8) ? 0 : random.between(1, 3),
      ]),
    );
    const list = [...source].map(([name, state]) => [name, ENTRY_STATES[state] as EntryState] as const);
    const commit = await desk.prepare(list, { domain, policy });
    const now = await desk.head(domain);
    const full = { ...DEFAULT_POLICY, ...now?.policy, ...policy };
    const key = desk.world.keyFor(domain, 1);
    const isSame = now !== null && now.policy.case === full.case;
    const { names, atOnce } =
      now === null ? NOTHING : (accepted(await desk.core.patched(domain)) as PatchedNames);
    const isStanding = decision === "standing drop";
    const decided =
      decision === "unset"
        ? undefined
        : { decision: isStanding ? "drop" : decision, isStanding, hashing: stablelibHashing };
    const parts = decidePatched(pack(list, key, full), {
      names: decodePatched(names, atOnce),
      comparable: isSame,
      decided: decided as NonNullable<Parameters<typeof decidePatched>[1]["decided"]>,
    });
    const open = head === null ? new Map<string, number>() : openIn(head);
    const kept = new Map(
      [...open].filter(([name, state]) => {
        const listed = stateIn(source, name);
        if (listed === state) return false;
        const isHeld =
          isStanding && head !== null && refusalOf(head, name)?.isOpen === true && isAccepted(listed);
        return decision === "keep" || isHeld;
      }),
    );
    if (parts.patched?.decision === null) {
      // Somebody has to decide: of what is open, the source says otherwise, or it cannot be told.
      const isOpen = [...open].some(([name, state]) => !isSame || stateIn(source, name) !== state);
      if (!isOpen) this.fail("a publish stopped, and nothing was to be decided");
      return false;
    }
    if (decision === "unset" && isSame && [...open].some(([name, state]) => stateIn(source, name) !== state))
      this.fail("a publish did not stop for open changes");
    const body = commitOf({ policy: {}, key, expect: commit.expect, resultingPolicy: full, ...parts });
    const domains = [{ ...commit, shards: body.shards, patched_kept: body.patched_kept ?? "" }];
    for (const [i, id] of idsOf(body.shards).entries())
      accepted(await desk.core.putShard(domain, id, parts.packed.shards[i] as Uint8Array));
    accepted(await desk.core.commit({ domains, force: true }, "tester", null));
    const before = head ?? { ...EMPTY, spelling: full.case };
    const after = publishedAs({ ...before, spelling: full.case }, source, isSame ? kept : new Map());
    await this.took(after);
    return true;
  }

  async change(states: List, atOnce = false): Promise<boolean> {
    const { desk, domain, head } = this;
    if (head === null || head.isDeleted || states.size === 0) return false;
    const changes = await desk.changes(Object.fromEntries(states), { domain, atOnce, force: true });
    accepted(await desk.world.clock.run(desk.core.patch(changes, "tester", null)));
    await this.took(changed(head, states, atOnce, await this.number()));
    return true;
  }

  async rollback(drops: boolean): Promise<boolean> {
    const { desk, domain, head, random, history } = this;
    const lists = [...history].filter(([, it]) => !it.isDeleted);
    if (head === null || lists.length === 0) return false;
    const [to, then] = random.pick(lists);
    const request = { to, expect: await this.number(), ...(drops ? { patched: "drop" as const } : {}) };
    const made = await desk.core.rollback(domain, request, "tester", null);
    const strange = strangeTo(head, to, then);
    if (!made.ok) {
      if (made.error.code !== "patched_names" || drops || strange.length === 0)
        this.fail(`a rollback to ${to} was refused: ${made.error.message}`);
      return false;
    }
    if (strange.length > 0 && !drops) this.fail(`a rollback to ${to} forgets names`);
    this.steps.push(`to ${to} as ${await this.number()}`);
    await this.took(restored(head, to, then, drops, await this.number()));
    return true;
  }

  async delete(): Promise<boolean> {
    const { desk, domain, head } = this;
    if (head === null || head.isDeleted) return false;
    accepted(await desk.core.remove(domain, await this.number(), "tester"));
    await this.took(deleted(head));
    return true;
  }

  /** What the Registry says is open, and how its list has each name. */
  async look(): Promise<void> {
    const { desk, domain, head } = this;
    if (head === null) return;
    const manifest = await desk.head(domain);
    const { names, atOnce } = accepted(await desk.core.patched(domain)) as PatchedNames;
    const key = desk.world.keyFor(domain, manifest?.epoch ?? 1);
    const nameOf = new Map(NAMES.map((name) => [toHex(fingerprintIn(fingerprint(key.names, name))), name]));
    const rows = decodePatched(names, atOnce).map(
      (it) => [nameOf.get(toHex(it.fingerprint)), it.state, it.atOnce === true] as const,
    );
    const expected = [...openIn(head)].map(
      ([name, state]) => [name, state, refusalOf(head, name)?.isOpen === true] as const,
    );
    const shown = (all: readonly (readonly unknown[])[]): string =>
      all
        .map((it) => it.join(" "))
        .sort()
        .join("; ");
    if (shown(rows) !== shown(expected))
      this.fail(`open are ${shown(rows)}, and should be ${shown(expected)}`);
    const { active = 0, full = 0 } = manifest?.counts ?? {};
    const accepting = [...head.list.values()].filter(isAccepted).length;
    if (active + full !== accepting)
      this.fail(`${active + full} names are accepted, and should be ${accepting}`);
  }

  some = (state: number): List =>
    new Map(NAMES.filter(() => this.random.chance(0.25)).map((name) => [name, state]));
}

const NOTHING = { names: new Uint8Array(0), atOnce: new Uint8Array(0) };
const EMPTY: Generation = {
  list: new Map(),
  published: new Map(),
  refused: new Map(),
  spelling: "insensitive",
  isDeleted: false,
};
const idsOf = (
  shards: { readonly ids?: readonly string[] } | { readonly inline: string },
): readonly string[] => ("ids" in shards ? (shards.ids ?? []) : []);

const STEP = {
  "publish, keep": (story: Story) => story.publish("keep"),
  "publish, drop": (story: Story) => story.publish("drop"),
  "publish, drop by rollcall.toml": (story: Story) => story.publish("standing drop"),
  "publish, unset": (story: Story) => story.publish("unset"),
  add: (story: Story) => story.change(story.some(0)),
  remove: (story: Story) => story.change(story.some(GONE)),
  "remove --now": (story: Story) => story.change(story.some(GONE), true),
  "remove --now, again": (story: Story) => story.change(story.some(GONE), true),
  "disable --now": (story: Story) => story.change(story.some(1), true),
  disable: (story: Story) => story.change(story.some(1)),
  rollback: (story: Story) => story.rollback(false),
  "rollback, far": (story: Story) => story.rollback(false),
  "rollback, drop": (story: Story) => story.rollback(true),
  delete: (story: Story) => story.delete(),
  case: (story: Story) =>
    story.publish("drop", story.policyOf(story.head?.spelling === "sensitive" ? "insensitive" : "sensitive")),
} as const;

it("which single changes are open, and who stays refused, is as the law says after every step", async () => {
  let desk = await new Desk().open();
  for (let number = 0; number < SEQUENCES; number++) {
    if (number % TOGETHER === 0) desk = await new Desk().open();
    await new Story(desk, number).run();
  }
  expect([...did.keys()].sort()).toEqual(Object.keys(STEP).sort());
  console.info(`${SEQUENCES} sequences`, Object.fromEntries(did));
});
