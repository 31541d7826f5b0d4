/** One world put together: time, KV, Registries, isolates, bridges, publishers, the model beside it and its judges. */
import { type DomainKey, deriveDomainKey, partitionOf, rosterKey, utf8 } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { Settings } from "../../src/edge/environment.ts";
import type { Ports } from "../../src/edge/ports.ts";
import { Faults } from "../../testing/faults.ts";
import { faultyKv } from "../../testing/faulty-kv.ts";
import { FaultyRegistry } from "../../testing/faulty-registry.ts";
import type { FakeKv } from "../../testing/kv.ts";
import { PROPAGATION } from "../../testing/limits.ts";
import { Network } from "../../testing/network.ts";
import { hash, Random } from "../../testing/random.ts";
import type { Release } from "../../testing/releases.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";
import { getOrMake } from "../basics/maps.ts";
import { Tally } from "../basics/tally.ts";
import type { Moment } from "../model/answerer.ts";
import { ModelDirectory } from "../model/directory.ts";
import type { Token } from "../model/http-judge.ts";
import type { Named } from "../model/names.ts";
import { shapeOfMeeting } from "../plan/meetings.ts";
import type { Plan, Shape } from "../plan/plan.ts";
import type { SimulatedBridge } from "../world/bridge.ts";
import type { SimulatedIsolate } from "../world/isolate.ts";
import { type Judges, judgesOf } from "./judges.ts";
import { KvLedger } from "./kv-ledger.ts";
import { Population } from "./population.ts";
import { noteAnswer, noteRead } from "./readings.ts";

/** Releases that isolates run, each as often as it stands here. */
const RELEASES: readonly Release[] = ["next", "today", "today", "today"];

/** How long a Registry has a read cached at most. */
const LONGEST_CACHED = 60_000;

export interface Violation {
  readonly assertion: string;
  readonly words: string;
  /** Milliseconds since the start of the world. */
  readonly at: number;
}

