/**
 * One Registry: the real core on SQLite in memory, in an object that the platform may restart between any two
 * awaits, whose answers get lost, and whose alarms are late, come twice or fail. An object that was replaced may
 * still be asked: its storage throws, so whatever it says it says from a field.
 */

import type { Settings } from "../../src/edge/environment.ts";
import type { Ports } from "../../src/edge/ports.ts";
import type { AskRevocations } from "../../src/registry/initialise.ts";
import type { RegistryStorage, SqlRow } from "../../src/registry/ports.ts";
import type { Place, RegistryApi } from "../../src/registry/protocol.ts";
import { RegistryCore } from "../../src/registry/registry.ts";
import type { KvStore } from "../../src/runtime/ports.ts";
import { RegistryObject } from "../../testing/registry-object.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import type { FaultKind } from "../basics/faults.ts";
import type { Release } from "../plan/plan.ts";
import type { Faults } from "./faults.ts";
import { asNextReleaseAsks, ofNextRelease } from "./next-release.ts";
import { asPreviousRelease } from "./previous-release.ts";

/** How long a replaced object may still be asked. */
const REPLACED_LIFE = 300_000;
const HANG = 40_000;
/** How long a loss is felt: KV shows lists of which the Registry has nothing, until all is published and copied anew. */
const LOSS_FELT = 600_000;

export interface RegistryWatcher {
  /** A call was carried out here and now; its result may still get lost. */
  applied(method: keyof RegistryApi, args: readonly unknown[], result: unknown): void;
  /** Something came about that is to be counted. */
  met(event: string): void;
  trace(words: () => string): void;
}

export interface RegistryParts {
  readonly name: string;
  readonly time: VirtualTime;
  readonly ports: Ports;
  readonly kv: KvStore;
  readonly settings: Settings;
  readonly faults: Faults;
  readonly place: Place;
  readonly watcher: RegistryWatcher;
  readonly revocations: AskRevocations;
}

/** Who calls, and what is told of how it went. */
export interface Caller {
  readonly location: string;
  readonly name: string;
  readonly release: Release;
  hurt(): void;
  isAlive(): boolean;
}

/** One life of the object, with what it keeps in fields. */
interface Life {
  readonly storage: RegistryStorage;
  readonly cores: Map<string, RegistryCore>;
  readonly endedAt: number;
}

const ofCall = (kind: FaultKind): boolean => kind.startsWith("registry");
const ofAlarm = (kind: FaultKind): boolean => kind.startsWith("alarm");

