/** One world put together: time, KV, Registries, isolates, bridges, publishers, the model beside it and its judges. */
import {
  DEFAULT_POLICY,
  type DomainKey,
  deriveDomainKey,
  partitionOf,
  utf8,
} from "../../src/directory/index.ts";
import { nobleHashing } from "../../src/directory/noble.ts";
import type { Settings } from "../../src/edge/environment.ts";
import type { Ports } from "../../src/edge/ports.ts";
import { SKEW } from "../basics/limits.ts";
import { Random } from "../basics/random.ts";
import { Tally } from "../basics/tally.ts";
import { BridgeJudge } from "../model/bridge-judge.ts";
import { CostJudge } from "../model/cost-judge.ts";
import { ModelDirectory } from "../model/directory.ts";
import { HttpJudge, type Token } from "../model/http-judge.ts";
import { Judge } from "../model/judge.ts";
import type { Named } from "../model/names.ts";
import type { Plan, Shape } from "../plan/plan.ts";
import { clientOf, SimulatedBridge } from "../world/bridge.ts";
import { putExport } from "../world/export.ts";
import { Faults } from "../world/faults.ts";
import { SimulatedIsolate } from "../world/isolate.ts";
import { SimulatedKv } from "../world/kv.ts";
import { Network } from "../world/network.ts";
import type { PublisherParts } from "../world/publisher.ts";
import { SimulatedRegistry } from "../world/registry.ts";
import { Time } from "../world/time.ts";
import { KvLedger } from "./kv-ledger.ts";

export interface Violation {
  readonly assertion: string;
  readonly words: string;
  /** Milliseconds since the beginning of the world. */
  readonly at: number;
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
  readonly httpJudge: HttpJudge;
  readonly costJudge: CostJudge;
  readonly ledger: KvLedger;
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
  /** When a Registry was last lost. */
  lostAt = Number.NEGATIVE_INFINITY;
  readonly #registries: SimulatedRegistry[];
  readonly #focused = new Map<number, SimulatedIsolate>();
  readonly #kept = new Set<SimulatedIsolate>();
  readonly #hosts = new Map<string, SimulatedIsolate>();
  readonly #keys = new Map<string, DomainKey>();
  readonly #partitions = new Map<string, number>();
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
    this.ledger = new KvLedger({
      isTracing,
      now: () => this.time.now(),
      keyFor: this.keyFor,
      isolate: (name) => this.#hosts.get(name),
      met: (event) => this.tally.event(event),
      trace: this.trace,
      violation: this.violation,
    });
    this.kv = new SimulatedKv(seed, this.time, this.faults, this.ledger);
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
      partitionOf: this.partitionOf,
      newerInKvSince: (generation) => this.ledger.newerSince(generation),
      violation: this.violation,
    });
    this.httpJudge = new HttpJudge({
      judge: this.judge,
      tally: this.tally,
      tokens: this.tokens,
      asked: this.asked,
      partitionOf: this.partitionOf,
      violation: this.violation,
    });
    this.bridgeJudge = new BridgeJudge({
      model: this.model,
      tally: this.tally,
      history: setup.history,
      now: () => this.time.now(),
      violation: this.violation,
    });
    this.costJudge = new CostJudge({
      model: this.model,
      tally: this.tally,
      partitions: setup.partitions,
      domains: setup.domains.length + setup.exported.length,
      bitsOf: (domain) => this.shapeOf(domain).bits,
      now: () => this.time.now(),
      violation: this.violation,
    });
    this.network = new Network({
      seed,
      time: this.time,
      faults: this.faults,
      isolateAt: (location, random) => this.pickIsolate(random, location),
      answered: (host, exchange, moments) => {
        if (this.violations.length === 0 && host.isAlive) this.httpJudge.judge(host, exchange, moments);
      },
    });
  }

  readonly shapeOf = (domain: string): Shape =>
    this.plan.setup.shapes[this.plan.setup.domains.indexOf(domain)] ?? { bits: 0, names: 12 };

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

  /** The isolate that is kept for steps of a focus; null where it was left out. */
  focused(focus: number): SimulatedIsolate | null {
    return this.#focused.get(focus) ?? null;
  }

  keep(host: SimulatedIsolate, focus: number): void {
    this.#focused.set(focus, host);
    this.#kept.add(host);
  }

  /** An isolate that is alive and kept for nobody, near a location where there is one. */
  pickIsolate(random: Random, location?: string): SimulatedIsolate | null {
    const living = this.living.filter((it) => !this.#kept.has(it));
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
      skew: random.between(-SKEW / 2, SKEW / 2),
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
    const living = this.living.filter((it) => !this.#kept.has(it));
    if (living.length < 2) return;
    const host = random.pick(living);
    host.die();
    this.costJudge.judge(host);
    this.trace(() => `${host.name} dies`);
  }

  /** @param focus of the isolate to which its connection leads; others are asked by chance */
  bridge(location: string, random: Random, focus: number | null = null): void {
    const name = `bridge ${this.bridges.length + 1}`;
    const bridge = new SimulatedBridge({
      name,
      time: this.time,
      fetch: (via) => this.network.from(location, via, () => (focus === null ? null : this.focused(focus))),
      focus,
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
      shapeOf: this.shapeOf,
      acknowledged: (domain, number) => {
        this.trace(() => `${domain} ${number} is acknowledged`);
        // Whoever published through an isolate sees the change through it.
        if (through?.isAlive) through.published.set(domain, { number, at: this.time.now() });
      },
      event: (name) => this.tally.event(name),
      trace: this.trace,
    };
  }

  /** Exports a domain to KV past the Registry, as `rollcall export` and wrangler do. */
  export(domain: string, random: Random): void {
    putExport(this, domain, random, { ...DEFAULT_POLICY, grace: 0 });
  }

  /** A Registry is lost with all that it had. */
  lose(partition: number): void {
    this.registry(partition).lose();
    this.lostAt = this.time.now();
    const isIts = (domain: string): boolean => this.partitionOf(domain) === partition;
    this.model.lose(isIts);
    // Revocations are lost with it: its tokens are good again, until they are revoked anew.
    for (const token of this.tokens) token.revokedAt = Number.POSITIVE_INFINITY;
    for (const host of this.living) {
      for (const domain of host.published.keys()) if (isIts(domain)) host.published.delete(domain);
    }
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
        met: (event) => this.tally.event(event),
        trace: this.trace,
      },
    });
  }
}
