import {
  atOnce,
  type BlobStore,
  type BlobTable,
  blobId,
  blobIds,
  blobKey,
  comparable,
  type DomainKey,
  departuresAfter,
  encodeManifest,
  encodeRoster,
  type Hashing,
  KV_ROSTER,
  listedPatterns,
  type Manifest,
  type ManifestContent,
  manifestKey,
  NO_DEPARTURES,
  openManifest,
  openRoster,
  patternsAfter,
  rosterKey,
  rosterMac,
  utf8,
} from "../directory/index.ts";
import { messageOf } from "../runtime/message-of.ts";
import type { Base } from "./base.ts";
import { type BulkFile, textOf } from "./bulk.ts";
import { PublishError } from "./errors.ts";
import type { DomainPlan } from "./plan.ts";

/** What an export needs. */
export interface ExportContext {
  readonly hashing: Hashing;
  readonly master: Uint8Array;
  readonly keyFor: (domain: string, epoch: number) => DomainKey;
  /** Unix milliseconds. */
  readonly now: number;
}

/**
 * The directory in the file that was written last, which KV is assumed to hold. The next export is compared with it,
 * since there is no Registry to do that.
 */
export class ExportedDirectory {
  readonly #context: ExportContext;
  readonly #file: BulkFile;
  readonly #heads: ReadonlyMap<string, Manifest>;

  /** @throws PublishError `input` if the file was made under another key or is damaged */
  constructor(file: BulkFile, shown: string, context: ExportContext) {
    this.#context = context;
    this.#file = file;
    try {
      this.#heads = new Map(servedIn(file, context).map((domain) => [domain, this.#open(domain)]));
    } catch (error) {
      throw new PublishError(
        "input",
        `${shown} cannot be continued: ${messageOf(error)}`,
        "use the ROLLCALL_MASTER_KEY that it was written with, or name a new file to start over",
      );
    }
  }

