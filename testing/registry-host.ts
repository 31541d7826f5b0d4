/**
 * One Registry: the real core on SQLite in memory, in an object that the platform may restart between any two awaits,
 * whose answers get lost, and whose alarms are late, come twice or fail. An object that was replaced may still be
 * asked: its storage throws, so it can answer only from its fields.
 */
import type { Settings } from "../src/edge/environment.ts";
import type { Ports } from "../src/edge/ports.ts";
import { Counters } from "../src/registry/log/counters.ts";
import type { AskRevocations } from "../src/registry/object/initialise.ts";
import { RegistryCore } from "../src/registry/object/registry.ts";
import type { RegistryStorage, SqlRow } from "../src/registry/ports.ts";
import type { Place, RegistryApi } from "../src/registry/protocol.ts";
import type { KvStore } from "../src/runtime/ports.ts";
import { RegistryObject } from "./registry-object.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** One call of a Registry, as faults see it. */
export interface RegistryCall {
  readonly method: keyof RegistryApi;
  readonly args: readonly unknown[];
  /** Where the caller is. */
  readonly location: string;
  /** The name of the caller. */
  readonly caller: string;
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
  /** The object that was replaced last answers in the Registry's place: from its fields, or what is given here. */
  | { readonly kind: "replaced"; readonly answer?: unknown };

export type AlarmFault = "fails" | "twice";

/** What one way of a call takes, milliseconds. */
const LATENCY = 10;

/** What a Registry lives in: its storage, its alarm, and the network about it. */
export interface RegistryHostParts {
  readonly clock: VirtualTime;
  readonly ports: Ports;
  readonly kv: KvStore;
  readonly settings: Settings;
  readonly place: Place;
  readonly revocations: AskRevocations;
}

/** One life of the object, with what it keeps in fields. */
interface Life {
  readonly storage: RegistryStorage;
  readonly counters: Counters;
  readonly cores: Map<string, RegistryCore>;
}

export class RegistryHost {
  readonly #parts: RegistryHostParts;
  readonly #object: RegistryObject;
  #life: Life;
  #before: Life | null = null;
  #replacedAt = Number.NEGATIVE_INFINITY;
  #alarmTwiceAt = Number.NEGATIVE_INFINITY;

  /** What goes wrong with a call. */
  fault: (call: RegistryCall) => RegistryFault | undefined = () => undefined;
  /** What goes wrong with the next run of the alarm. */
  alarmFault: () => AlarmFault | undefined = () => undefined;
  /** Milliseconds by which the next alarm comes late. */
  alarmDelay: () => number = () => 0;
  /** Learns of each call that was carried out; its answer may still get lost. */
  applied: (method: keyof RegistryApi, args: readonly unknown[], result: unknown) => void = () => undefined;
  /** Learns of each generation with which the brake held names. */
  braked: (domain: string, number: number) => void = () => undefined;
  /** Every call that was made. */
  readonly calls: (RegistryCall & { readonly time: number })[] = [];
  alarmRuns = 0;

