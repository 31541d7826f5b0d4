/** The built Worker in workerd, as several services with one KV and one Registry. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { afterAll, expect } from "vitest";
import type { CheckResults } from "../../../src/api/index.ts";
import { COMPATIBILITY_DATE, HOST } from "../../../src/cli/dev/local-edge.ts";
import type { Answer } from "../../../src/directory/index.ts";
import { quietly } from "../../support/miniflare.ts";
import { pause, ROOT, temporaryFolder } from "../../support/processes.ts";

export const ADMIN = "admin-token-of-the-tests-of-the-laws";
export const MASTER_KEY = "dGVzdC1tYXN0ZXIta2V5LW9mLXRoaXJ0eS10d28tYnk";
/** The shortest window that can be configured, so that a test can wait for its end. */
export const WINDOW = 2;
export const WINDOW_MS = 1000 * WINDOW;

const runtimes = new Set<Miniflare>();
afterAll(() => Promise.all([...runtimes].map((runtime) => runtime.dispose())));

/** How an edge's bindings behave. */
export interface Weather {
  readonly registry: "up" | "fails" | "hangs";
  /** Requests for shards at the Registry, separately from all others. */
  readonly blobs: "up" | "fails";
  /** Frozen: KV keeps returning its present state. */
  readonly kv: "up" | "fails" | "hangs" | "frozen";
  /** Delay of the Registry's answers, milliseconds. */
  readonly late: number;
}

export const FAIR: Weather = { registry: "up", blobs: "up", kv: "up", late: 0 };

/** Operations that crossed the boundary. */
export interface Count {
  readonly kv: number;
  readonly registry: number;
}

/** One Worker: an isolate with its own memory. */
export class LawEdge {
  readonly url: string;
  readonly #admin: string;

  constructor(url: string, admin = ADMIN) {
    this.url = url;
    this.#admin = admin;
  }

  /** @param token null for none; the admin's by default */
  fetch(path: string, init: RequestInit = {}, token: string | null = this.#admin): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== null) headers.set("Authorization", `Bearer ${token}`);
    if (typeof init.body === "string" && !headers.has("Content-Type")) {
      headers.set("Content-Type", "application/json");
    }
    return fetch(`${this.url}${path}`, { redirect: "manual", ...init, headers });
  }

  post(path: string, json: unknown, token?: string | null): Promise<Response> {
    return this.fetch(path, { method: "POST", body: JSON.stringify(json) }, token);
  }

  async json<T>(path: string): Promise<T> {
    const response = await this.fetch(path);
    expect(response.status).toBe(200);
    return (await response.json()) as T;
  }

  /** Asks about one recipient. @param floor by domain */
  async ask(
    recipient: string,
    floor: Record<string, number> = {},
  ): Promise<{ status: number; answer: Answer }> {
    const response = await this.post("/v1/rcpt", { recipient, floor });
    const answer = (await response.json()) as Answer;
    expect(answer.recipient).toBe(recipient);
    return { status: response.status, answer };
  }

  async check(recipient: string, floor?: Record<string, number>): Promise<Answer> {
    return (await this.ask(recipient, floor)).answer;
  }

  async checkAll(recipients: readonly string[]): Promise<readonly Answer[]> {
    const response = await this.post("/v1/rcpt", { recipients });
    expect(response.status).toBe(200);
    return ((await response.json()) as CheckResults).results;
  }

  /** Changes what the bindings do. */
  async weather(change: Partial<Weather>): Promise<void> {
    await this.#control(change);
  }

  /** Drops all state, like a new isolate. */
  async restart(): Promise<void> {
    await this.#control({ isolate: "new" });
  }

  /** Operations since the last call. */
  async spent(): Promise<Count> {
    return (await this.#control({ forget: true })) as Count;
  }

  async #control(body: object): Promise<unknown> {
    const response = await fetch(`${this.url}/boundary`, { method: "POST", body: JSON.stringify(body) });
    expect(response.status).toBe(200);
    return response.json();
  }
}

