/** One change of a domain by a publisher: reads the head, plans, uploads, commits; may crash anywhere and resume. */
import { ClientError, type RollcallClient } from "../../src/client/index.ts";
import { DEFAULT_POLICY, type DomainKey, type EntryState, MODES } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { judgePlan } from "../../src/publish/judge.ts";
import type { PublishTarget, Start } from "../../src/publish/plan-list.ts";
import { planLists } from "../../src/publish/plan-list.ts";
import { memorySource } from "../../src/publish/sources/index.ts";
import { commitPlans, startOf } from "../../src/publish/workflow.ts";
import type { Random } from "../../testing/random.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import { isHeld, type ModelDirectory } from "../model/directory.ts";
import type { Content } from "../model/generation.ts";
import type { Publication } from "../plan/plan.ts";

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
  /** The isolate that was asked last took a change. */
  changed(): void;
  /** A change was acknowledged, by that isolate or, if its answer was lost, by a head that has it. */
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
      await attempt({ ...parts, client: crashing(parts) }, publication);
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
  const description = await client.domain(domain);
  const number = description?.generation ?? null;
  const before = number === null ? undefined : model.history(domain).at(number);
  const isLive = before !== undefined && before.deletedUntil === null;
  if (change === "rollback" && number !== null) {
    const older = model
      .history(domain)
      .current.filter((it) => it.number < number && it.deletedUntil === null);
    if (older.length === 0) return;
    const to = random.pick(older);
    const { generation } = await client.rollback(domain, { to: to.number, expect: number });
    acknowledge(parts, domain, generation, to);
    return;
  }
  if (change === "release") {
    if (isLive && number !== null && isHeld(before)) await client.releaseBrake(domain, number);
    return;
  }
  if (change === "delete") {
    if (isLive) await remove(parts, domain, number);
    return;
  }
  if (change === "orphan") {
    const target = before?.policy.alias ?? null;
    const isTarget = model.all.some(({ head }) => head?.policy.alias === domain);
    if (target !== null) await remove(parts, target, (await client.domain(target))?.generation ?? null);
    else if (isTarget && isLive) await remove(parts, domain, number);
    return;
  }
  const content = changed(parts, publication, isLive ? before : undefined, before?.epoch ?? 1);
  if (content === null) return;
  const contents = new Map([[domain, content]]);
  if (change === "with alias") {
    // Two domains in one commit: one state of both.
    const other = parts.domains.find(
      (it) => it !== domain && parts.partitionOf(it) === parts.partitionOf(domain),
    );
    if (other === undefined || content.policy.alias !== null) return;
    const described = await client.domain(other);
    const was = described === null ? undefined : model.history(other).at(described.generation);
    contents.set(other, aliasOf(content, domain, was?.epoch ?? 1));
  }
  await publishContents(parts, contents, forces);
}

async function remove(parts: PublisherParts, domain: string, number: number | null): Promise<void> {
  if (number === null) return;
  const { generation } = await parts.client.deleteDomain(domain, number);
  acknowledge(parts, domain, generation, null);
}

function acknowledge(parts: PublisherParts, domain: string, number: number, content: Content | null): void {
  parts.model.acknowledged(domain, number, content);
  parts.acknowledged(domain, number);
}

/** Publishes by the workflow of the product. The guard is asked beforehand, or meets the commit. */
async function publishContents(
  parts: PublisherParts,
  contents: ReadonlyMap<string, Content>,
  forces: boolean,
): Promise<void> {
  const { client, model, random, time: timers } = parts;
  const note = model.intend(contents);
  const targets = [...contents].map(([domain, content]) => targetOf(parts, domain, content));
  const start = async (domain: string): Promise<Start> => ({
    ...(await startOf(client, stablelibHashing, domain)),
    key: parts.keyFor(domain, (contents.get(domain) as Content).epoch),
  });
  const asks = random.chance(0.3);
  const planned = await planLists(
    {
      hashing: stablelibHashing,
      recorder: null,
      progress: {},
      judge: async (plan) => (asks ? judgePlan(client, plan) : plan),
    },
    targets,
    start,
  );
  const plans = planned.map(({ plan }) => plan).filter(({ unchanged }) => !unchanged);
  const isRefused = asks && plans.some(({ refusal }) => refusal !== null);
  if (isRefused) parts.event("plan met guard");
  if (isRefused && !forces) return;
  const committed = (generations: Readonly<Record<string, number>>): void => {
    for (const [domain, number] of Object.entries(generations))
      acknowledge(parts, domain, number, contents.get(domain) as Content);
    parts.event("commit acknowledged");
  };
  const commit = (force: boolean): Promise<unknown> =>
    commitPlans({ client, timers, recorder: null, progress: { committed } }, plans, { force, note });
  try {
    await commit(isRefused);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    parts.event(`commit met ${error.code ?? error.kind}`);
    if (error.code !== "guard" || !forces) throw error;
    await commit(true);
  }
}

const targetOf = (parts: PublisherParts, domain: string, { list, policy, mode }: Content): PublishTarget => ({
  domain,
  source:
    policy.alias === null
      ? memorySource(
          domain,
          [...list].map(([name, state]) => [`${name}@${domain}`, state] as const),
        )
      : null,
  policy,
  mode,
  canaries: [],
  bits: policy.alias === null ? parts.shapeOf(domain).bits : 0,
});

const CHANGING: ReadonlySet<unknown> = new Set(["commit", "rollback", "releaseBrake", "deleteDomain"]);

/** The client of a publisher that may crash before and after each call. */
const crashing = ({ client, crashes, changed }: PublisherParts): RollcallClient =>
  new Proxy(client, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        if (crashes()) throw new Crash();
        const result = await Reflect.apply(method, target, args);
        if (CHANGING.has(name)) changed();
        if (crashes()) throw new Crash();
        return result;
      };
    },
  });

const aliasOf = (like: Content, target: string, epoch: number): Content => ({
  list: new Map(),
  policy: { ...like.policy, alias: target, catchall: false },
  mode: like.mode,
  epoch,
});

/** The content after a change, null if there is nothing to do. */
function changed(
  parts: PublisherParts,
  { domain, change, list: names, target, grace }: Publication,
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
        policy: { ...policy, alias: null, grace: grace ?? policy.grace },
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
      return { ...it, policy: { ...policy, ...random.pick(POLICIES)(random, policy.grace) } };
    case "mode":
      return { ...it, mode: random.pick(MODES.filter((mode) => mode !== it.mode)) };
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

/** Ways in which a policy changes; `grace` is what it was. */
const POLICIES: readonly ((random: Random, grace: number) => Partial<Content["policy"]>)[] = [
  (random) => ({ catchall: random.chance(0.5) }),
  (random) => ({ case: random.pick(["sensitive", "insensitive"] as const) }),
  (random) => ({ dots: random.pick(["ignored", "significant"] as const) }),
  (random) => ({ delimiters: random.pick(["", "+", "+-"]) }),
  (random) => ({ postmaster: random.chance(0.5) }),
  (random, grace) => ({ grace: random.pick([0, 20, 120, grace]) }),
  (random) => ({ guard: random.pick([0.2, 0.5, 0.05]) }),
];
