/** The Worker: binds the platform to the edge. */

import { WorkerEntrypoint } from "cloudflare:workers";
import { ROUTES } from "../api/index.ts";
import { type Answer, unavailable } from "../directory/index.ts";
import type { RegistryApi } from "../registry/index.ts";
import type { KvStore } from "../runtime/ports.ts";
import { type CheckedEnvironment, readEnvironment } from "./environment.ts";
import { acceptedCacheTtl, platformKv, platformPorts } from "./platform.ts";
import { checkRecipients } from "./recipient-check.ts";
import { type PlaceEnvironment, registryAt } from "./registry-object.ts";
import type { Bindings } from "./request-context.ts";
import { Edge, serveUnconfigured } from "./serve.ts";

export { Registry } from "./registry-object.ts";

/** Bindings of a deployment. wrangler.toml describes each. */
export interface Env extends PlaceEnvironment {
  readonly ROLLCALL_KV: KVNamespace;
  /** The files that are deployed beside the Worker: the OpenAPI document. */
  readonly ASSETS?: Fetcher;
  readonly ROLLCALL_MASTER_KEY?: string;
  readonly ROLLCALL_ADMIN_TOKEN?: string;
  readonly ROLLCALL_WINDOW?: string;
  readonly ROLLCALL_ACCEPT_GRACE?: string;
  readonly ROLLCALL_CACHE_BYTES?: string;
  readonly ROLLCALL_PARTITIONS?: string;
  readonly ROLLCALL_HISTORY_DAYS?: string;
  readonly ROLLCALL_KV_WRITES?: string;
  readonly ROLLCALL_PAUSED?: string;
}

/** What was built from an environment; lives as long as the isolate. */
interface Service {
  readonly checked: CheckedEnvironment;
  readonly edge: Edge | null;
  readonly kv: KvStore;
}

/** The platform's side of one invocation. */
class Invocation implements Bindings {
  readonly kv: KvStore;
  readonly #env: Env;
  readonly #context: ExecutionContext;
  readonly #partitions: number;

  constructor(kv: KvStore, env: Env, context: ExecutionContext, partitions: number) {
    this.kv = kv;
    this.#env = env;
    this.#context = context;
    this.#partitions = partitions;
  }

  registry(partition: number): RegistryApi {
    return registryAt(this.#env, { partition, partitions: this.#partitions });
  }

  background(work: Promise<unknown>): void {
    this.#context.waitUntil(work.catch(() => undefined));
  }

  kvCacheTtl(): number {
    return acceptedCacheTtl();
  }

  async openApi(): Promise<string | null> {
    const url = `https://assets${ROUTES.showOpenApi.path}`;
    const response = await this.#env.ASSETS?.fetch(url);
    return response?.status === 200 ? response.text() : null;
  }
}

/** By bindings. An isolate has one set of them; a test has one for each of its isolates. */
const services = new WeakMap<Env, Service>();

function serviceOf(env: Env): Service {
  const present = services.get(env);
  if (present !== undefined) return present;
  const checked = readEnvironment(env);
  const edge = checked.settings === null ? null : new Edge(checked.settings, platformPorts);
  const service = { checked, edge, kv: platformKv(env.ROLLCALL_KV) };
  services.set(env, service);
  return service;
}

/**
 * For a service binding of another Worker of the same account, such as one for Email Routing. It needs no token: who may
 * bind it may deploy to the account.
 */
export class RecipientCheck extends WorkerEntrypoint<Env> {
  /** See {@link checkRecipients}. Without its secrets, a deployment defers every recipient. */
  async check(recipients: readonly string[]): Promise<readonly Answer[]> {
    const { checked, edge, kv } = serviceOf(this.env);
    if (checked.settings === null || edge === null) {
      return recipients.map((recipient) => unavailable(recipient, checked.faults.join("; ")));
    }
    const invocation = new Invocation(kv, this.env, this.ctx, checked.settings.partitions);
    return checkRecipients(edge.deployment, edge.deployment.contextOf(invocation), recipients);
  }
}

export default {
  fetch(request, env, context): Response | Promise<Response> {
    const { checked, edge, kv } = serviceOf(env);
    if (checked.settings === null || edge === null) return serveUnconfigured(request, checked.faults);
    const { partitions } = checked.settings;
    return edge.handle(request, new Invocation(kv, env, context, partitions));
  },
} satisfies ExportedHandler<Env>;