export class Scene {
  readonly plan: Plan;
  readonly time = new VirtualTime();
  readonly tally = new Tally();
  readonly faults = new Faults((kind) => this.tally.fault(kind));
  readonly settings: Settings;
  readonly ports: Ports;
  readonly kv: FakeKv;
  readonly model: ModelDirectory;
  readonly judges: Judges;
  readonly ledger: KvLedger;
  readonly network: Network<readonly Moment[], SimulatedIsolate>;
  readonly bridges: SimulatedBridge[] = [];
  readonly tokens: Token[] = [];
  readonly violations: Violation[] = [];
  readonly traces: string[] = [];
  /** Recipients that were asked about, by their text. */
  readonly asked = new Map<string, Named>();
  readonly adminToken = "an-admin-token-that-is-long-enough";
  /** When a Registry was last lost. */
  lostAt = Number.NEGATIVE_INFINITY;
  readonly isolates = new Population((name, location) => ({
    time: this.time,
    ports: this.ports,
    settings: this.settings,
    release: RELEASES[hash(this.plan.seed, name) % RELEASES.length] as Release,
    faults: this.faults,
    kv: this.kv.at(location, name),
    registry: (partition, caller) => this.registry(partition).linkFor(caller),
    answered: (host, method, args, result) => noteAnswer(this.judges.budgets, host, method, args, result),
    violation: this.violation,
    trace: this.trace,
  }));
  readonly #registries: FaultyRegistry[];
  /** Registries that were lost and not initialised again. */
  readonly #lost = new Set<number>();
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
      kvWrites: setup.kvWrites * setup.partitions,
      paused: false,
      mostHeads: setup.mostHeads,
    };
    this.ports = {
      clock: this.time,
      timers: this.time,
      random: new Random(seed, "bytes"),
      hashing: stablelibHashing,
    };
    this.ledger = new KvLedger({
      isTracing,
      now: () => this.time.now(),
      keyFor: this.keyFor,
      isolate: (name) => this.isolates.named(name),
      isolateRead: (host, key, value) => noteRead(this.judges.budgets, host, key, value),
      copied: (domain, number) => this.judges.pacing.copied(domain, number),
      met: (event) => this.tally.event(event),
      trace: this.trace,
      violation: this.violation,
    });
    this.kv = faultyKv({
      seed,
      clock: this.time,
      watcher: this.ledger,
      faults: this.faults,
      hurt: (caller) => this.isolates.named(caller)?.hurt(),
      // Right after a restart two writes within a second are not the writer's fault.
      isWriterSteady: () =>
        this.#registries.every((it) => this.time.now() - it.disturbedAt > 5_000) && !this.faults.isOver,
      trace: this.trace,
      violation: this.violation,
    });
    this.model = new ModelDirectory({
      kept: setup.history,
      now: () => this.time.now(),
      violation: this.violation,
      trace: this.trace,
    });
    this.#registries = Array.from({ length: setup.partitions }, (_, partition) =>
      this.#newRegistry(partition),
    );
    this.judges = judgesOf({
      model: this.model,
      tally: this.tally,
      setup,
      tokens: this.tokens,
      asked: this.asked,
      shapeOf: this.shapeOf,
      partitionOf: this.partitionOf,
      newerInKvSince: (generation) => this.ledger.newerSince(generation),
      now: () => this.time.now(),
      violation: this.violation,
    });
    this.network = new Network({
      seed,
      time: this.time,
      faults: this.faults,
      isolateAt: (location, random) => this.isolates.pick(random, location),
      answered: (host, exchange, moments) => {
        if (this.violations.length === 0 && host.isAlive) this.judges.http.judge(host, exchange, moments);
      },
    });
  }

  readonly shapeOf = (domain: string): Shape =>
    this.plan.setup.shapes[this.plan.setup.domains.indexOf(domain)] ?? shapeOfMeeting(domain);

  readonly trace = (words: () => string): void => {
    if (this.#isTracing)
      this.traces.push(`${(this.time.elapsed / 1000).toFixed(3).padStart(10)} s  ${words()}`);
  };

  readonly violation = (assertion: string, words: string): void => {
    this.violations.push({ assertion, words, at: this.time.elapsed });
    this.trace(() => `VIOLATION of "${assertion}": ${words}`);
  };

  /** Work in the background; an error of its own is a fault of the simulation. */
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

  readonly partitionOf = (domain: string): number =>
    getOrMake(this.#partitions, domain, () =>
      partitionOf(stablelibHashing, domain, this.plan.setup.partitions),
    );

  readonly keyFor = (domain: string, epoch: number): DomainKey =>
    getOrMake(this.#keys, `${domain} ${epoch}`, () =>
      deriveDomainKey(stablelibHashing, this.settings.masterKey, domain, epoch),
    );

  close(): void {
    this.#isClosed = true;
    for (const host of this.isolates.all) host.die();
    for (const registry of this.#registries) registry.close();
  }

  registry(partition: number): FaultyRegistry {
    return this.#registries[partition] as FaultyRegistry;
  }

  /** A new isolate, cold. */
  isolate(location: string, changes: Partial<Settings>, random: Random): SimulatedIsolate {
    const host = this.isolates.begin(location, changes, random);
    this.tally.isolates++;
    this.trace(() => `${host.name} starts, cold, at ${location}`);
    return host;
  }

  /** Ends the isolate of a focus, or any that has others beside it. */
  killOne(random: Random, focus?: number): void {
    const { ordinary } = this.isolates;
    if (focus === undefined && ordinary.length < 2) return;
    const host = focus === undefined ? random.pick(ordinary) : this.isolates.focused(focus);
    if (!host?.isAlive) return;
    host.die();
    this.judges.costs.judge(host);
    this.trace(() => `${host.name} dies`);
  }

  /** A Registry is lost with all that it had. */
  lose(partition: number): void {
    this.registry(partition).lose();
    if (this.kv.hasHadFor(rosterKey(String(partition)), PROPAGATION + LONGEST_CACHED))
      this.#lost.add(partition);
    this.lostAt = this.time.now();
    const isIts = (domain: string): boolean => this.partitionOf(domain) === partition;
    this.model.lose(isIts);
    // The first one records revocations. If it is lost, tokens are good again until they are revoked again; any
    // other begins with what the first one has.
    if (partition === 0) for (const token of this.tokens) token.revokedAt = Number.POSITIVE_INFINITY;
    for (const host of this.isolates.living) {
      for (const domain of host.published.keys()) if (isIts(domain)) host.published.delete(domain);
    }
  }

  /** The operator deletes the roster of a Registry that was lost, so that it can be initialised. */
  allowInitialising(partition: number): void {
    this.trace(() => `the operator deletes the roster of Registry ${partition}`);
    this.kv.bulkPut(rosterKey(String(partition)), null);
    this.#lost.delete(partition);
  }

  /** An empty Registry in front of a full KV must not begin: it would call every domain not served. */
  #requireRefusal(partition: number, result: unknown): void {
    if (!this.#lost.has(partition) || !(result as { ok: boolean }).ok) return;
    this.violation("an empty Registry stands back", `Registry ${partition} was lost, and began by itself`);
  }

  #newRegistry(partition: number): FaultyRegistry {
    const { partitions } = this.plan.setup;
    const name = `Registry ${partition}`;
    return new FaultyRegistry({
      name,
      clock: this.time,
      ports: this.ports,
      kv: this.kv.at(name),
      settings: this.settings,
      faults: this.faults,
      place: { partition, partitions },
      revocations: () => this.registry(0).linkFor({ location: name, name, release: "today" }).revocations(),
      watcher: {
        applied: (method, args, result) => {
          if (method === "commit") this.#requireRefusal(partition, result);
          this.model.applied(method, args, result);
        },
        braked: (domain, number) => {
          this.tally.event("names held");
          this.model.braked(domain, number);
        },
        hurt: (caller) => this.isolates.named(caller)?.hurt(),
        met: (event) => this.tally.event(event),
        trace: this.trace,
      },
    });
  }
}
