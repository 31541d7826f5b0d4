/**
 * One Registry: the real core on SQLite in memory, in an object that the platform may restart between any two
 * awaits, whose answers get lost, and whose alarms are late, come twice or fail. An object that was replaced may
 * still be asked: its storage throws, so whatever it says it says from a field.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Settings } from "../../src/edge/environment.ts";
import type { KvStore, Ports, RegistryStorage, SqlRow } from "../../src/edge/ports.ts";
import type { Place, RegistryApi } from "../../src/edge/registry/protocol.ts";
import { RegistryCore } from "../../src/edge/registry/registry.ts";
import { createTables } from "../../src/edge/registry/schema.ts";
import type { FaultKind, Faults } from "./faults.ts";
import type { Time } from "./time.ts";

/** A platform alarm that throws is run again so often, and then no more. */
const ALARM_RETRIES = 6;
/** How long a replaced object may still be asked. */
const REPLACED_LIFE = 300_000;
const HANG = 40_000;

export interface RegistryWatcher {
  /** A call was carried out here and now; its result may still get lost. */
  applied(method: keyof RegistryApi, args: readonly unknown[], result: unknown): void;
  trace(words: () => string): void;
}

export interface RegistryParts {
  readonly name: string;
  readonly time: Time;
  readonly ports: Ports;
  readonly kv: KvStore;
  readonly settings: Settings;
  readonly faults: Faults;
  readonly place: Place;
  readonly watcher: RegistryWatcher;
}

/** Who calls, and what is told of how it went. */
export interface Caller {
  readonly location: string;
  readonly name: string;
  hurt(): void;
  isAlive(): boolean;
}

interface Life {
  readonly number: number;
  readonly cores: Map<string, RegistryCore>;
  readonly endedAt: number;
}

const ofCall = (kind: FaultKind): boolean => kind.startsWith("registry");
const ofAlarm = (kind: FaultKind): boolean => kind.startsWith("alarm");

export class SimulatedRegistry {
  readonly #parts: RegistryParts;
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  #life: Life = { number: 0, cores: new Map(), endedAt: 0 };
  #before: Life | null = null;
  #disturbedAt = Number.NEGATIVE_INFINITY;
  #alarmAt: number | null = null;
  #isAlarmRunning = false;
  /** Whether nobody can reach it any more. */
  isCutOff = false;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    createTables(this.#storage(0));
  }

  /** When it was last restarted, or its alarm came twice. */
  get disturbedAt(): number {
    return this.#disturbedAt;
  }

  /** Asks its storage directly. */
  sql(statement: string, ...bindings: (string | number)[]): SqlRow[] {
    return this.#storage(this.#life.number).sql(statement, ...bindings);
  }

  close(): void {
    this.#life = { number: -1, cores: new Map(), endedAt: 0 };
    this.#database.close();
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
    const { time, watcher, name } = this.#parts;
    watcher.trace(() => `${name} restarts`);
    this.#before = { ...this.#life, endedAt: time.now() };
    this.#life = { number: this.#life.number + 1, cores: new Map(), endedAt: 0 };
    this.#disturbedAt = time.now();
    if (this.#isAlarmRunning) {
      // The platform runs an alarm again that did not come to its end.
      this.#isAlarmRunning = false;
      this.#setAlarm(time.now());
    }
  }

  #core(life: Life, place: Place): RegistryCore {
    const name = `${place.partition} of ${place.partitions}`;
    let core = life.cores.get(name);
    if (core === undefined) {
      const { kv, ports, settings } = this.#parts;
      core = new RegistryCore({ storage: this.#storage(life.number), kv, ports, settings, place });
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
    if (kind === "registry unreachable" || this.isCutOff)
      throw new Error(`Registry: ${method} did not arrive`);
    const isReplaced =
      kind === "registry replaced" &&
      this.#before !== null &&
      time.now() - this.#before.endedAt < REPLACED_LIFE;
    const life = isReplaced ? (this.#before as Life) : this.#life;
    const core = this.#core(life, place);
    const apply = async (): Promise<unknown> => {
      const given = structuredClone(args);
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
    if (!isReplaced && life !== this.#life) throw new Error(`Registry: restarted during ${method}`);
    return answer;
  }

  #storage(life: number): RegistryStorage {
    const alive = (): void => {
      if (life !== this.#life.number) throw new Error("this object was reset");
    };
    return {
      sql: (statement, ...bindings) => {
        alive();
        let prepared = this.#statements.get(statement);
        if (prepared === undefined) {
          prepared = this.#database.prepare(statement);
          this.#statements.set(statement, prepared);
        }
        return prepared.all(...bindings) as unknown as SqlRow[];
      },
      transaction: (work) => {
        alive();
        const alarmBefore = this.#alarmAt;
        this.#database.exec("BEGIN");
        try {
          const result = work();
          this.#database.exec("COMMIT");
          return result;
        } catch (error) {
          this.#database.exec("ROLLBACK");
          if (alarmBefore === null) this.#alarmAt = null;
          else if (this.#alarmAt !== alarmBefore) this.#setAlarm(alarmBefore);
          throw error;
        }
      },
      setAlarm: (time) => {
        alive();
        this.#setAlarm(time);
      },
    };
  }

  #setAlarm(at: number): void {
    const { time, faults, name } = this.#parts;
    this.#alarmAt = at;
    const met = faults.meet(time.now(), name, (kind) => kind === "alarm late");
    time.at(at + (met === null ? 0 : met.size * 90_000), () => {
      if (this.#alarmAt === at) void this.#runAlarm();
    });
  }

  async #runAlarm(): Promise<void> {
    // One at a time: a next one waits until this one has ended.
    if (this.#isAlarmRunning || this.#life.number < 0) return;
    const { time, faults, name, place } = this.#parts;
    const life = this.#life;
    this.#alarmAt = null;
    this.#isAlarmRunning = true;
    for (let attempt = 0; attempt <= ALARM_RETRIES && life === this.#life; attempt++) {
      const met = faults.meet(time.now(), name, (kind) => ofAlarm(kind) && kind !== "alarm late");
      try {
        if (met?.kind === "alarm fails") throw new Error("alarm failed");
        await this.#core(life, place).alarm();
        // A failed write may be tried again at once then; KV says 429, and it is tried once more.
        if (met?.kind === "alarm twice") this.#disturbedAt = time.now();
        if (met?.kind === "alarm twice" && life === this.#life) await this.#core(life, place).alarm();
        break;
      } catch {
        await time.sleep(2_000 * 2 ** attempt);
      }
    }
    if (life !== this.#life) return;
    this.#isAlarmRunning = false;
    if (this.#alarmAt !== null) this.#setAlarm(this.#alarmAt);
  }
}
