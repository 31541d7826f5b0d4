import { DurableObject } from "cloudflare:workers";
import {
  Counters,
  FairQueue,
  migrate,
  PatchQueue,
  type Place,
  REGISTRY_CALLS,
  type RegistryApi,
  RegistryCore,
  type RegistryStorage,
  type SqlRow,
} from "../registry/index.ts";
import { readEnvironment } from "./environment.ts";
import { platformKv, platformPorts } from "./platform.ts";

/** How the Registries are reached, and where the platform runs them. */
export interface PlaceEnvironment {
  readonly REGISTRY: DurableObjectNamespace<Registry>;
  readonly ROLLCALL_LOCATION_HINT?: string;
  readonly ROLLCALL_JURISDICTION?: string;
}

/** Bindings that the Registry reads. */
export interface RegistryEnvironment extends PlaceEnvironment {
  readonly ROLLCALL_KV: KVNamespace;
}

/** The calls of a {@link RegistryApi} as methods of the object. The first argument is the place that the caller means. */
type RegistryMethods = Record<keyof RegistryApi, (place: Place, ...args: unknown[]) => Promise<unknown>>;

/** For work on what is in storage, whatever the place. */
const NO_PLACE: Place = { partition: 0, partitions: 0 };

/** {@link RegistryCore} as a SQLite-backed Durable Object, with the methods of {@link RegistryMethods}. */
export class Registry extends DurableObject<RegistryEnvironment> {
  static {
    for (const name of REGISTRY_CALLS) {
      const value = function (this: Registry, place: Place, ...args: unknown[]): unknown {
        const core = this.#core(place);
        return Reflect.apply(core[name], core, args);
      };
      Object.defineProperty(Registry.prototype, name, { value });
    }
  }

  readonly #storage: RegistryStorage;
  readonly #counters: Counters;
  readonly #patches = new PatchQueue(platformPorts);
  readonly #judgements = new FairQueue();

  constructor(context: DurableObjectState, env: RegistryEnvironment) {
    super(context, env);
    this.#storage = durableStorage(context.storage);
    migrate(this.#storage);
    this.#counters = new Counters(this.#storage, platformPorts, (domain, asked) =>
      this.#core(NO_PLACE).brake(domain, asked),
    );
  }

  override async alarm(): Promise<void> {
    await this.#core(NO_PLACE).alarm();
  }

  #core(place: Place): RegistryCore {
    const { settings, faults } = readEnvironment(this.env);
    if (settings === null) throw new Error(`Registry is not configured: ${faults.join("; ")}`);
    return new RegistryCore({
      storage: this.#storage,
      kv: platformKv(this.env.ROLLCALL_KV),
      ports: platformPorts,
      settings,
      place,
      revocations: (partitions) => registryAt(this.env, { partition: 0, partitions }).revocations(),
      counters: this.#counters,
      patches: this.#patches,
      judgements: this.#judgements,
    });
  }
}

/** Storage of a Durable Object as a port. Writes without an await between them are one atomic step. */
function durableStorage(storage: DurableObjectStorage): RegistryStorage {
  return {
    sql: (statement, ...bindings) =>
      storage.sql.exec(statement, ...bindings).toArray() as unknown as SqlRow[],
    transaction: (work) => storage.transactionSync(work),
    size: () => storage.sql.databaseSize,
    setAlarm: (time) => {
      // Output gates delay every answer until this is written. If that fails, the object is reset.
      void storage.setAlarm(time);
    },
  };
}

/** Calls one Registry through a stub, for one place. */
export function registryAt(
  { REGISTRY, ROLLCALL_JURISDICTION, ROLLCALL_LOCATION_HINT }: PlaceEnvironment,
  place: Place,
): RegistryApi {
  // Empty means as little as missing.
  const namespace = ROLLCALL_JURISDICTION
    ? REGISTRY.jurisdiction(ROLLCALL_JURISDICTION as DurableObjectJurisdiction)
    : REGISTRY;
  const id = namespace.idFromName(`registry ${place.partition}`);
  const options = ROLLCALL_LOCATION_HINT
    ? { locationHint: ROLLCALL_LOCATION_HINT as DurableObjectLocationHint }
    : {};
  // A new stub for each call, since a stub may stay broken after an exception.
  const stub = () => namespace.get(id, options) as unknown as RegistryMethods;
  return Object.fromEntries(
    REGISTRY_CALLS.map((name) => [name, (...args: unknown[]) => stub()[name](place, ...args)]),
  ) as unknown as RegistryApi;
}
