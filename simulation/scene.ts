/** One world put together: time, KV, Registries, isolates, bridges, publishers, the model beside it and its judges. */
import {
  blobIds,
  blobKey,
  DEFAULT_POLICY,
  type DomainKey,
  deriveDomainKey,
  openManifest,
  partitionOf,
  utf8,
} from "../src/directory/index.ts";
import { nobleHashing } from "../src/directory/noble.ts";
import type { Settings } from "../src/edge/environment.ts";
import type { Ports } from "../src/edge/ports.ts";
import { BOUNDS } from "./model/bounds.ts";
import { BridgeJudge } from "./model/bridge-judge.ts";
import { ModelDirectory } from "./model/directory.ts";
import { Judge } from "./model/judge.ts";
import type { Plan } from "./plan.ts";
import { Random } from "./random.ts";
import { Tally } from "./tally.ts";
import { judgeRequest, type Named } from "./traffic.ts";
import { clientOf, SimulatedBridge } from "./world/bridge.ts";
import { putExport } from "./world/export.ts";
import { Faults } from "./world/faults.ts";
import { SimulatedIsolate } from "./world/isolate.ts";
import { SimulatedKv } from "./world/kv.ts";
import { Network } from "./world/network.ts";
import type { PublisherParts } from "./world/publisher.ts";
import { SimulatedRegistry } from "./world/registry.ts";
import { Time } from "./world/time.ts";

export interface Violation {
  readonly assertion: string;
  readonly words: string;
  /** Milliseconds since the beginning of the world. */
  readonly at: number;
}

interface Token {
  readonly id: string;
  readonly token: string;
  readonly role: "check" | "publish";
  /** When whoever revoked it was told that it is. */
  revokedAt: number;
}

export class Scene {
  readonly plan: Plan;
  readonly time = new Time();
  readonly tally = new Tally();
  readonly faults = new Faults(this.tally);
  readonly settings: Settings;
  readonly ports: Ports;
  readonly kv: SimulatedKv;
  readonly model: ModelDirectory;
  readonly judge: Judge;
  readonly bridgeJudge: BridgeJudge;
  readonly network: Network;
  readonly isolates: SimulatedIsolate[] = [];
  readonly bridges: SimulatedBridge[] = [];
  readonly tokens: Token[] = [];
  readonly violations: Violation[] = [];
  readonly traces: string[] = [];
  /** Recipients that were asked about, by their text. */
  readonly asked = new Map<string, Named>();
  readonly adminToken = "an admin token that is long enough";
  readonly #registries: SimulatedRegistry[];
  readonly #hosts = new Map<string, SimulatedIsolate>();
  readonly #keys = new Map<string, DomainKey>();
  readonly #partitions = new Map<string, number>();
  /** Manifests as they were put into KV: when, and of which number. */
  readonly #kvWrites = new Map<string, { readonly time: number; readonly number: number }[]>();
  /** Keys whose writing was acknowledged. */
  readonly #inKv = new Set<string>();
  readonly #isTracing: boolean;
  #isClosed = false;