/** Variables of a Worker beside the two secrets, or instead of them. */
export type Vars = Readonly<Record<string, string>>;

export interface Edges<Name extends string> {
  readonly edge: Readonly<Record<Name, LawEdge>>;
  /** Where KV and the Registry are on disk. */
  readonly storage: string;
  /** Output of the runtime. */
  readonly log: string[];
  keys(): Promise<string[]>;
  read(key: string): Promise<Uint8Array>;
  put(key: string, value: Uint8Array | string): Promise<void>;
  delete(key: string): Promise<void>;
  /** Waits until KV has everything that was published. */
  copied(): Promise<void>;
  /** Ends the runtime; its storage stays. */
  stop(): Promise<void>;
}

/**
 * Starts a Worker for each name. They share KV and the Registry.
 * @param storage where these are; by default they start empty
 */
export async function startEdges<Name extends string>(
  vars: Readonly<Record<Name, Vars>>,
  registryVars: Vars = {},
  storage = join(temporaryFolder(), "storage"),
): Promise<Edges<Name>> {
  const modules = {
    "boundary.js": readFileSync(join(import.meta.dirname, "boundary.js"), "utf8"),
    "worker.js": readFileSync(join(ROOT, "dist", "edge", "worker.js"), "utf8"),
  };
  const log: string[] = [];
  const text = (values: Vars) =>
    Object.fromEntries(
      Object.entries({ ROLLCALL_MASTER_KEY: MASTER_KEY, ROLLCALL_ADMIN_TOKEN: ADMIN, ...values }).map(
        ([name, value]) => [name, { type: "text" as const, value }],
      ),
    );
  const worker = (name: string, values: Vars, mainModule: keyof typeof modules) => ({
    config: {
      name,
      compatibilityDate: COMPATIBILITY_DATE,
      manifest: {
        mainModule,
        modules: Object.fromEntries(
          Object.entries(modules).map(([path, contents]) => [path, { type: "esm" as const, contents }]),
        ),
      },
      exports: { Registry: { type: "durable-object" as const, storage: "sqlite" as const } },
      env: {
        ...text(values),
        ROLLCALL_KV: { type: "kv" as const, id: "ROLLCALL_KV" },
        REGISTRY: { type: "durable-object" as const, worker: "registry", exportName: "Registry" },
      },
    },
    dev: { unsafeDirectSockets: [{ host: HOST, port: 0 }] },
  });
  const names = Object.keys(vars) as Name[];
  const runtime = new Miniflare({
    ...quietly(log, storage),
    workers: [
      worker("registry", registryVars, "worker.js"),
      ...names.map((name) => worker(name, vars[name], "boundary.js")),
    ],
  });
  runtimes.add(runtime);
  await runtime.ready;
  const edge = {} as Record<Name, LawEdge>;
  for (const name of names) {
    edge[name] = new LawEdge((await runtime.unsafeGetDirectURL(name)).origin);
  }
  const kv = await runtime.getKVNamespace("ROLLCALL_KV", "registry");
  const any = edge[names[0] as Name];
  return {
    edge,
    storage,
    log,
    async keys() {
      return (await kv.list()).keys.map(({ name }) => name);
    },
    async read(key) {
      const value = await kv.get(key, "arrayBuffer");
      if (value === null) throw new Error(`KV has no ${key}`);
      return new Uint8Array(value);
    },
    async put(key, value) {
      await kv.put(key, typeof value === "string" ? value : Uint8Array.from(value).buffer);
    },
    async delete(key) {
      await kv.delete(key);
    },
    async stop() {
      runtimes.delete(runtime);
      await runtime.dispose();
    },
    async copied() {
      await until(async () => {
        const { partitions } = await any.json<{ partitions: { kv_pending: number }[] }>("/v1/registry");
        return partitions.every(({ kv_pending }) => kv_pending === 0);
      });
    },
  };
}

/** Waits for a condition, at most until the test's own timeout. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await pause(50);
}