  /** The generation that a domain's plan starts from, or null if there is none. */
  baseOf(domain: string): Base | null {
    const head = this.#heads.get(domain);
    if (head === undefined) return null;
    return {
      generation: head.generation,
      deleted: false,
      keyId: head.key.id,
      policy: head.policy,
      mode: head.mode,
      counts: head.counts,
      list: { table: head.shards, read: async (id) => this.#blob(domain, id) },
      patterns: listedPatterns(head),
      isLeaving: head.departures.count > 0,
    };
  }

  keyOf(domain: string): DomainKey {
    return this.#heads.get(domain)?.key ?? this.#context.keyFor(domain, 1);
  }

  /**
   * The next file: the domains of `plans` in their next generation, all others unchanged.
   * @returns null if nothing changes
   */
  next(
    plans: readonly DomainPlan[],
  ): { readonly file: BulkFile; readonly generations: Record<string, number> } | null {
    const changed = new Map(plans.filter((plan) => !plan.unchanged).map((plan) => [plan.domain, plan]));
    if (changed.size === 0) return null;
    const file: BulkFile = new Map();
    const heads = new Map(this.#heads);
    for (const [domain, head] of this.#heads) {
      if (!changed.has(domain)) this.#copyBlobs(file, head);
    }
    for (const [domain, plan] of changed) heads.set(domain, this.#succeed(file, plan));
    requireTargets(heads);
    // Blobs come before the manifests that name them, and the roster comes last.
    for (const [domain, head] of heads) file.set(manifestKey(domain), head.bytes);
    file.set(rosterKey(KV_ROSTER), this.#roster(heads));
    const generations = [...changed.keys()].map((domain) => [
      domain,
      heads.get(domain)?.generation as number,
    ]);
    return { file, generations: Object.fromEntries(generations) };
  }

  #succeed(file: BulkFile, plan: DomainPlan): Manifest {
    const { domain, key, packed, resultingPolicy: policy, resultingMode: mode } = plan;
    const { hashing, now, keyFor } = this.#context;
    blobIds(packed.table).forEach((id, i) => {
      file.set(blobKey(domain, id), packed.shards[i] as Uint8Array);
    });
    const head = this.#heads.get(domain) ?? null;
    const before =
      head !== null && comparable({ policy: head.policy, keyId: head.key.id }, { policy, keyId: key.id })
        ? head
        : null;
    const store: BlobStore = {
      read: (id) => this.#blob(domain, id),
      keep: (id, bytes) => void file.set(blobKey(domain, id), bytes),
    };
    const { table, patterns } = packed;
    const after = { table, patterns, read: (index: number) => packed.shards[index] as Uint8Array };
    const coverage = { covered: plan.covered, catchall: head?.policy.catchall === true };
    const departures =
      before === null
        ? NO_DEPARTURES
        : atOnce(departuresAfter(store, hashing, before, after, now, policy.grace, {}, coverage));
    const content: ManifestContent = {
      domain,
      origin: "kv",
      incarnation: 0,
      // A new file must not restart its numbers: readers may have seen higher ones.
      generation: head === null ? Math.floor(now / 1000) : head.generation + 1,
      time: now,
      mode,
      policy,
      counts: packed.counts,
      deletedUntil: null,
      refusesFrom: 0,
      shards: packed.table,
      departures,
      patterns: patternsAfter(before?.patterns ?? null, patterns, now, before === null ? 0 : policy.grace, {
        last: departures.last,
      }),
    };
    return openManifest(encodeManifest(content, key), domain, keyFor);
  }

  #roster(heads: ReadonlyMap<string, Manifest>): Uint8Array {
    const { hashing, master, now } = this.#context;
    const numbers = [...heads].map(([domain, head]) => [domain, head.generation] as const);
    const roster = {
      partition: KV_ROSTER,
      partitions: 1,
      incarnation: 0,
      asOf: Math.max(...numbers.map(([, number]) => number)),
      heartbeat: now,
      heads: Object.fromEntries(numbers),
      revoked: [],
    };
    return utf8(encodeRoster(roster, rosterMac(hashing, master)));
  }

  #open(domain: string): Manifest {
    const bytes = this.#file.get(manifestKey(domain));
    if (bytes === undefined) throw new Error(`the manifest of ${domain} is missing`);
    const manifest = openManifest(bytes, domain, this.#context.keyFor);
    for (const table of [manifest.shards, manifest.departures]) {
      for (const id of blobIds(table)) this.#blob(domain, id);
    }
    return manifest;
  }

  #copyBlobs(file: BulkFile, { domain, shards, departures }: Manifest): void {
    const copy = (table: BlobTable): void => {
      for (const id of blobIds(table)) file.set(blobKey(domain, id), this.#blob(domain, id));
    };
    copy(shards);
    copy(departures);
  }

  #blob(domain: string, id: string): Uint8Array {
    const bytes = this.#file.get(blobKey(domain, id));
    if (bytes === undefined) throw new Error(`shard ${id} of ${domain} is missing`);
    const only: BlobTable = { bits: 0, inline: null, ids: this.#context.hashing.sha256(bytes) };
    if (blobId(only, 0) !== id) throw new Error(`shard ${id} of ${domain} is damaged`);
    return bytes;
  }
}

function servedIn(file: BulkFile, { hashing, master }: ExportContext): string[] {
  const text = textOf(file, rosterKey(KV_ROSTER));
  if (text !== null) return Object.keys(openRoster(text, KV_ROSTER, rosterMac(hashing, master)).heads);
  if (file.size === 0) return [];
  throw new Error("its roster is missing");
}

/** An alias without its target could not be answered. */
function requireTargets(heads: ReadonlyMap<string, Manifest>): void {
  for (const [domain, { policy }] of heads) {
    if (policy.alias === null) continue;
    const target = heads.get(policy.alias);
    if (target !== undefined && target.policy.alias === null) continue;
    throw new PublishError(
      "input",
      `${domain} is an alias of ${policy.alias}, which ${target === undefined ? "is not exported" : "is an alias itself"}`,
      "export the target too, or make it the alias of a domain with a list",
    );
  }
}