  constructor(plan: Plan, isTracing: boolean) {
    this.plan = plan;
    this.#isTracing = isTracing;
    const { setup, seed } = plan;
    this.settings = {
      masterKey: utf8("a master key of exactly 32 bytes"),
      adminToken: this.adminToken,
      window: setup.window,
      acceptGrace: setup.acceptGrace,
      cacheBytes: 64 * 1024 * 1024,
      partitions: setup.partitions,
      history: setup.history,
    };
    const bytes = new Random(seed, "bytes");
    this.ports = {
      clock: this.time,
      timers: this.time,
      random: { bytes: (count) => Uint8Array.from({ length: count }, () => bytes.between(0, 255)) },
      hashing: nobleHashing,
    };
    this.kv = new SimulatedKv(seed, this.time, this.faults, {
      readerHurt: (reader) => this.#hosts.get(reader)?.hurt(),
      read: (reader, key, value) => this.#noteRead(reader, key, value),
      writing: (key, value) => this.#requireBlobs(key, value),
      acknowledged: (key, value) => {
        if (value === null) this.#inKv.delete(key);
        else this.#inKv.add(key);
      },
      written: (key, value) => this.#noteWrite(key, value),
      trace: this.trace,
      violation: this.violation,
    });
    this.kv.writerIsSteady = () =>
      this.#registries.every((it) => this.time.now() - it.disturbedAt > 5_000) && !this.faults.isOver;
    this.model = new ModelDirectory({
      kept: setup.history,
      now: () => this.time.now(),
      violation: this.violation,
      trace: this.trace,
    });
    this.#registries = Array.from({ length: setup.partitions }, (_, partition) =>
      this.#newRegistry(partition),
    );
    this.judge = new Judge({
      model: this.model,
      tally: this.tally,
      now: () => this.time.now(),
      partitionOf: this.partitionOf,
      newerInKvSince: (domain, number) => this.#newerInKvSince(domain, number),
      violation: this.violation,
    });
    this.bridgeJudge = new BridgeJudge({
      model: this.model,
      tally: this.tally,
      window: Math.max(60_000, setup.window),
      history: setup.history,
      now: () => this.time.now(),
      violation: this.violation,
    });
    this.network = new Network({
      seed,
      time: this.time,
      faults: this.faults,
      isolateAt: (location, random) => this.pickIsolate(random, location),
      answered: (host, request, asked, status, body) =>
        judgeRequest(this, host, request, asked, status, body),
    });
  }

  readonly trace = (words: () => string): void => {
    if (this.#isTracing)
      this.traces.push(`${(this.time.elapsed / 1000).toFixed(3).padStart(10)} s  ${words()}`);
  };

  readonly violation = (assertion: string, words: string): void => {
    this.violations.push({ assertion, words, at: this.time.elapsed });
    this.trace(() => `VIOLATION of "${assertion}": ${words}`);
  };

  /** Work that goes on by itself; an error of its own is a fault of the simulation. */
  readonly go = (work: Promise<unknown>): void => {
    work.catch((error: unknown) => {
      if (!this.#isClosed) {
        this.violation(
          "the simulation itself",
          error instanceof Error ? (error.stack ?? error.message) : String(error),
        );
      }
    });
  };

  readonly partitionOf = (domain: string): number => {
    let partition = this.#partitions.get(domain);
    if (partition === undefined) {
      partition = partitionOf(nobleHashing, domain, this.plan.setup.partitions);
      this.#partitions.set(domain, partition);
    }
    return partition;
  };

  readonly keyFor = (domain: string, epoch: number): DomainKey => {
    const name = `${domain} ${epoch}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = deriveDomainKey(nobleHashing, this.settings.masterKey, domain, epoch);
      this.#keys.set(name, key);
    }
    return key;
  };

  close(): void {
    this.#isClosed = true;
    for (const host of this.isolates) host.die();
    for (const registry of this.#registries) registry.close();
  }

  registry(partition: number): SimulatedRegistry {
    return this.#registries[partition] as SimulatedRegistry;
  }

  get living(): readonly SimulatedIsolate[] {
    return this.isolates.filter((it) => it.isAlive);
  }

  /** An isolate that is alive, near a location where there is one. */
  pickIsolate(random: Random, location?: string): SimulatedIsolate | null {
    const { living } = this;
    const near = living.filter((it) => it.location === location);
    if (living.length === 0) return null;
    return random.pick(near.length > 0 ? near : living);
  }

  /** A new isolate, cold. */
  isolate(location: string, changes: Partial<Settings>, random: Random): SimulatedIsolate {
    const name = `isolate ${this.isolates.length + 1}`;
    const settings = { ...this.settings, ...changes };
    const { partitions } = settings;
    const host = new SimulatedIsolate({
      name,
      location,
      settings,
      time: this.time,
      ports: this.ports,
      faults: this.faults,
      skew: random.between(-BOUNDS.skew / 2, BOUNDS.skew / 2),
      kv: this.kv.at(location, name),
      registry: (partition, caller) => this.registry(partition).link(caller, { partition, partitions }),
      violation: this.violation,
      trace: this.trace,
    });
    this.isolates.push(host);
    this.#hosts.set(name, host);
    this.tally.isolates++;
    this.trace(() => `${name} starts, cold, at ${location}`);
    return host;
  }

  killOne(random: Random): void {
    const { living } = this;
    if (living.length < 2) return;
    const host = random.pick(living);
    host.die();
    this.judgeCost(host);
    this.trace(() => `${host.name} dies`);
  }

  bridge(location: string, random: Random): void {
    const name = `bridge ${this.bridges.length + 1}`;
    const bridge = new SimulatedBridge({
      name,
      time: this.time,
      fetch: this.network.from(location),
      token: this.adminToken,
      acceptGrace: random.pick([this.settings.acceptGrace, 60_000]),
      cacheBytes: random.pick([65_536, 1_000_000]),
    });
    this.bridges.push(bridge);
    this.trace(() => `${name} starts at ${location}`);
  }

  publisher(random: Random): PublisherParts {
    const { setup } = this.plan;
    const location = random.pick(setup.locations);
    let through: SimulatedIsolate | null = null;
    return {
      client: clientOf(
        this.time,
        this.network.from(location, (host) => {
          through = host;
        }),
        this.adminToken,
        10_000,
      ),
      model: this.model,
      time: this.time,
      random,
      crashes: () =>
        this.faults.meet(this.time.now(), location, (kind) => kind === "publisher crashes") !== null,
      keyFor: this.keyFor,
      partitionOf: this.partitionOf,
      domains: setup.domains,
      grace: setup.grace,
      shapeOf: (domain) => setup.shapes[setup.domains.indexOf(domain)] ?? { bits: 0, names: 12 },
      acknowledged: (domain, number) => {
        this.trace(() => `${domain} ${number} is acknowledged`);
        // Whoever published through an isolate sees the change through it.
        if (through?.isAlive) through.published.set(domain, number);
      },
      event: (name) => this.tally.event(name),
      trace: this.trace,
    };
  }

  /** Exports a domain to KV past the Registry, as `rollcall export` and wrangler do. */
  export(domain: string, random: Random): void {
    const policy = { ...DEFAULT_POLICY, grace: 0 };
    putExport(this, domain, random, policy);
  }

  /** Law 7: reads are bounded by what is served and by time, whoever asks for what. */
  judgeCost(host: SimulatedIsolate): void {
    if (host.settings.cacheBytes < 1_000_000) return;
    const { setup } = this.plan;
    const life = this.time.now() - host.bornAt;
    const windows = life / host.settings.window + 1;
    const served = this.model.all.reduce(
      (sum, { domain, generations }) =>
        sum + generations.length * (2 + 2 ** this.publisherShape(domain).bits),
      0,
    );
    const domains = setup.domains.length + setup.exported.length;
    const busy = Math.min(windows, host.bursts * 4 + 4);
    const cold = 16 * (busy * 2 + 2);
    const bound = 60 + 2 * served + busy * (6 * setup.partitions + 3 * domains) + cold + 40 * host.hurts;
    const reads = host.kvReads + host.questions;
    this.tally.event(
      reads * 4 > bound ? "law 7: over a quarter of the bound" : "law 7: under a quarter of the bound",
    );
    if (reads > bound) {
      this.violation(
        "law 7",
        `${host.name} read ${reads} times in ${Math.round(life / 1000)} s, bound ${Math.round(bound)}`,
      );
    }
  }

  publisherShape(domain: string): { readonly bits: number } {
    const { setup } = this.plan;
    return setup.shapes[setup.domains.indexOf(domain)] ?? { bits: 0 };
  }

  #newRegistry(partition: number): SimulatedRegistry {
    const { partitions } = this.plan.setup;
    const name = `Registry ${partition}`;
    return new SimulatedRegistry({
      name,
      time: this.time,
      ports: this.ports,
      kv: this.kv.at(name, name),
      settings: this.settings,
      faults: this.faults,
      place: { partition, partitions },
      watcher: {
        applied: (method, args, result) => this.model.applied(method, args, result),
        trace: this.trace,
      },
    });
  }

  #noteRead(reader: string, key: string, value: Uint8Array | null): void {
    if (this.#isTracing) this.#traceRead(reader, key, value);
    if (value === null || !key.startsWith("roster/") || key === "roster/kv") return;
    const host = this.#hosts.get(reader);
    if (host === undefined) return;
    const text = new TextDecoder().decode(value);
    const { heartbeat } = JSON.parse(text.slice(text.indexOf("\n") + 1)) as { heartbeat: number };
    host.noteEvidence(Number(key.slice("roster/".length)), heartbeat);
  }

  #traceRead(reader: string, key: string, value: Uint8Array | null): void {
    const what = (): string => {
      if (value === null) return "nothing";
      if (key.startsWith("domain/")) {
        return `generation ${openManifest(value, key.slice("domain/".length), this.keyFor).generation}`;
      }
      if (!key.startsWith("roster/")) return `${value.length} bytes`;
      return `as of ${/"asOf":(\d+)/.exec(new TextDecoder().decode(value))?.[1]}`;
    };
    this.trace(() => `${reader} reads ${key}: ${what()}`);
  }

  /** A manifest is put only when all that it names was. */
  #requireBlobs(key: string, value: Uint8Array | null): void {
    if (value === null || !key.startsWith("domain/")) return;
    const domain = key.slice("domain/".length);
    const { shards, departures, generation } = openManifest(value, domain, this.keyFor);
    const lacking = [...blobIds(shards), ...blobIds(departures)].filter(
      (id) => !this.#inKv.has(blobKey(domain, id)),
    );
    if (lacking.length > 0) {
      this.violation(
        "shards before their manifest",
        `KV is given ${domain} ${generation} before ${lacking[0]}`,
      );
    }
  }

  #noteWrite(key: string, value: Uint8Array | null): void {
    if (!key.startsWith("domain/")) return;
    const domain = key.slice("domain/".length);
    const manifest = value === null ? null : openManifest(value, domain, this.keyFor);
    const number = manifest?.origin === "registry" ? manifest.generation : -1;
    const writes = this.#kvWrites.get(domain) ?? [];
    this.#kvWrites.set(domain, writes);
    writes.push({ time: this.time.now(), number });
    this.trace(() => `KV takes ${key}: ${value === null ? "nothing" : `generation ${number}`}`);
  }

  #newerInKvSince(domain: string, number: number): number {
    const writes = this.#kvWrites.get(domain) ?? [];
    let since = Number.POSITIVE_INFINITY;
    for (let i = writes.length - 1; i >= 0; i--) {
      const write = writes[i] as (typeof writes)[0];
      if (write.number <= number) break;
      since = write.time;
    }
    return since;
  }
}
