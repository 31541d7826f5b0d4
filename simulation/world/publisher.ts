/** One change of a domain by a publisher: reads the head, plans, uploads, commits; may crash anywhere and resume. */
import { ClientError, type RollcallClient } from "../../src/client/index.ts";
import { DEFAULT_POLICY, type DomainKey, type EntryState } from "../../src/directory/index.ts";
import type { Random } from "../../testing/random.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import type { ModelDirectory } from "../model/directory.ts";
import type { Content } from "../model/generation.ts";
import type { Publication } from "../plan/plan.ts";
import { commitOf, type Packed, pack } from "./pack.ts";

export interface PublisherParts {
  readonly client: RollcallClient;
  readonly model: ModelDirectory;
  readonly time: VirtualTime;
  readonly random: Random;
  /** Whether it crashes at this step. */
  crashes(): boolean;
  keyFor(domain: string, epoch: number): DomainKey;
  partitionOf(domain: string): number;
  readonly domains: readonly string[];
  readonly grace: number;
  shapeOf(domain: string): { readonly bits: number; readonly names: number };
  /** A change was acknowledged. */
  acknowledged(domain: string, number: number): void;
  event(name: string): void;
  trace(words: () => string): void;
}

/** Times that a publisher goes at one change before it gives it up. */
const TRIES = 3;
const STATES: readonly EntryState[] = ["active", "disabled", "full", "moved"];

class Crash extends Error {}

export async function publish(parts: PublisherParts, publication: Publication): Promise<void> {
  const { domain } = publication;
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      await attempt(parts, publication);
      return;
    } catch (error) {
      if (error instanceof Crash) {
        parts.event("publisher crashed");
        parts.trace(() => `the publisher of ${domain} crashes`);
      } else if (error instanceof ClientError) {
        parts.event(`publisher met ${error.code ?? error.kind}`);
        if (error.code !== null && error.code !== "conflict" && error.status !== 503) return;
      } else throw error;
      await parts.time.sleep(parts.random.between(500, 20_000));
    }
  }
}

async function attempt(parts: PublisherParts, publication: Publication): Promise<void> {
  const { domain, change, forces } = publication;
  const { client, model, random } = parts;
  const description = await step(parts, () => client.domain(domain));
  const number = description?.generation ?? null;
  const before = number === null ? undefined : model.history(domain).at(number);
  const isLive = before !== undefined && before.deletedUntil === null;
  if (change === "rollback" && number !== null) {
    const older = model
      .history(domain)
      .current.filter((it) => it.number < number && it.deletedUntil === null);
    if (older.length === 0) return;
    const to = random.pick(older);
    const { generation } = await step(parts, () =>
      client.rollback(domain, { to: to.number, expect: number }),
    );
    model.acknowledged(domain, generation, to);
    parts.acknowledged(domain, generation);
    return;
  }
  if (change === "delete") {
    if (isLive) await remove(parts, domain, number);
    return;
  }
  if (change === "orphan") {
    const target = before?.policy.alias ?? null;
    const isTarget = model.all.some(({ head }) => head?.policy.alias === domain);
    if (target !== null)
      await remove(parts, target, (await step(parts, () => client.domain(target)))?.generation ?? null);
    else if (isTarget && isLive) await remove(parts, domain, number);
    return;
  }
  const content = changed(parts, publication, isLive ? before : undefined, before?.epoch ?? 1);
  if (content === null) return;
  const contents = new Map([[domain, content]]);
  const heads = new Map([[domain, number]]);
  if (change === "with alias") {
    // Two domains in one commit: one state of both.
    const other = parts.domains.find(
      (it) => it !== domain && parts.partitionOf(it) === parts.partitionOf(domain),
    );
    if (other === undefined || content.policy.alias !== null) return;
    const described = await step(parts, () => client.domain(other));
    heads.set(other, described?.generation ?? null);
    const was = described === null ? undefined : model.history(other).at(described.generation);
    contents.set(other, aliasOf(content, domain, was?.epoch ?? 1));
  }
  await commit(parts, contents, heads, forces);
}

async function remove(parts: PublisherParts, domain: string, number: number | null): Promise<void> {
  if (number === null) return;
  const { generation } = await step(parts, () => parts.client.deleteDomain(domain, number));
  parts.model.acknowledged(domain, generation, null);
  parts.acknowledged(domain, generation);
}

async function commit(
  parts: PublisherParts,
  contents: ReadonlyMap<string, Content>,
  heads: ReadonlyMap<string, number | null>,
  forces: boolean,
): Promise<void> {
  const { client, model, random, time } = parts;
  const note = model.intend(contents);
  const packed = new Map<string, Packed>();
  for (const [domain, content] of contents) {
    const it = pack(content, parts.keyFor(domain, content.epoch), bitsOf(parts, domain, content));
    packed.set(domain, it);
  }
  const upload = async (): Promise<void> => {
    for (const [domain, { shards }] of packed) {
      for (const { id, bytes } of shards) await step(parts, () => client.putShard(domain, id, bytes));
    }
  };
  if (random.chance(0.5)) await upload();
  const domains = [...contents].map(([domain, content]) =>
    commitOf(
      parts.keyFor(domain, content.epoch),
      content,
      packed.get(domain) as Packed,
      heads.get(domain) ?? null,
    ),
  );
  let isForced = false;
  for (let tries = 0; tries < 5; tries++) {
    try {
      const request = { domains, note, ...(isForced ? { force: true } : {}) };
      const { generations } = await step(parts, () => client.commit(request));
      for (const [domain, content] of contents) {
        const number = generations[domain] as number;
        model.acknowledged(domain, number, content);
        parts.acknowledged(domain, number);
      }
      parts.event("commit acknowledged");
      return;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.code === "missing_shards") await upload();
      else if (error.code === "guard" && forces && !isForced) isForced = true;
      else if (error.transient || error.status === 503) await time.sleep(random.between(200, 8_000));
      else throw error;
      parts.event(`commit met ${error.code ?? error.kind}`);
    }
  }
}

