/** The Worker under test, called as the platform calls it, and the real lists that it is given. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type {
  CommitResult,
  DomainCommit,
  DomainKeyBody,
  DomainList,
  ErrorBody,
  ShardTable,
} from "../../../src/api/index.ts";
import {
  blobIds,
  CANONICALISER_VERSION,
  canonicalLocalPart,
  DEFAULT_POLICY,
  type DomainPolicy,
  domainKey,
  ENTRY_STATES,
  type EntryState,
  fingerprint,
  fromBase64Url,
  type Mode,
  sentinels,
  toBase64Url,
} from "../../../src/directory/index.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import worker, { type Env } from "../../../src/edge/worker.ts";
import { EntryColumns } from "../../../src/publish/entries.ts";
import { packList } from "../../../src/publish/pack.ts";

export const ADMIN = "test-admin-token-that-is-long-enough";
export const ORIGIN = "https://rollcall.test";

/** The bindings of the test configuration. */
export const testEnv = env as unknown as Env;

/** An isolate of its own: a new object of bindings is a new deployment to the Worker. */
export const freshEnv = (changes: Partial<Record<keyof Env, unknown>> = {}): Env =>
  ({ ...testEnv, ...changes }) as Env;

export interface CallOptions {
  readonly method?: string;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
  readonly json?: unknown;
}

/** Calls the Worker and waits for what it left in the background. */
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

/** Every head as it stands; its age is left out, since it grows while nothing changes. */
export async function standing(bindings: Env): Promise<string> {
  const { domains } = await callJson<DomainList>(bindings, "/v1/domains");
  return JSON.stringify(domains.map(({ age, ...rest }) => rest));
}

/** A list: local parts, each active, or with its state. */
export type List = readonly (string | readonly [local: string, state: EntryState])[];

export interface PublishOptions {
  readonly expect?: number | null;
  readonly policy?: Partial<DomainPolicy>;
  /** Settings that the domain has already, for the fingerprints. */
  readonly standing?: Partial<DomainPolicy>;
  readonly mode?: Mode;
  readonly force?: boolean;
  readonly token?: string;
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
  const body = await callJson<DomainKeyBody>(bindings, `/v1/domains/${domain}/key`, tokenOf(options));
  const key = domainKey(stablelibHashing, fromBase64Url(body.key), domain, body.epoch);
  const policy = { ...DEFAULT_POLICY, ...options.standing, ...options.policy };
  const entries = new EntryColumns();
  list.forEach((entry, line) => {
    const [local, state] = typeof entry === "string" ? [entry, "active" as const] : entry;
    const name = canonicalLocalPart(local, policy);
    entries.add(fingerprint(key.names, name), ENTRY_STATES.indexOf(state), line);
  });
  const packed = packList(
    entries,
    stablelibHashing,
    options.bits === undefined ? {} : { bitsInUse: options.bits },
  );
  const ids = blobIds(packed.table);
  const shards: ShardTable =
    packed.table.inline === null
      ? { bits: packed.table.bits, ids }
      : { bits: 0, inline: toBase64Url(packed.table.inline) };
  return {
    commit: {
      domain,
      expect: options.expect ?? null,
      epoch: key.epoch,
      key_id: key.id,
      canonicaliser: CANONICALISER_VERSION,
      sentinels: sentinels(key.names, policy),
      ...(options.policy === undefined ? {} : { policy: options.policy }),
      ...(options.mode === undefined ? {} : { mode: options.mode }),
      shards,
    },
    shards: new Map(ids.map((id, i) => [id, packed.shards[i] as Uint8Array])),
  };
}

const tokenOf = (options: PublishOptions): CallOptions =>
  options.token === undefined ? {} : { token: options.token };

/** Commits a list as a publisher does: shards that are missing are put, and the commit is sent again. */
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

/** Publishes and gives the number of the head. */
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
