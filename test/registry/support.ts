import { expect } from "vitest";
import type {
  AuditRecord,
  CommitResult,
  DomainCommit,
  HeadResult,
  PlannedDomain,
  PlanResult,
  RollbackRequest,
} from "../../src/api/index.ts";
import type { RegistryError, Result } from "../../src/api/log.ts";
import {
  blobIds,
  canonicalLocalPart,
  DEFAULT_POLICY,
  type DomainKey,
  type DomainPolicy,
  fingerprint,
  fingerprintIn,
  isAcceptedState,
  listedPatterns,
  type ManifestRecord,
  otherWays,
  readManifest,
  type SingleChange,
  sentinels,
  tailOf,
} from "../../src/directory/index.ts";
import { RefusedNames } from "../../src/publish/covered.ts";
import type { PackedList } from "../../src/publish/pack.ts";
import type { RegistryCore } from "../../src/registry/object/registry.ts";
import type { Changed, MailboxChanges } from "../../src/registry/protocol.ts";
import { commitOf, type List, pack } from "../../testing/lists.ts";
import { type PublishOptions, World } from "../../testing/world.ts";

export const D = "example.com";

/** A Registry that is called directly, without an edge or a network. */
export class Desk {
  readonly world: World;
  readonly core: RegistryCore;

  constructor(settings: ConstructorParameters<typeof World>[0] = {}) {
    this.world = new World(settings);
    const { partitions = 1 } = settings;
    this.core = this.world.registry().core({ partition: 0, partitions });
  }

  async open(): Promise<this> {
    accepted(await this.world.clock.run(this.core.initialise("tester")));
    return this;
  }

  /** The newest lines of the audit trail, newest first. */
  async trail(): Promise<readonly AuditRecord[]> {
    return accepted(await this.core.auditPage({ before: null, limit: 500, filter: {} })).lines;
  }

  /** A domain's part of a commit, planned against its present head, with its shards uploaded. */
  async prepare(list: List, options: PublishOptions & { domain?: string } = {}): Promise<DomainCommit> {
    const { domain = D } = options;
    const head = await this.head(domain);
    const before = head?.policy ?? DEFAULT_POLICY;
    const policy: DomainPolicy = { ...before, ...options.policy };
    if (head !== null && (options.epoch ?? 1) > head.epoch) await this.core.grantKey(domain, "tester");
    const key = this.world.keyFor(domain, options.epoch ?? head?.epoch ?? 1);
    const packed = pack(list, key, policy, { bits: options.bits });
    for (const [i, id] of blobIds(packed.table).entries()) {
      accepted(await this.core.putShard(domain, id, packed.shards[i] as Uint8Array));
    }
    const { mode, policy: settings, expect: planned = head?.generation ?? null } = options;
    const more = { ...(settings && { policy: settings }), ...(mode && { mode }) };
    const covered = head === null ? null : await this.#covered(head, key, list, packed);
    return commitOf(packed, key, policy, { expect: planned, ...more }, covered);
  }

  /** Names of a list that the head accepts without listing them, as a publisher says it. */
  #covered(
    head: ManifestRecord,
    key: DomainKey,
    list: List,
    packed: PackedList,
  ): Promise<Set<number> | null> {
    const { domain, policy, shards: table, departures } = head;
    const patterns = listedPatterns(head);
    const refused = new RefusedNames({ policy, hasPatterns: head.patterns !== null });
    const tails: number[] = [];
    for (const entry of list) {
      const [local, state] = typeof entry === "string" ? [entry, "active"] : entry;
      if (state !== "disabled" && state !== "moved") continue;
      const name = canonicalLocalPart(local, policy);
      tails.push(tailOf(fingerprint(key.names, name)));
      refused.add(key, name, tails.at(-1) as number);
    }
    const read = async (id: string): Promise<Uint8Array> =>
      accepted(await this.core.blob(domain, id, false)) ?? expect.fail("a shard is missing");
    return refused.coveredBy(
      { list: { table, read }, patterns, isLeaving: departures.count > 0 },
      packed,
      tails,
    );
  }

  async commit(
    domains: readonly DomainCommit[],
    options: { force?: boolean; note?: string } = {},
  ): Promise<CommitResult> {
    const committed = this.core.commit({ domains, ...options }, "tester", null);
    return accepted(await this.world.clock.run(committed)).result;
  }

  async refusal(domains: readonly DomainCommit[]): Promise<RegistryError> {
    return refused(await this.world.clock.run(this.core.commit({ domains }, "tester", null)));
  }

  /** Publishes a list. @returns its generation */
  async publish(list: List, options: PublishOptions & { domain?: string } = {}): Promise<number> {
    const commit = await this.prepare(list, options);
    const { generations } = await this.commit([commit], options.force ? { force: true } : {});
    return generations[commit.domain] as number;
  }

  rollback(request: RollbackRequest, domain = D): Promise<Result<Changed<HeadResult>>> {
    return this.core.rollback(domain, request, "tester", null);
  }

  async remove(domain = D): Promise<number> {
    const head = await this.head(domain);
    return accepted(await this.core.remove(domain, head?.generation ?? 0, "tester")).result.generation;
  }

  async head(domain = D): Promise<ManifestRecord | null> {
    const bytes = accepted(await this.core.head(domain));
    return bytes === null ? null : readManifest(bytes, domain);
  }

  /** Changes of names as the edge makes them, under the present head or another one. */
  async changes(
    names: Readonly<Record<string, number>>,
    more: Partial<MailboxChanges> = {},
    under?: ManifestRecord,
  ): Promise<MailboxChanges> {
    const { domain = D } = more;
    const { epoch, policy, keyId } = under ?? ((await this.head(domain)) as ManifestRecord);
    const key = this.world.keyFor(domain, epoch);
    const patterns = under?.patterns ?? (await this.head(domain))?.patterns ?? null;
    const otherwise = Object.entries(names).map(([name, state]) =>
      state < 0 || isAcceptedState(state)
        ? null
        : otherWays(key, canonicalLocalPart(name, policy), policy, patterns !== null),
    );
    const changes = Object.entries(names).map(
      ([name, state]): SingleChange => [
        fingerprintIn(fingerprint(key.names, canonicalLocalPart(name, policy))),
        state,
      ],
    );
    return {
      domain,
      keyId,
      canonicaliser: 1,
      sentinels: sentinels(key.names, policy),
      changes,
      otherwise,
      force: false,
      atOnce: false,
      idempotency: null,
      ...more,
    };
  }

  async plan(domains: readonly PlannedDomain[], by = "tester"): Promise<Result<PlanResult>> {
    return this.world.clock.run(this.core.plan({ domains }, null, by));
  }
}

export function accepted<T>(result: Result<T>): T {
  return result.ok ? result.value : expect.fail(result.error.message);
}

export function refused(result: Result<unknown>): RegistryError {
  return result.ok ? expect.fail("it was accepted") : result.error;
}
