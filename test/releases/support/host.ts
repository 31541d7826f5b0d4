/** Releases of the Worker in workerd: any release's edge before any release's Registry, over a stored state. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { COMPATIBILITY_DATE, HOST } from "../../../src/cli/dev/local-edge.ts";
import { quietly } from "../../support/miniflare.ts";

/** What SQLite holds; bytes as `{ base64 }`. */
export interface StoredTables {
  /** Of `sqlite_master`, in the order in which they were made. */
  readonly master: readonly { readonly type: string; readonly name: string; readonly sql: string }[];
  readonly rows: Readonly<Record<string, readonly StoredRow[]>>;
}

export type StoredRow = Readonly<Record<string, string | number | null | { readonly base64: string }>>;

export interface HostOptions {
  /** The bundle that the Registry runs, and the one that the edge runs. */
  readonly registry: string;
  readonly edge: string;
  /** Secrets and variables of both. */
  readonly vars: Readonly<Record<string, string>>;
  /** Where KV and the Registry are kept from one host to the next. */
  readonly storage: string;
  /** The time it is, Unix milliseconds. */
  readonly time: number;
  /** What an empty Registry, and KV, begin with. */
  readonly tables?: StoredTables;
  readonly kv?: Readonly<Record<string, string>>;
}

/** A Registry in one Worker and an edge in another. */
export class ReleaseHost {
  readonly url: string;
  /** What the Workers logged. */
  readonly log: readonly string[];
  readonly #registryUrl: string;
  /** The admin token. */
  readonly admin: string;
  readonly #runtime: Miniflare;

  private constructor(runtime: Miniflare, urls: readonly [string, string], admin: string, log: string[]) {
    this.#runtime = runtime;
    [this.#registryUrl, this.url] = urls;
    this.admin = admin;
    this.log = log;
  }

  static async start(options: HostOptions): Promise<ReleaseHost> {
    const log: string[] = [];
    const runtime = new Miniflare({
      ...quietly(log, options.storage),
      workers: [worker("registry", options.registry, options), worker("edge", options.edge, options)],
    });
    await runtime.ready;
    const kv = await runtime.getKVNamespace("ROLLCALL_KV", "registry");
    for (const [key, base64] of Object.entries(options.kv ?? {})) {
      await kv.put(key, Uint8Array.from(Buffer.from(base64, "base64")).buffer);
    }
    const urls = [await originOf(runtime, "registry"), await originOf(runtime, "edge")] as const;
    return new ReleaseHost(runtime, urls, options.vars.ROLLCALL_ADMIN_TOKEN as string, log);
  }

  /** Asks the edge; with `body`, by POST. @param token the admin's if it is left out */
  async ask(path: string, body?: unknown, token = this.admin, method = "POST"): Promise<Asked> {
    const response = await fetch(`${this.url}${path}`, {
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      ...(body === undefined
        ? { method: method === "POST" ? "GET" : method }
        : { method, body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }

  /** Everything in the Registry's SQLite. */
  async tables(): Promise<StoredTables> {
    return (await this.#control("tables", {})) as StoredTables;
  }

  /** Runs one statement on the Registry's SQLite. */
  async sql(statement: string, ...bindings: (string | number)[]): Promise<StoredRow[]> {
    return (await this.#control("sql", { statement, bindings })) as StoredRow[];
  }

  /** Lets KV take no writes from here on, or take them again. */
  async kvFails(fails: boolean): Promise<void> {
    await this.#control("kv", { fails });
  }

  /** What KV holds, in base64. */
  async kv(): Promise<Record<string, string>> {
    const kv = await this.#runtime.getKVNamespace("ROLLCALL_KV", "registry");
    const values: Record<string, string> = {};
    for (const { name } of (await kv.list()).keys) {
      values[name] = Buffer.from((await kv.get(name, "arrayBuffer")) as ArrayBuffer).toString("base64");
    }
    return values;
  }

  /** Waits until KV has everything that was published. */
  async copied(): Promise<void> {
    for (;;) {
      const { body } = await this.ask("/v1/registry");
      const { partitions } = body as { partitions: readonly { kv_pending: number }[] };
      if (partitions.every(({ kv_pending }) => kv_pending === 0)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  stop(): Promise<void> {
    return this.#runtime.dispose();
  }

  async #control(name: string, body: object): Promise<unknown> {
    const response = await fetch(`${this.#registryUrl}/host/${name}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${name}: ${await response.text()}`);
    return response.json();
  }
}

export interface Asked {
  readonly status: number;
  readonly body: unknown;
}

const originOf = async (runtime: Miniflare, name: string): Promise<string> =>
  (await runtime.unsafeGetDirectURL(name)).origin;

function worker(name: string, code: string, { vars, time, tables }: HostOptions) {
  const modules = {
    "host.js": readFileSync(join(import.meta.dirname, "host.js"), "utf8"),
    "clock.js": `export const SHIFT = ${time - Date.now()}; const now = Date.now; Date.now = () => now() + SHIFT;`,
    "tables.js": `export default ${JSON.stringify(tables ?? null)};`,
    "worker.js": code,
  };
  return {
    config: {
      name,
      compatibilityDate: COMPATIBILITY_DATE,
      manifest: {
        mainModule: "host.js",
        modules: Object.fromEntries(
          Object.entries(modules).map(([path, contents]) => [path, { type: "esm" as const, contents }]),
        ),
      },
      exports: { Registry: { type: "durable-object" as const, storage: "sqlite" as const } },
      env: {
        ...Object.fromEntries(
          Object.entries(vars).map(([variable, value]) => [variable, { type: "text" as const, value }]),
        ),
        ROLLCALL_KV: { type: "kv" as const, id: "ROLLCALL_KV" },
        REGISTRY: { type: "durable-object" as const, worker: "registry", exportName: "Registry" },
      },
    },
    dev: { unsafeDirectSockets: [{ host: HOST, port: 0 }] },
  };
}
