/** One domain of a real Registry, what its publisher has in mind, and what its list says of a pool of recipients. */
import {
  blobIds,
  DEFAULT_POLICY,
  decodeDepartures,
  decodePatched,
  decodeShard,
  type EntryState,
  lookup,
  type MailboxRecipient,
  type Manifest,
  openManifest,
  parseRecipient,
  type Verdict,
} from "../../../src/directory/index.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import { commitOf } from "../../../src/publish/commit-body.ts";
import { decidePatched } from "../../../src/publish/patched.ts";
import type { MailboxChanges } from "../../../src/registry/protocol.ts";
import { type List, pack } from "../../../testing/lists.ts";
import type { Random } from "../../../testing/random.ts";
import type { PublishOptions } from "../../../testing/world.ts";
import { accepted, type Desk } from "../support.ts";

/** Local parts whose fate is watched. */
export const NAMES = Array.from({ length: 14 }, (_, i) => `u${i}`);
export const POOL: readonly string[] = [
  ...NAMES,
  "u0+tag",
  "u1+x",
  "U1",
  "u.2",
  "ticket-7",
  "ticket-8+tag",
  "stray",
  "postmaster",
];

export class Scene {
  readonly desk: Desk;
  readonly domain: string;
  /** Another domain with a list of its own, for which this one may be an alias. */
  readonly target: string;
  readonly random: Random;
  /** The list in the publisher's source. */
  source = new Map<string, EntryState>();

  constructor(desk: Desk, number: number, random: Random) {
    this.desk = desk;
    this.domain = `d${number}.example`;
    this.target = `t${number}.example`;
    this.random = random;
  }

  get now(): number {
    return this.desk.world.clock.now();
  }

  /** The head, null if there is none. A tombstone is a head. */
  async head(domain = this.domain): Promise<Manifest | null> {
    const bytes = accepted(await this.desk.core.head(domain));
    return bytes === null ? null : openManifest(bytes, domain, this.desk.world.keyFor);
  }

  /** Commits the source, or another list. @returns whether the Registry took it */
  async publish(options: PublishOptions = {}, list: List = [...this.source]): Promise<boolean> {
    const { desk, domain, random } = this;
    const head = await this.head();
    const isLive = head !== null && head.deletedUntil === null;
    const commit = await desk.prepare(list, { ...options, domain });
    const names = accepted(await desk.core.patched(domain))?.names;
    const patched = names === undefined ? [] : decodePatched(names);
    if (patched.length > 0) {
      const policy = { ...(head?.policy ?? DEFAULT_POLICY), ...options.policy };
      const key = desk.world.keyFor(domain, commit.epoch);
      const isSame =
        isLive &&
        key.id === head.key.id &&
        policy.case === head.policy.case &&
        policy.dots === head.policy.dots;
      const keeps = isSame && policy.alias === null && random.chance(0.5);
      const decided = { decision: keeps ? "keep" : "drop", hashing: stablelibHashing } as const;
      const parts = decidePatched(pack(list, key, policy), { names: patched, comparable: isSame, decided });
      const body = commitOf({ policy: {}, key, expect: commit.expect, resultingPolicy: policy, ...parts });
      // Of names that are kept nobody has the text, so that nothing is said of any.
      const covered = keeps ? { covered: undefined } : {};
      Object.assign(commit, { shards: body.shards, patched_kept: body.patched_kept, ...covered });
    }
    const made = await desk.core.commit({ domains: [commit], force: options.force === true }, "tester", null);
    return made.ok;
  }

  /** Changes single mailboxes. @returns whether the Registry took it */
  async patch(states: ReadonlyMap<string, number>, more: Partial<MailboxChanges> = {}): Promise<boolean> {
    const head = await this.head();
    if (head === null || head.deletedUntil !== null || head.policy.alias !== null) return false;
    const changes = await this.desk.changes(Object.fromEntries(states), { ...more, domain: this.domain });
    const made = this.desk.core.patch(changes, "tester", null);
    return (await this.desk.world.clock.run(made)).ok;
  }

  /** What the head says of every recipient of the pool, as a reader that knows it would. */
  async said(): Promise<ReadonlyMap<string, Verdict>> {
    const head = await this.head();
    const alias = head?.deletedUntil === null ? head.policy.alias : null;
    const list = alias === null ? head : await this.head(alias);
    const refusesFrom = Math.max(head?.refusesFrom ?? 0, list?.refusesFrom ?? 0);
    const said = new Map<string, Verdict>();
    for (const local of POOL)
      said.set(local, list === null ? "not-served" : (await this.find(list, local, refusesFrom)).verdict);
    return said;
  }

  /** What a generation says of a local part. */
  async find(
    list: Manifest,
    local: string,
    refusesFrom = list.refusesFrom,
  ): Promise<Extract<ReturnType<typeof lookup>, { kind: "found" }>> {
    const recipient = parseRecipient(`${local}@${list.domain}`) as MailboxRecipient;
    const shards = new Map<number, ReturnType<typeof decodeShard>>();
    const departures = new Map<number, ReturnType<typeof decodeDepartures>>();
    const holdings = { shard: (i: number) => shards.get(i), departures: (i: number) => departures.get(i) };
    for (;;) {
      const finding = lookup(list, holdings, recipient, this.now, refusesFrom);
      if (finding.kind === "found") return finding;
      const { table, index } = finding;
      const id = blobIds(list[table])[index] as string;
      const bytes = accepted(await this.desk.core.blob(list.domain, id, false)) as Uint8Array;
      if (table === "shards") shards.set(index, decodeShard(bytes));
      else departures.set(index, decodeDepartures(bytes));
    }
  }
}
