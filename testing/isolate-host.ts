import type { Answer } from "../src/directory/index.ts";
import type { Settings } from "../src/edge/environment.ts";
import type { Ports } from "../src/edge/ports.ts";
import { Edge } from "../src/edge/serve.ts";
import type { Reader } from "../src/reader/index.ts";
import type { RegistryApi } from "../src/registry/protocol.ts";
import type { KvStore } from "../src/runtime/ports.ts";
import { Meter } from "./meter.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What an isolate lives in. */
export interface IsolateHostParts {
  readonly clock: VirtualTime;
  readonly ports: Ports;
  readonly settings: Settings;
  readonly location: string;
  readonly kv: KvStore;
  readonly registry: (partition: number) => RegistryApi;
}

export interface CallOptions {
  readonly method?: string;
  /** The admin's where it is left out. */
  readonly token?: string;
  readonly json?: unknown;
  readonly body?: Uint8Array;
}

/** A response, and what it took. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
  /** Milliseconds until it was there. */
  readonly took: number;
  /** Operations until it was there; the meter goes on counting what is done in the background. */
  readonly kv: number;
  readonly registry: number;
  readonly meter: Meter;
}

/** One isolate somewhere: the real edge, called as the platform calls it. */
export class IsolateHost {
  readonly #parts: IsolateHostParts;
  readonly #edge: Edge;
  /** What the platform would not have allowed. */
  readonly violations: string[] = [];
  #background: Promise<unknown>[] = [];

  constructor(parts: IsolateHostParts) {
    this.#parts = parts;
    this.#edge = new Edge(parts.settings, parts.ports);
  }

  /** The reader that answers its checks. */
  get reader(): Reader {
    return this.#edge.deployment.reader;
  }

  /** Sends a request; time moves on until its response is there. */
  call(path: string, options: CallOptions = {}): Promise<Reply> {
    return this.#parts.clock.run(this.begin(path, options));
  }

  /** Sends a request; whoever called moves time on. */
  async begin(path: string, options: CallOptions = {}): Promise<Reply> {
    const { clock, settings, kv, registry } = this.#parts;
    const meter = new Meter();
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const request = new Request(`https://rollcall.test${path}`, {
      method: options.method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        Authorization: `Bearer ${options.token ?? settings.adminToken}`,
        ...(options.json === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const begun = clock.now();
    const response = await this.#edge.handle(request, {
      kv: counted(kv, "kv", meter),
      registry: (partition) => counted(registry(partition), "registry", meter),
      background: (work) => {
        this.#background.push(work.catch(() => undefined));
      },
      kvCacheTtl: () => 30,
    });
    const text = await response.text();
    this.violations.push(...meter.violations);
    return {
      status: response.status,
      body: response.headers.get("Content-Type") === "application/json" ? JSON.parse(text) : text,
      took: clock.now() - begun,
      kv: meter.kv,
      registry: meter.registry,
      meter,
    };
  }

  /** Checks one recipient. */
  async check(
    recipient: string,
    options: { floor?: Record<string, number>; token?: string } = {},
  ): Promise<Checked> {
    return this.#parts.clock.run(this.beginCheck(recipient, options));
  }

  async beginCheck(
    recipient: string,
    { floor, token }: { floor?: Record<string, number>; token?: string } = {},
  ): Promise<Checked> {
    const reply = await this.begin("/v1/rcpt", {
      json: { recipient, ...(floor === undefined ? {} : { floor }) },
      ...(token === undefined ? {} : { token }),
    });
    const answer = reply.body as Answer;
    if (typeof answer.verdict !== "string")
      throw new Error(`no answer: ${reply.status} ${JSON.stringify(answer)}`);
    return { ...answer, cost: reply };
  }

  /** Waits for all that goes on behind answers that were given. */
  async idle(): Promise<void> {
    while (this.#background.length > 0) {
      const work = this.#background;
      this.#background = [];
      await this.#parts.clock.run(Promise.all(work));
    }
  }
}

/** An answer, and what it took. */
export type Checked = Answer & { readonly cost: Reply };

function counted<T extends object>(port: T, kind: "kv" | "registry", meter: Meter): T {
  return new Proxy(port, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) => meter.count(kind, () => Reflect.apply(method, target, args));
    },
  });
}
