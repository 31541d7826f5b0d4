/** One change of a domain by a publisher: reads the head, plans, uploads, commits; may crash anywhere and resume. */
import type { HeadResult, RollbackRequest } from "../../src/api/index.ts";
import { ClientError, type RollcallClient } from "../../src/client/index.ts";
import { type DomainKey, MODES } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { PublishError } from "../../src/publish/errors.ts";
import { judgePlan } from "../../src/publish/judge.ts";
import { openChanges } from "../../src/publish/patched.ts";
import type { PublishTarget, Start } from "../../src/publish/plan-list.ts";
import { planLists } from "../../src/publish/plan-list.ts";
import { memorySource } from "../../src/publish/sources/index.ts";
import { commitPlans, startOf } from "../../src/publish/workflow.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import type { ModelDirectory } from "../model/directory.ts";
import { type Content, isHeld, milderOf } from "../model/generation.ts";
import type { Meant } from "../model/published.ts";
import type { Publication } from "../plan/plan.ts";
import { aliasOf, type ContentParts, changed } from "./contents.ts";

export interface PublisherParts extends ContentParts {
  readonly client: RollcallClient;
  readonly model: ModelDirectory;
  readonly time: VirtualTime;
  /** Whether it crashes at this step. */
  crashes(): boolean;
  keyFor(domain: string, epoch: number): DomainKey;
  /** The isolate that was asked last took a change. */
  changed(): void;
  /** A change was acknowledged, by that isolate or, if its answer was lost, by a head that has it. */
  acknowledged(domain: string, number: number): void;
  event(name: string): void;
  trace(words: () => string): void;
}

/** Times that a publisher goes at one change before it gives it up. */
const TRIES = 3;

export class Crash extends Error {}

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
      } else if (error instanceof PublishError) {
        // Single changes were made meanwhile, and the list is another one with them.
        parts.event(`publisher met ${error.fault} of single changes`);
        return;
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
    const { generation } = await rolledBack(parts, domain, { to: to.number, expect: number });
    const mode = milderOf(to.mode, before?.mode ?? to.mode);
    // Names that were removed since are removed again.
    acknowledge(parts, domain, generation, { ...to, mode, keeps: true });
    return;
  }
  if (change === "mode" && isLive && random.chance(0.5)) {
    // Without the list: whatever it is meanwhile.
    const { generation } = await client.changeMode(domain, { mode: random.pick(MODES) });
    acknowledge(parts, domain, generation, null);
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
  // Who makes the list knows of single changes, or does not.
  const known =
    isLive && random.chance(0.5) ? { ...before, list: before.published.at(-1)?.list ?? before.list } : before;
  const content = changed(parts, publication, isLive ? known : undefined, before?.epoch ?? 1);
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
  await publishContents(parts, contents, { forces, keeps: publication.keeps ?? random.chance(0.5) });
}

/** Rolls back. If names were removed at once that cannot be removed again, a person decides. */
async function rolledBack(
  { client, event, random }: PublisherParts,
  domain: string,
  request: RollbackRequest,
): Promise<HeadResult> {
  const drops = random.chance(0.1);
  try {
    return await client.rollback(domain, { ...request, ...(drops ? { patched: "drop" } : {}) });
  } catch (error) {
    if (!(error instanceof ClientError && error.code === "patched_names")) throw error;
    event("rollback met patched_names");
    return client.rollback(domain, { ...request, patched: "drop" });
  }
}

async function remove(parts: PublisherParts, domain: string, number: number | null): Promise<void> {
  if (number === null) return;
  const { generation } = await parts.client.deleteDomain(domain, number);
  acknowledge(parts, domain, generation, null);
}

function acknowledge(parts: PublisherParts, domain: string, number: number, content: Meant | null): void {
  parts.model.acknowledged(domain, number, content);
  parts.acknowledged(domain, number);
}

/** Publishes by the workflow of the product. The guard is asked beforehand, or meets the commit. */
async function publishContents(
  parts: PublisherParts,
  lists: ReadonlyMap<string, Content>,
  { forces, keeps }: { readonly forces: boolean; readonly keeps: boolean },
): Promise<void> {
  const { client, model, random, time: timers } = parts;
  // Without a word for this publish, rollcall.toml decides.
  const isStanding = random.chance(0.3);
  const contents = new Map(
    [...lists].map(([domain, content]) => [domain, { ...content, keeps, isStanding }]),
  );
  const note = model.intend(contents);
  const targets = [...contents].map(([domain, content]) => targetOf(parts, domain, content));
  const start = async (domain: string): Promise<Start> => {
    const { epoch } = contents.get(domain) as Meant;
    const present = await startOf(client, stablelibHashing, domain);
    // The Registry takes another key only from a token that was given it.
    if (epoch > present.key.epoch) await client.nextKey(domain);
    return { ...present, key: parts.keyFor(domain, epoch) };
  };
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
  if (plans.some(({ patched }) => openChanges(patched) !== null)) {
    parts.event("plan met single changes that cannot be kept");
    return;
  }
  const isRefused = asks && plans.some(({ refusal }) => refusal !== null);
  if (isRefused) parts.event("plan met guard");
  if (isRefused && !forces) return;
  const committed = (generations: Readonly<Record<string, number>>): void => {
    for (const [domain, number] of Object.entries(generations))
      acknowledge(parts, domain, number, contents.get(domain) as Meant);
    parts.event("commit acknowledged");
  };
  const commit = (force: boolean): Promise<unknown> =>
    commitPlans({ client, timers, recorder: null, progress: { committed } }, plans, { force, note });
  try {
    await commit(isRefused);
  } catch (error) {
    if (!(error instanceof ClientError || error instanceof PublishError)) throw error;
    const what = error instanceof ClientError ? (error.code ?? error.kind) : error.fault;
    parts.event(`commit met ${what}`);
    if (what !== "guard" || !forces) throw error;
    await commit(true);
  }
}

const targetOf = (
  parts: PublisherParts,
  domain: string,
  { list, patterns, policy, mode, keeps, isStanding }: Meant,
): PublishTarget => ({
  domain,
  [isStanding ? "settingsPatched" : "patched"]: keeps ? "keep" : "drop",
  source:
    policy.alias === null
      ? memorySource(
          domain,
          [...list, ...patterns].map(([entry, state]) => [`${entry}@${domain}`, state] as const),
        )
      : null,
  policy,
  mode,
  canaries: [],
  bits: policy.alias === null ? parts.shapeOf(domain).bits : 0,
});

const CHANGING: ReadonlySet<unknown> = new Set([
  "commit",
  "rollback",
  "releaseBrake",
  "changeMode",
  "deleteDomain",
  "patchMailboxes",
]);

/** The client of a publisher that may crash before and after each call. */
export const crashing = ({ client, crashes, changed }: PublisherParts): RollcallClient =>
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
