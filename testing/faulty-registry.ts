/** One Registry of a world: its faults are those of the plan, and its release need not be its callers'. */
import type { RegistryApi } from "../src/registry/protocol.ts";
import type { FaultKind } from "./faults.ts";
import { type Faults, type Met, meets, registryFault } from "./faults.ts";
import {
  type AlarmFault,
  type RegistryCall,
  type RegistryFault,
  RegistryHost,
  type RegistryHostParts,
  registryApi,
} from "./registry-host.ts";
import { asNextReleaseAsks, ofNextRelease, type Release } from "./releases.ts";

/** How long a replaced object may still be asked. */
const REPLACED_LIFE = 300_000;
/** How long a loss is felt: KV shows lists that the Registry lacks, until all is published and copied again. */
const LOSS_FELT = 600_000;
const LONGEST_DELAY_OF_ALARM = 90_000;

export interface RegistryWatcher {
  /** A fault met a call. */
  hurt(caller: string): void;
  /** A call was carried out here and now; its result may still get lost. */
  applied(method: keyof RegistryApi, args: readonly unknown[], result: unknown): void;
  /** The brake held names of a domain with a generation. */
  braked(domain: string, number: number): void;
  /** Something happened that is counted. */
  met(event: string): void;
  trace(words: () => string): void;
}

export interface FaultyRegistryParts extends RegistryHostParts {
  readonly name: string;
  readonly faults: Faults;
  readonly watcher: RegistryWatcher;
}

/** Who calls. */
export interface Caller {
  readonly location: string;
  readonly name: string;
  readonly release: Release;
}

export class FaultyRegistry extends RegistryHost {
  readonly #parts: FaultyRegistryParts;
  #lostAt = Number.NEGATIVE_INFINITY;
  /** Which code it runs. */
  release: Release = "today";
  /** Whether no call reaches it. */
  isCutOff = false;

  constructor(parts: FaultyRegistryParts) {
    super(parts);
    this.#parts = parts;
    this.fault = (call) => this.#fault(call);
    this.alarmFault = () => this.#alarmFault();
    this.alarmDelay = () => LONGEST_DELAY_OF_ALARM * (this.#meet("alarm late")?.size ?? 0);
    this.braked = (domain, number) => parts.watcher.braked(domain, number);
    this.applied = (method, args, result) => parts.watcher.applied(method, args, result);
  }

  /** The Registry as a caller of some release reaches it. */
  linkFor(caller: Caller): RegistryApi {
    const { watcher, clock, place } = this.#parts;
    const { location, name, release } = caller;
    const api = this.link(location, place, name);
    return registryApi(async (method, args) => {
      if (release !== "today") watcher.met(`call of the ${release} release`);
      const call = api[method] as (...args: readonly unknown[]) => Promise<unknown>;
      if (this.isCutOff || clock.now() - this.#lostAt < LOSS_FELT) watcher.hurt(name);
      try {
        const answer = await call(...(release === "next" ? asNextReleaseAsks(method, args) : args));
        if (this.release !== "next") return answer;
        watcher.met("answer of the next release");
        return ofNextRelease(method, answer);
      } catch (error) {
        watcher.hurt(name);
        throw error;
      }
    });
  }

  override restart(): void {
    this.#parts.watcher.trace(() => `${this.#parts.name} restarts`);
    super.restart();
  }

  override lose(): void {
    this.#parts.watcher.trace(() => `${this.#parts.name} is lost`);
    super.lose();
    this.#lostAt = this.#parts.clock.now();
  }

  #fault({ method, location, caller }: RegistryCall): RegistryFault | undefined {
    if (this.isCutOff) return { kind: "error" };
    const { name, watcher, faults, clock } = this.#parts;
    const met = faults.meet(clock.now(), location, meets("registry"));
    if (met === null) return undefined;
    watcher.hurt(caller);
    watcher.trace(() => `${met.kind}: ${caller} calls ${method} of ${name}`);
    return registryFault(met, clock.now() - this.replacedAt < REPLACED_LIFE);
  }

  #alarmFault(): AlarmFault | undefined {
    const fails = this.#meet("alarm fails", "alarm twice");
    if (fails === null) return undefined;
    return fails.kind === "alarm fails" ? "fails" : "twice";
  }

  #meet(...kinds: readonly FaultKind[]): Met | null {
    const { faults, clock, name } = this.#parts;
    return faults.meet(clock.now(), name, (kind) => kinds.includes(kind));
  }
}
