import type {
  CommitResult,
  DomainCommit,
  ErrorBody,
  HeadResult,
  PatchResult,
  TokenCreated,
} from "../src/api/index.ts";
import {
  blobIds,
  DEFAULT_POLICY,
  type DomainKey,
  type DomainPolicy,
  deriveDomainKey,
  type Manifest,
  type Mode,
  openManifest,
  partitionOf,
  utf8,
} from "../src/directory/index.ts";
import { stablelibHashing } from "../src/directory/stablelib.ts";
import type { Settings } from "../src/edge/environment.ts";
import type { Ports } from "../src/edge/ports.ts";
import { differencesOf } from "./differences.ts";
import { IsolateHost, type Reply } from "./isolate-host.ts";
import { FakeKv } from "./kv.ts";
import { commitOf, type List, pack } from "./lists.ts";
import { Random } from "./random.ts";
import { RegistryHost } from "./registry-host.ts";
import { DAY, SECOND } from "./units.ts";
import { VirtualTime } from "./virtual-time.ts";

export * from "./units.ts";

/** The window of law 2 as it is by default. */
export const WINDOW = 30 * SECOND;

export interface PublishOptions {
  readonly policy?: Partial<DomainPolicy>;
  readonly mode?: Mode;
  readonly force?: boolean;
  readonly epoch?: number;
  /** The head that it is planned against, if that is not the newest. */
  readonly expect?: number | null;
  readonly bits?: number;
  /** Shard bits, however few names there are: a small list of several shards. */
  readonly exactBits?: number;
}

/** A deployment for tests: KV at many locations, Registries, isolates, and virtual time. */
export class World {
  readonly clock = new VirtualTime();
  readonly kv = new FakeKv(this.clock);
  readonly settings: Settings;
  readonly ports: Ports;
  readonly #registries: RegistryHost[];
  readonly isolates: IsolateHost[] = [];
  /** What each domain was last published as. */
  readonly #heads = new Map<string, { number: number | null; policy: DomainPolicy; epoch: number }>();

