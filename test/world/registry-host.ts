import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Settings } from "../../src/edge/environment.ts";
import type { KvStore, Ports, RegistryStorage, SqlRow } from "../../src/edge/ports.ts";
import type { Place, RegistryApi } from "../../src/edge/registry/protocol.ts";
import { RegistryCore } from "../../src/edge/registry/registry.ts";
import { createTables } from "../../src/edge/registry/schema.ts";
import type { VirtualTime } from "./clock.ts";

/** One call of a Registry, as faults are told of it. */
export interface RegistryCall {
  readonly method: keyof RegistryApi;
  readonly args: readonly unknown[];
  /** Where the caller is. */
  readonly location: string;
}

export type RegistryFault =
  /** The call never arrives, and the caller learns that it failed. */
  | { readonly kind: "error" }
  /** The call never arrives, and the caller learns nothing. */
  | { readonly kind: "hang" }
  /** The call arrives after so many milliseconds. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The call takes effect at once, and its answer comes after so many milliseconds. */
  | { readonly kind: "late"; readonly ms: number }
  /** The call takes effect, and the caller learns that it failed. */
  | { readonly kind: "lost" }
  /** The call takes effect twice; the answer is the first one's. */
  | { readonly kind: "repeated" }
  /** An object that was replaced answers in the Registry's place. */
  | { readonly kind: "replaced"; readonly answer: unknown };

/** What one way of a call takes, milliseconds. */
const LATENCY = 10;
/** The platform retries an alarm that throws this often, and then no more. */
const ALARM_RETRIES = 6;

/** What a Registry lives in: its storage, its alarm, and the network about it. */
export interface RegistryHostParts {
  readonly clock: VirtualTime;
  readonly ports: Ports;
  readonly kv: KvStore;
  readonly settings: Settings;
}

/** One Registry on SQLite in memory. It may be restarted between any two steps; its storage stays. */
export class RegistryHost {
  readonly #parts: RegistryHostParts;
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  /** Counts restarts: a handle of an earlier life writes and reads no more. */
  #life = 0;
  #alarmAt: number | null = null;
  #isAlarmRunning = false;

  /** What goes wrong with a call. */
  fault: (call: RegistryCall) => RegistryFault | undefined = () => undefined;
  /** Whether the next run of the alarm fails before it does anything. */
  alarmFault: () => boolean = () => false;
  /** Milliseconds by which the next alarm comes late. */
  alarmDelay: () => number = () => 0;
  /** Every call that was made. */
  readonly calls: (RegistryCall & { readonly time: number })[] = [];
  alarmRuns = 0;

  constructor(parts: RegistryHostParts) {
    this.#parts = parts;
    createTables(this.#storage());
  }

  /** The Registry itself, as the network has it in front of it. */
  core(place: Place): RegistryCore {
    const { kv, ports, settings } = this.#parts;
    return new RegistryCore({ storage: this.#storage(), kv, ports, settings, place });
  }

  /** Whether anything would still happen to it by itself. */
  get alarmAt(): number | null {
    return this.#alarmAt;
  }

  /** A Registry as one location reaches it. */
  link(location: string, place: Place): RegistryApi {
    return new Proxy({} as RegistryApi, {
      get: (_, method) => {
        const name = method as keyof RegistryApi;
        return (...args: unknown[]) => this.#call(location, place, name, args);
      },
    });
  }

  /** The object is reset: what is under way is cut off, answers are lost, storage stays. */
  restart(): void {
    this.#life++;
    if (this.#isAlarmRunning) {
      // The platform runs an alarm again that did not come to its end.
      this.#isAlarmRunning = false;
      this.#setAlarm(this.#parts.clock.now());
    }
  }

  /** Asks its storage directly. */
  sql(statement: string, ...bindings: (string | number)[]): SqlRow[] {
    return this.#storage().sql(statement, ...bindings);
  }

  async #call(
    location: string,
    place: Place,
    method: keyof RegistryApi,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { clock } = this.#parts;
    const call = { method, args, location };
    this.calls.push({ ...call, time: clock.now() });
    const fault = this.fault(call);
    if (fault?.kind === "hang") return new Promise(() => undefined);
    await clock.sleep(fault?.kind === "slow" ? fault.ms : LATENCY);
    if (fault?.kind === "error") throw new Error(`Registry: ${method} did not arrive`);
    if (fault?.kind === "replaced") return structuredClone(fault.answer);
    const life = this.#life;
    const core = this.core(place);
    const apply = (): Promise<unknown> =>
      Reflect.apply(core[method] as (...given: unknown[]) => Promise<unknown>, core, structuredClone(args));
    const answer = structuredClone(await apply());
    if (fault?.kind === "repeated") await apply();
    await clock.sleep(fault?.kind === "late" ? fault.ms : LATENCY);
    if (fault?.kind === "lost" || life !== this.#life)
      throw new Error(`Registry: answer to ${method} was lost`);
    return answer;
  }

  #storage(): RegistryStorage {
    const life = this.#life;
    const alive = (): void => {
      if (life !== this.#life) throw new Error("this object was reset");
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

  #setAlarm(time: number): void {
    this.#alarmAt = time;
    this.#parts.clock.at(time + this.alarmDelay(), () => {
      if (this.#alarmAt === time) void this.#runAlarm();
    });
  }

  async #runAlarm(): Promise<void> {
    // One at a time: a next one waits until this one has ended.
    if (this.#isAlarmRunning) return;
    const { clock } = this.#parts;
    const life = this.#life;
    this.#alarmAt = null;
    this.#isAlarmRunning = true;
    for (let attempt = 0; attempt <= ALARM_RETRIES && life === this.#life; attempt++) {
      this.alarmRuns++;
      try {
        if (this.alarmFault()) throw new Error("alarm failed");
        await this.core({ partition: 0, partitions: 0 }).alarm();
        break;
      } catch {
        await clock.sleep(2_000 * 2 ** attempt);
      }
    }
    if (life !== this.#life) return;
    this.#isAlarmRunning = false;
    if (this.#alarmAt !== null) this.#setAlarm(this.#alarmAt);
  }
}