/** One step of a publisher, before or after which it may crash. */
async function step<T>(parts: PublisherParts, work: () => Promise<T>): Promise<T> {
  if (parts.crashes()) throw new Crash();
  const result = await work();
  if (parts.crashes()) throw new Crash();
  return result;
}

const bitsOf = (parts: PublisherParts, domain: string, content: Content): number =>
  content.policy.alias === null ? parts.shapeOf(domain).bits : 0;

const aliasOf = (like: Content, target: string, epoch: number): Content => ({
  list: new Map(),
  policy: { ...like.policy, alias: target, catchall: false },
  mode: like.mode,
  epoch,
});

/** The content after a change, null where there is nothing to do. */
function changed(
  parts: PublisherParts,
  { domain, change, list: names, target }: Publication,
  before: Content | undefined,
  epoch: number,
): Content | null {
  const { random, domains, partitionOf } = parts;
  const shape = parts.shapeOf(domain);
  const universe = Array.from({ length: shape.names }, (_, i) => `u${i}`);
  const policy = before?.policy ?? { ...DEFAULT_POLICY, grace: parts.grace };
  const list = new Map(
    before?.list ?? universe.filter(() => random.chance(0.7)).map((name) => [name, "active" as const]),
  );
  const it = { list, policy, mode: before?.mode ?? ("enforce" as const), epoch };
  const listed = [...list.keys()];
  const missing = universe.filter((name) => !list.has(name));
  const some = (names: readonly string[], share: number): string[] =>
    names.filter(() => random.chance(share));
  if (policy.alias !== null && !["unalias", "alias", "mode", "set"].includes(change)) return null;
  switch (change) {
    case "found":
      return before === undefined ? it : null;
    case "set":
      return {
        ...it,
        list: new Map((names ?? []).map((name) => [name, "active" as const])),
        policy: { ...policy, alias: null },
      };
    case "add":
      for (const name of some(missing, 0.3)) list.set(name, "active");
      if (random.chance(0.2)) list.set("postmaster", random.pick(STATES));
      return it;
    case "remove":
      for (const name of listed.slice(0, 1 + Math.floor(listed.length * 0.15))) list.delete(name);
      return it;
    case "remove many":
      for (const name of some(listed, 0.6)) list.delete(name);
      return it;
    case "replace":
      // As many come as go: totals alone tell nothing.
      for (const name of some(listed, 0.6)) list.delete(name);
      for (const name of missing.slice(0, listed.length - list.size)) list.set(name, "active");
      for (let i = 0; list.size < listed.length; i++) list.set(`v${i}`, "active");
      return it;
    case "swap":
    case "with alias": {
      const [out] = some(listed, 0.2);
      const [name] = some(missing, 0.3);
      if (out !== undefined) list.delete(out);
      if (name !== undefined) list.set(name, "active");
      return it;
    }
    case "states":
      for (const name of some(listed, 0.2)) list.set(name, random.pick(STATES));
      return it;
    case "policy":
      return { ...it, policy: { ...policy, ...anotherPolicy(random, policy.grace) } };
    case "mode":
      return { ...it, mode: it.mode === "observe" ? "enforce" : "observe" };
    case "rotate":
      return { ...it, epoch: epoch + (before === undefined ? 0 : 1) };
    case "alias": {
      if (target !== undefined) return aliasOf(it, target, epoch);
      const others = domains.filter(
        (other) => other !== domain && partitionOf(other) === partitionOf(domain),
      );
      if (others.length === 0) return null;
      return aliasOf(it, random.pick(others), epoch);
    }
    case "unalias":
      if (policy.alias === null) return null;
      for (const name of some(universe, 0.7)) list.set(name, "active");
      return { ...it, policy: { ...policy, alias: null } };
    default:
      return it;
  }
}

function anotherPolicy(random: Random, grace: number): Partial<Content["policy"]> {
  switch (random.between(0, 6)) {
    case 0:
      return { catchall: random.chance(0.5) };
    case 1:
      return { case: random.pick(["sensitive", "insensitive"] as const) };
    case 2:
      return { dots: random.pick(["ignored", "significant"] as const) };
    case 3:
      return { delimiters: random.pick(["", "+", "+-"]) };
    case 4:
      return { postmaster: random.chance(0.5) };
    case 5:
      return { grace: random.pick([0, 20, 120, grace]) };
    default:
      return { guard: random.pick([0.2, 0.5, 0.05]) };
  }
}