  constructor(settings: Partial<Settings> = {}) {
    this.settings = {
      masterKey: utf8("a master key of exactly 32 bytes"),
      adminToken: "an-admin-token-that-is-long-enough",
      window: WINDOW,
      acceptGrace: 7 * DAY,
      cacheBytes: 64 * 1024 * 1024,
      partitions: 1,
      history: 30 * DAY,
      kvWrites: 1_000,
      mostHeads: 500,
      paused: false,
      ...settings,
    };
    this.ports = {
      clock: this.clock,
      timers: this.clock,
      random: new Random(1),
      hashing: stablelibHashing,
    };
    this.#registries = Array.from({ length: this.settings.partitions }, (_, partition) =>
      this.#newRegistry(partition),
    );
  }

  registry(partition = 0): RegistryHost {
    return this.#registries[partition] as RegistryHost;
  }

  /** Another Registry takes the place of one, with nothing in its storage. */
  replaceRegistry(partition = 0): RegistryHost {
    const registry = this.#newRegistry(partition);
    this.#registries[partition] = registry;
    return registry;
  }

  #newRegistry(partition: number): RegistryHost {
    const { clock, ports, settings } = this;
    return new RegistryHost({
      clock,
      ports,
      settings,
      place: { partition, partitions: settings.partitions },
      kv: this.kv.at("registry"),
      revocations: (partitions) =>
        this.registry(0).link("registry", { partition: 0, partitions }).revocations(),
    });
  }

  /** A new isolate, cold. */
  isolate(location = "here", settings: Partial<Settings> = {}): IsolateHost {
    const own = { ...this.settings, ...settings };
    const { partitions } = own;
    const isolate = new IsolateHost({
      clock: this.clock,
      ports: this.ports,
      settings: own,
      kv: this.kv.at(location),
      registry: (partition) => this.registry(partition).link(location, { partition, partitions }),
    });
    this.isolates.push(isolate);
    return isolate;
  }

  keyFor = (domain: string, epoch = 1): DomainKey =>
    deriveDomainKey(stablelibHashing, this.settings.masterKey, domain, epoch);

  partitionOf = (domain: string): number => partitionOf(stablelibHashing, domain, this.settings.partitions);

  /** What a commit would say of a domain, with its shards put before. */
  async prepare(
    through: IsolateHost,
    domain: string,
    list: List,
    options: PublishOptions = {},
  ): Promise<{ commit: DomainCommit; policy: DomainPolicy }> {
    const head = this.#heads.get(domain);
    const policy = { ...(head?.policy ?? DEFAULT_POLICY), ...options.policy };
    if (head !== undefined && (options.epoch ?? 1) > head.epoch) {
      await through.call(`/v1/domains/${domain}/key`, { method: "POST" });
    }
    const key = this.keyFor(domain, options.epoch ?? head?.epoch ?? 1);
    const packed = pack(list, key, policy, { bitsInUse: options.bits, bits: options.exactBits });
    const expect = options.expect === undefined ? (head?.number ?? null) : options.expect;
    const commit = commitOf(packed, key, policy, {
      expect,
      ...(options.policy === undefined ? {} : { policy: options.policy }),
      ...(options.mode === undefined ? {} : { mode: options.mode }),
    });
    for (const [i, id] of blobIds(packed.table).entries()) {
      const body = packed.shards[i] as Uint8Array;
      await must(through.call(`/v1/domains/${domain}/shards/${id}`, { method: "PUT", body }));
    }
    return { commit, policy };
  }

  /** Publishes a list, or learns why not. */
  async tryPublish(
    through: IsolateHost,
    domain: string,
    list: List,
    options: PublishOptions = {},
  ): Promise<Reply> {
    const { commit, policy } = await this.prepare(through, domain, list, options);
    return this.send(through, [commit], [policy], options.force);
  }

  /** Sends a commit of one or many domains. */
  async send(
    through: IsolateHost,
    domains: readonly DomainCommit[],
    policies: readonly DomainPolicy[],
    force = false,
  ): Promise<Reply> {
    const reply = await through.call("/v1/commits", { json: { domains, ...(force ? { force } : {}) } });
    if (reply.status !== 200) return reply;
    const { generations } = reply.body as CommitResult;
    domains.forEach(({ domain, epoch }, i) => {
      const policy = policies[i] as DomainPolicy;
      this.#heads.set(domain, { number: generations[domain] as number, policy, epoch });
    });
    return reply;
  }

  /** Publishes a list. @returns the generation's number */
  async publish(
    through: IsolateHost,
    domain: string,
    list: List,
    options: PublishOptions = {},
  ): Promise<number> {
    const { body } = await must(this.tryPublish(through, domain, list, options));
    return (body as CommitResult).generations[domain] as number;
  }

  /** Changes single mailboxes of a list. @returns the generation that has the changes */
  async patch(through: IsolateHost, domain: string, json: object): Promise<number> {
    const reply = await must(through.call(`/v1/domains/${domain}/mailboxes`, { method: "PATCH", json }));
    const { generation } = reply.body as PatchResult;
    const head = this.#heads.get(domain);
    if (head !== undefined) this.#heads.set(domain, { ...head, number: generation });
    return generation;
  }

  /** Makes an old generation the head again. @returns the new number */
  async rollback(through: IsolateHost, domain: string, to: number): Promise<number> {
    const head = this.#heads.get(domain);
    const json = { to, expect: head?.number };
    const { body } = await must(through.call(`/v1/domains/${domain}/rollback`, { json }));
    const { generation } = body as HeadResult;
    const { key, policy } = this.headOf(domain) as Manifest;
    this.#heads.set(domain, { number: generation, policy, epoch: key.epoch });
    return generation;
  }

  /** Deletes a domain. @returns the tombstone's number */
  async remove(through: IsolateHost, domain: string): Promise<number> {
    const expect = this.#heads.get(domain)?.number;
    const path = `/v1/domains/${domain}?expect=${expect}`;
    const { body } = await must(through.call(path, { method: "DELETE" }));
    // A tombstone keeps policy and epoch.
    const { policy = DEFAULT_POLICY, epoch = 1 } = this.#heads.get(domain) ?? {};
    this.#heads.set(domain, { number: null, policy, epoch });
    return (body as HeadResult).generation;
  }

  /** A check token for all domains. */
  async createToken(through: IsolateHost): Promise<TokenCreated> {
    const json = { role: "check", domains: null };
    return (await must(through.call("/v1/tokens", { json }))).body as TokenCreated;
  }

  /** The head as the Registry has it. */
  headOf(domain: string): Manifest | null {
    const row = this.registry(this.partitionOf(domain)).sql(
      "SELECT manifest FROM generations g JOIN heads h ON h.domain = g.domain AND h.number = g.number WHERE g.domain = ?",
      domain,
    )[0];
    return row === undefined ? null : openManifest(row.manifest as Uint8Array, domain, this.keyFor);
  }

  /** The group of the names that left a domain's list last. @throws Error if nobody did */
  lastLeavers(domain: string): number {
    const groups = this.headOf(domain)?.departures.groups?.groups ?? [];
    const last = [...groups].sort((a, b) => a.at - b.at).at(-1);
    if (last === undefined) throw new Error(`nobody left the list of ${domain}`);
    return last.id;
  }

  /** Whether KV says of every domain what the Registry says, down to the last shard. */
  differences(partition = 0): string[] {
    const all = ({ shards, departures }: Manifest) => [shards, departures];
    return differencesOf(this.registry(partition), this.kv, this.keyFor, all);
  }

  /** What any isolate did that the platform would not have allowed. */
  get violations(): string[] {
    return this.isolates.flatMap(({ violations }) => violations);
  }
}

/** The reply, which has to be a good one. */
export async function must(reply: Promise<Reply>): Promise<Reply> {
  const it = await reply;
  if (it.status !== 200) throw new Error(`${it.status}: ${(it.body as ErrorBody).error?.message}`);
  return it;
}
