import type { Settings } from "../src/edge/environment.ts";
import type { Ports } from "../src/edge/ports.ts";
import type { AskRevocations } from "../src/registry/initialise.ts";
import type { SqlRow } from "../src/registry/ports.ts";
import type { Place, RegistryApi } from "../src/registry/protocol.ts";
import { RegistryCore } from "../src/registry/registry.ts";
import type { KvStore } from "../src/runtime/ports.ts";
import { RegistryObject } from "./registry-object.ts";
import type { VirtualTime } from "./virtual-time.ts";

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

/** What a Registry lives in: its storage, its alarm, and the network about it. */
export interface RegistryHostParts {
  readonly clock: VirtualTime;
  readonly ports: Ports;
  readonly kv: KvStore;
  readonly settings: Settings;
  readonly revocations: AskRevocations;
}

/** One Registry on SQLite in memory. It may be restarted between any two steps; its storage stays. */
export class RegistryHost {
  readonly #parts: RegistryHostParts;
  readonly #object: RegistryObject;

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
    this.#object = new RegistryObject({
      clock: parts.clock,
      alarmDelay: () => this.alarmDelay(),
      alarm: async () => {
        this.alarmRuns++;
        if (this.alarmFault()) throw new Error("alarm failed");
        await this.core({ partition: 0, partitions: 0 }).alarm();
      },
    });
  }

  /** The Registry itself, as the network has it in front of it. */
  core(place: Place): RegistryCore {
    const { kv, ports, settings, revocations } = this.#parts;
    return new RegistryCore({ storage: this.#object.storage(), kv, ports, settings, place, revocations });
  }

  /** Whether anything would still happen to it by itself. */
  get alarmAt(): number | null {
    return this.#object.alarmAt;
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
    this.#object.restart();
  }

  /** Asks its storage directly. */
  sql(statement: string, ...bindings: (string | number)[]): SqlRow[] {
    return this.#object.sql(statement, ...bindings);
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
    const { life } = this.#object;
    const core = this.core(place);
    const apply = (): Promise<unknown> =>
      Reflect.apply(core[method] as (...given: unknown[]) => Promise<unknown>, core, structuredClone(args));
    const answer = structuredClone(await apply());
    if (fault?.kind === "repeated") await apply();
    await clock.sleep(fault?.kind === "late" ? fault.ms : LATENCY);
    if (fault?.kind === "lost" || life !== this.#object.life)
      throw new Error(`Registry: answer to ${method} was lost`);
    return answer;
  }
}