export class SimulatedRegistry {
  readonly #parts: RegistryParts;
  readonly #object: RegistryObject;
  #life: Life;
  #before: Life | null = null;
  #disturbedAt = Number.NEGATIVE_INFINITY;
  #lostAt = Number.NEGATIVE_INFINITY;
  /** Which code it runs. */
  release: Release = "today";
  /** Whether nobody can reach it any more. */
  isCutOff = false;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#object = new RegistryObject({
      clock: parts.time,
      alarm: () => this.#alarm(),
      alarmDelay: () => this.#alarmDelay(),
    });
    this.#life = this.#newLife();
  }

  /** When it was last restarted, or its alarm came twice. */
  get disturbedAt(): number {
    return this.#disturbedAt;
  }

  /** Asks its storage directly. */
  sql(statement: string, ...bindings: (string | number)[]): SqlRow[] {
    return this.#object.sql(statement, ...bindings);
  }

  close(): void {
    this.#object.close();
    this.#life = this.#newLife();
  }

  /** The Registry as a caller reaches it, who believes it to be at a place. */
  link(caller: Caller, place: Place = this.#parts.place): RegistryApi {
    const call = (method: keyof RegistryApi, args: readonly unknown[]): Promise<unknown> =>
      this.#call(caller, place, method, args);
    return new Proxy({} as RegistryApi, {
      get:
        (_, method) =>
        (...args: unknown[]) =>
          call(method as keyof RegistryApi, args),
    });
  }

  /** The object is reset: what is under way is cut off, answers are lost, storage stays. */
  restart(): void {
    this.#parts.watcher.trace(() => `${this.#parts.name} restarts`);
    this.#object.restart();
    this.#succeed();
  }

  /** Its storage is lost for good, and an empty object stands in its place. */
  lose(): void {
    this.#parts.watcher.trace(() => `${this.#parts.name} is lost`);
    this.#object.wipe();
    this.#lostAt = this.#parts.time.now();
    this.#succeed();
  }

  #succeed(): void {
    const now = this.#parts.time.now();
    this.#before = { ...this.#life, endedAt: now };
    this.#life = this.#newLife();
    this.#disturbedAt = now;
  }

  #newLife(): Life {
    return {
      storage: this.#object.storage(),
      cores: new Map(),
      endedAt: Number.POSITIVE_INFINITY,
    };
  }

  #core(life: Life, place: Place): RegistryCore {
    const name = `${place.partition} of ${place.partitions}`;
    let core = life.cores.get(name);
    if (core === undefined) {
      const { kv, ports, settings, revocations } = this.#parts;
      core = new RegistryCore({ storage: life.storage, kv, ports, settings, place, revocations });
      life.cores.set(name, core);
    }
    return core;
  }

  async #call(
    caller: Caller,
    place: Place,
    method: keyof RegistryApi,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { time, faults, watcher, name } = this.#parts;
    const met = faults.meet(time.now(), caller.location, ofCall);
    const kind = met?.kind;
    if (met !== null) {
      caller.hurt();
      watcher.trace(() => `${met.kind}: ${caller.name} calls ${method} of ${name}`);
    }
    if (kind === "registry hangs") await time.sleep(HANG);
    await time.sleep(kind === "registry slow" ? 100 + (met?.size ?? 0) * 5_000 : 8);
    if (this.isCutOff || time.now() - this.#lostAt < LOSS_FELT) caller.hurt();
    if (kind === "registry unreachable" || this.isCutOff)
      throw new Error(`Registry: ${method} did not arrive`);
    const isReplaced =
      kind === "registry replaced" &&
      this.#before !== null &&
      time.now() - this.#before.endedAt < REPLACED_LIFE;
    const life = isReplaced ? (this.#before as Life) : this.#life;
    const core = this.#core(life, place);
    const apply = async (): Promise<unknown> => {
      const given = structuredClone(this.#given(caller.release, method, args));
      const result = await Reflect.apply(
        core[method] as (...given: unknown[]) => Promise<unknown>,
        core,
        given,
      );
      watcher.applied(method, args, result);
      return structuredClone(result);
    };
    const answer = await apply();
    if (kind === "registry call repeated") await apply().catch(() => undefined);
    await time.sleep(kind === "registry answer late" ? 100 + (met?.size ?? 0) * 8_000 : 8);
    if (kind === "registry answer lost") throw new Error(`Registry: answer to ${method} was lost`);
    if (!isReplaced && life !== this.#life) {
      caller.hurt();
      throw new Error(`Registry: restarted during ${method}`);
    }
    if (this.release !== "next") return answer;
    this.#parts.watcher.met("answer of the next release");
    return ofNextRelease(method, answer);
  }

  /** What arrives of a call, by the releases of both sides. */
  #given(release: Release, method: keyof RegistryApi, args: readonly unknown[]): readonly unknown[] {
    if (release !== "today") this.#parts.watcher.met(`call of the ${release} release`);
    const asked = release === "next" ? asNextReleaseAsks(method, args) : args;
    return release === "previous" || this.release === "previous" ? asPreviousRelease(method, asked) : asked;
  }

  #alarmDelay(): number {
    const { time, faults, name } = this.#parts;
    const met = faults.meet(time.now(), name, (kind) => kind === "alarm late");
    return met === null ? 0 : met.size * 90_000;
  }

  async #alarm(): Promise<void> {
    const { time, faults, name, place } = this.#parts;
    const life = this.#life;
    const met = faults.meet(time.now(), name, (kind) => ofAlarm(kind) && kind !== "alarm late");
    if (met?.kind === "alarm fails") throw new Error("alarm failed");
    await this.#core(life, place).alarm();
    if (met?.kind !== "alarm twice") return;
    // A failed write may be tried again at once then; KV says 429, and it is tried once more.
    this.#disturbedAt = time.now();
    if (life === this.#life) await this.#core(life, place).alarm();
  }
}