  constructor(parts: RegistryHostParts) {
    this.#parts = parts;
    this.#object = new RegistryObject({
      clock: parts.clock,
      alarmDelay: () => this.alarmDelay(),
      alarm: () => this.#alarm(),
    });
    this.#life = this.#newLife();
  }

  /** The Registry itself, without a network in front of it. */
  core(place: Place): RegistryCore {
    return this.#coreOf(this.#life, place);
  }

  /** Whether anything would still happen to it by itself. */
  get alarmAt(): number | null {
    return this.#object.alarmAt;
  }

  /** When its object was last replaced. */
  get replacedAt(): number {
    return this.#replacedAt;
  }

  /** When it was last restarted, or its alarm came twice. */
  get disturbedAt(): number {
    return Math.max(this.#replacedAt, this.#alarmTwiceAt);
  }

  /** The Registry as a caller at a location reaches it, who believes it to be at a place. */
  link(location: string, place: Place = this.#parts.place, caller: string = location): RegistryApi {
    return registryApi((method, args) => this.#call({ method, args, location, caller }, place));
  }

  /** The object is reset: what is under way is cut off, answers are lost, storage stays. */
  restart(): void {
    this.#object.restart();
    this.#replace();
  }

  /** Its storage is lost for good, and an empty object takes its place. */
  lose(): void {
    this.#object.wipe();
    this.#replace();
  }

  /** Keeps what its storage has now. @returns brings that back: its storage is set back in time */
  copy(): () => void {
    const tables = this.sql(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    );
    const copies = tables.map(({ name }) => ({
      name: String(name),
      rows: this.sql(`SELECT * FROM ${name}`),
    }));
    return () => {
      for (const { name, rows } of copies) {
        this.sql(`DELETE FROM ${name}`);
        for (const row of rows) {
          const columns = Object.keys(row);
          const values = Object.values(row) as (string | number)[];
          this.sql(`INSERT INTO ${name} (${columns}) VALUES (${columns.map(() => "?")})`, ...values);
        }
      }
      this.restart();
    };
  }

  close(): void {
    this.#object.close();
    this.#life = this.#newLife();
  }

  /** Its storage, as long as the present life lasts. */
  get storage(): RegistryStorage {
    return this.#life.storage;
  }

  /** Has its storage say that it takes so many octets. */
  takes(octets: number): void {
    this.#object.size = octets;
  }

  /** Asks its storage directly. */
  sql(statement: string, ...bindings: (string | number)[]): SqlRow[] {
    return this.#object.sql(statement, ...bindings);
  }

  #replace(): void {
    this.#before = this.#life;
    this.#life = this.#newLife();
    this.#replacedAt = this.#parts.clock.now();
  }

  #newLife(): Life {
    const { ports, place } = this.#parts;
    const storage = this.#object.storage();
    const counters = new Counters(storage, ports, (domain, asked) => {
      // It logs what fails, such as all that an object does which was replaced, and throws nothing.
      const before = this.#headOf(domain);
      this.#coreOf(life, place).brake(domain, asked);
      const after = this.#headOf(domain);
      if (after !== before) this.braked(domain, after as number);
    });
    const life: Life = { storage, counters, cores: new Map() };
    return life;
  }

  #headOf(domain: string): unknown {
    return this.#object.sql("SELECT number FROM heads WHERE domain = ?", domain)[0]?.number;
  }

  #coreOf({ storage, counters, cores }: Life, place: Place): RegistryCore {
    const name = `${place.partition} of ${place.partitions}`;
    const { kv, ports, settings, revocations } = this.#parts;
    const parts = { storage, kv, ports, settings, place, revocations, counters };
    const core = cores.get(name) ?? new RegistryCore(parts);
    cores.set(name, core);
    return core;
  }

  async #call(call: RegistryCall, place: Place): Promise<unknown> {
    const { clock } = this.#parts;
    const { method, args } = call;
    this.calls.push({ ...call, time: clock.now() });
    const fault = this.fault(call);
    if (fault?.kind === "hang") return new Promise(() => undefined);
    await clock.sleep(fault?.kind === "slow" ? fault.ms : LATENCY);
    if (fault?.kind === "error") throw new Error(`Registry: ${method} did not arrive`);
    const isReplaced = fault?.kind === "replaced";
    if (isReplaced && "answer" in fault) return structuredClone(fault.answer);
    const life = isReplaced ? (this.#before ?? this.#life) : this.#life;
    const core = this.#coreOf(life, place);
    const apply = async (): Promise<unknown> => {
      const given = structuredClone(args);
      const run = core[method] as (...given: readonly unknown[]) => Promise<unknown>;
      const result = await Reflect.apply(run, core, given);
      this.applied(method, args, result);
      return structuredClone(result);
    };
    const answer = await apply();
    if (fault?.kind === "repeated") await apply().catch(() => undefined);
    await clock.sleep(fault?.kind === "late" ? fault.ms : LATENCY);
    if (fault?.kind === "lost" || (!isReplaced && life !== this.#life))
      throw new Error(`Registry: answer to ${method} was lost`);
    return answer;
  }

  async #alarm(): Promise<void> {
    const { place, clock } = this.#parts;
    const life = this.#life;
    this.alarmRuns++;
    const fault = this.alarmFault();
    if (fault === "fails") throw new Error("alarm failed");
    await this.#coreOf(life, place).alarm();
    if (fault !== "twice") return;
    this.#alarmTwiceAt = clock.now();
    if (life === this.#life) await this.#coreOf(life, place).alarm();
  }
}

/** A Registry whose methods all go one way. */
export const registryApi = (
  call: (method: keyof RegistryApi, args: readonly unknown[]) => Promise<unknown>,
): RegistryApi =>
  new Proxy({} as RegistryApi, {
    get:
      (_, method) =>
      (...args: unknown[]) =>
        call(method as keyof RegistryApi, args),
  });
