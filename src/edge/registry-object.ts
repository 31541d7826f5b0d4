import { DurableObject } from "cloudflare:workers";
import type { CommitRequest, PlanRequest, RollbackRequest } from "../api/contract.ts";
import type { Question } from "../api/log.ts";
import { Counters } from "../registry/counters.ts";
import type { RegistryStorage, SqlRow } from "../registry/ports.ts";
import type { KeptToken, Page, Place, RegistryApi } from "../registry/protocol.ts";
import { RegistryCore } from "../registry/registry.ts";
import { createTables } from "../registry/schema.ts";
import { readEnvironment } from "./environment.ts";
import { platformKv, platformPorts } from "./platform.ts";

/** Bindings that the Registry reads. */
export interface RegistryEnvironment {
  readonly ROLLCALL_KV: KVNamespace;
  readonly REGISTRY: DurableObjectNamespace<Registry>;
  readonly ROLLCALL_LOCATION_HINT?: string;
  readonly ROLLCALL_JURISDICTION?: string;
}

/** {@link RegistryCore} as a SQLite-backed Durable Object. Every call says which place it takes it for. */
export class Registry extends DurableObject<RegistryEnvironment> {
  readonly #storage: RegistryStorage;
  readonly #counters: Counters;

  constructor(context: DurableObjectState, env: RegistryEnvironment) {
    super(context, env);
    this.#storage = durableStorage(context.storage);
    createTables(this.#storage);
    this.#counters = new Counters(this.#storage, platformPorts);
  }

  question(place: Place, question: Question) {
    return this.#core(place).question(question);
  }
  blob(place: Place, domain: string, id: string, isMissed: boolean) {
    return this.#core(place).blob(domain, id, isMissed);
  }
  putShard(place: Place, domain: string, id: string, bytes: Uint8Array) {
    return this.#core(place).putShard(domain, id, bytes);
  }
  commit(place: Place, request: CommitRequest, by: string) {
    return this.#core(place).commit(request, by);
  }
  plan(place: Place, request: PlanRequest) {
    return this.#core(place).plan(request);
  }
  rollback(place: Place, domain: string, request: RollbackRequest, by: string) {
    return this.#core(place).rollback(domain, request, by);
  }
  remove(place: Place, domain: string, expect: number, by: string) {
    return this.#core(place).remove(domain, expect, by);
  }
  head(place: Place, domain: string) {
    return this.#core(place).head(domain);
  }
  domains(place: Place, page?: Page<string>) {
    return this.#core(place).domains(page);
  }
  domainsNamed(place: Place, names: readonly string[]) {
    return this.#core(place).domainsNamed(names);
  }
  generations(place: Place, domain: string, page?: Page<number>) {
    return this.#core(place).generations(domain, page);
  }
  keepToken(place: Place, token: KeptToken, by: string) {
    return this.#core(place).keepToken(token, by);
  }
  tokens(place: Place) {
    return this.#core(place).tokens();
  }
  revokeToken(place: Place, id: string, expires: number | null, by: string) {
    return this.#core(place).revokeToken(id, expires, by);
  }
  isRevoked(place: Place, id: string) {
    return this.#core(place).isRevoked(id);
  }
  revocations(place: Place) {
    return this.#core(place).revocations();
  }
  initialise(place: Place, by: string) {
    return this.#core(place).initialise(by);
  }
  status(place: Place) {
    return this.#core(place).status();
  }
  counted(place: Place) {
    return this.#core(place).counted();
  }
  audit(place: Place) {
    return this.#core(place).audit();
  }

  override async alarm(): Promise<void> {
    // The alarm copies what storage says; its place is the one that the Registry was made for.
    await this.#core({ partition: 0, partitions: 0 }).alarm();
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
      revocations: (partitions) =>
        registryAt(this.env.REGISTRY, { partition: 0, partitions }, placeOptions(this.env)).revocations(),
      counters: this.#counters,
    });
  }
}

/** Storage of a Durable Object behind its port. Writes without an await between them are one atomic step. */
function durableStorage(storage: DurableObjectStorage): RegistryStorage {
  return {
    sql: (statement, ...bindings) =>
      storage.sql.exec(statement, ...bindings).toArray() as unknown as SqlRow[],
    transaction: (work) => storage.transactionSync(work),
    setAlarm: (time) => {
      // Output gates hold every answer back until this write is safe; where it fails, the object is reset.
      void storage.setAlarm(time);
    },
  };
}

/** Calls one Registry through a stub, for one place. */
export function registryAt(
  namespace: DurableObjectNamespace<Registry>,
  place: Place,
  options: PlaceOptions,
): RegistryApi {
  const base = options.jurisdiction === undefined ? namespace : namespace.jurisdiction(options.jurisdiction);
  const id = base.idFromName(`registry ${place.partition}`);
  // A stub is made for each call: after an exception one may be broken for good.
  const stub = () =>
    base.get(
      id,
      options.locationHint === undefined ? {} : { locationHint: options.locationHint },
    ) as unknown as Registry;
  return {
    question: (question) => stub().question(place, question),
    blob: (domain, blob, isMissed) => stub().blob(place, domain, blob, isMissed),
    putShard: (domain, shard, bytes) => stub().putShard(place, domain, shard, bytes),
    commit: (request, by) => stub().commit(place, request, by),
    plan: (request) => stub().plan(place, request),
    rollback: (domain, request, by) => stub().rollback(place, domain, request, by),
    remove: (domain, expect, by) => stub().remove(place, domain, expect, by),
    head: (domain) => stub().head(place, domain),
    domains: (page) => stub().domains(place, page),
    domainsNamed: (names) => stub().domainsNamed(place, names),
    generations: (domain, page) => stub().generations(place, domain, page),
    keepToken: (token, by) => stub().keepToken(place, token, by),
    tokens: () => stub().tokens(place),
    revokeToken: (token, expires, by) => stub().revokeToken(place, token, expires, by),
    isRevoked: (token) => stub().isRevoked(place, token),
    revocations: () => stub().revocations(place),
    initialise: (by) => stub().initialise(place, by),
    status: () => stub().status(place),
    counted: () => stub().counted(place),
    audit: () => stub().audit(place),
  };
}

/** Where a Registry shall live. */
export interface PlaceOptions {
  readonly jurisdiction?: DurableObjectJurisdiction;
  readonly locationHint?: DurableObjectLocationHint;
}

/** Where the Registries of a deployment shall live. */
export function placeOptions(env: RegistryEnvironment): PlaceOptions {
  return {
    ...(env.ROLLCALL_LOCATION_HINT
      ? { locationHint: env.ROLLCALL_LOCATION_HINT as DurableObjectLocationHint }
      : {}),
    ...(env.ROLLCALL_JURISDICTION
      ? { jurisdiction: env.ROLLCALL_JURISDICTION as DurableObjectJurisdiction }
      : {}),
  };
}
