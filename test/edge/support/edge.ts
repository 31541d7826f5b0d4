/** The Worker under test, called as the platform calls it, with real lists. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type {
  CommitResult,
  DomainCommit,
  DomainKeyBody,
  DomainList,
  ErrorBody,
} from "../../../src/api/index.ts";
import {
  blobIds,
  DEFAULT_POLICY,
  type DomainKey,
  type DomainPolicy,
  deriveDomainKey,
  domainKey,
  fromBase64Url,
  type Mode,
  readMasterKey,
} from "../../../src/directory/index.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import worker, { type Env } from "../../../src/edge/worker.ts";
import { commitOf, type List, pack } from "../../../testing/lists.ts";

export type { List };

export const ADMIN = "test-admin-token-that-is-long-enough";
export const ORIGIN = "https://rollcall.test";

/** The bindings of the test configuration. */
export const testEnv = env as unknown as Env;

/** A stub of a Registry. Each file takes its own: none works after the storage is emptied. */
export const registryStub = (partition = 0) => testEnv.REGISTRY.getByName(`registry ${partition}`);

/** A separate isolate: the Worker takes a new bindings object for a new deployment. */
export const freshEnv = (changes: Partial<Record<keyof Env, unknown>> = {}): Env =>
  ({ ...testEnv, ...changes }) as Env;

export interface CallOptions {
  readonly method?: string;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
  readonly json?: unknown;
}

/** Calls the Worker and waits for its background work. */
export async function call(bindings: Env, path: string, options: CallOptions = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  const token = options.token === undefined ? ADMIN : options.token;
  if (token !== null) headers.set("Authorization", `Bearer ${token}`);
  const body = options.json === undefined ? options.body : JSON.stringify(options.json);
  if (options.json !== undefined) headers.set("Content-Type", "application/json");
  const request = new Request(`${ORIGIN}${path}`, {
    method: options.method ?? (body === undefined ? "GET" : "POST"),
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const context = createExecutionContext();
  const response = await worker.fetch(
    request as Parameters<typeof worker.fetch>[0],
    bindings,
    context as unknown as ExecutionContext,
  );
  // The body is read before the background is waited for: a client does not wait for it either.
  const bytes = await response.arrayBuffer();
  await waitOnExecutionContext(context);
  return new Response(bytes, response);
}

export async function callJson<T>(bindings: Env, path: string, options: CallOptions = {}): Promise<T> {
  const response = await call(bindings, path, options);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** Every head, without its age, which grows while nothing changes. */
export async function standing(bindings: Env): Promise<string> {
  const { domains } = await callJson<DomainList>(bindings, "/v1/domains");
  return JSON.stringify(domains.map(({ age, ...rest }) => rest));
}

export interface PublishOptions {
  readonly expect?: number | null;
  readonly policy?: Partial<DomainPolicy>;
  /** Settings that the domain has already, for the fingerprints. */
  readonly standing?: Partial<DomainPolicy>;
  readonly mode?: Mode;
  readonly force?: boolean;
  readonly token?: string;
  /** A rotation: the list is made under the key of this epoch. */
  readonly epoch?: number;
  readonly bits?: number;
}

/** Packs a list for a domain as a publisher does. */
export async function packFor(
  bindings: Env,
  domain: string,
  list: List,
  options: PublishOptions = {},
): Promise<{ commit: DomainCommit; shards: ReadonlyMap<string, Uint8Array> }> {
  // A later key is given before it is used.
  if (options.epoch !== undefined) {
    await callJson(bindings, `/v1/domains/${domain}/key`, { method: "POST", ...tokenOf(options) });
  }
  const key =
    options.epoch === undefined
      ? await fetchKey(bindings, domain, options)
      : deriveDomainKey(
          stablelibHashing,
          readMasterKey(testEnv.ROLLCALL_MASTER_KEY ?? ""),
          domain,
          options.epoch,
        );
  const policy = { ...DEFAULT_POLICY, ...options.standing, ...options.policy };
  const packed = pack(list, key, policy, { bitsInUse: options.bits });
  const ids = blobIds(packed.table);
  return {
    commit: commitOf(packed, key, policy, {
      expect: options.expect ?? null,
      ...(options.policy === undefined ? {} : { policy: options.policy }),
      ...(options.mode === undefined ? {} : { mode: options.mode }),
    }),
    shards: new Map(ids.map((id, i) => [id, packed.shards[i] as Uint8Array])),
  };
}

async function fetchKey(bindings: Env, domain: string, options: PublishOptions): Promise<DomainKey> {
  const body = await callJson<DomainKeyBody>(bindings, `/v1/domains/${domain}/key`, tokenOf(options));
  return domainKey(stablelibHashing, fromBase64Url(body.key), domain, body.epoch);
}

const tokenOf = (options: PublishOptions): CallOptions =>
  options.token === undefined ? {} : { token: options.token };

/** Commits a list as a publisher does: uploads missing shards, and sends the commit again. */
export async function tryPublish(
  bindings: Env,
  domain: string,
  list: List,
  options: PublishOptions = {},
): Promise<Response> {
  const { commit, shards } = await packFor(bindings, domain, list, options);
  const json = { domains: [commit], ...(options.force ? { force: true } : {}) };
  const first = await call(bindings, "/v1/commits", { json, ...tokenOf(options) });
  if (first.status !== 409) return first;
  const { error } = (await first.clone().json()) as ErrorBody;
  if (error.code !== "missing_shards") return first;
  for (const id of error.missing?.[domain] ?? []) {
    const body = shards.get(id) as Uint8Array;
    await callJson(bindings, `/v1/domains/${domain}/shards/${id}`, {
      method: "PUT",
      body,
      ...tokenOf(options),
    });
  }
  return call(bindings, "/v1/commits", { json, ...tokenOf(options) });
}

/** Publishes. @returns the number of the head */
export async function publish(
  bindings: Env,
  domain: string,
  list: List,
  options: PublishOptions = {},
): Promise<number> {
  const response = await tryPublish(bindings, domain, list, options);
  if (!response.ok) throw new Error(`publish ${domain}: ${response.status} ${await response.text()}`);
  return ((await response.json()) as CommitResult).generations[domain] as number;
}
