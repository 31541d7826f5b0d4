/**
 * One isolate at some location: the real edge, called as the platform calls it. Only this file knows how the edge is
 * composed.
 */
import type { Answer } from "../src/directory/index.ts";
import type { Settings } from "../src/edge/environment.ts";
import type { Ports } from "../src/edge/ports.ts";
import type { Bindings } from "../src/edge/request-context.ts";
import { Edge } from "../src/edge/serve.ts";
import { queryOf, type Reader, type ReaderContext } from "../src/reader/index.ts";
import type { RegistryApi } from "../src/registry/protocol.ts";
import type { KvStore } from "../src/runtime/ports.ts";
import { Meter } from "./meter.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What an isolate lives in. */
export interface IsolateHostParts {
  /** Time of the world; the isolate's own clock is one of its ports. */
  readonly clock: VirtualTime;
  readonly ports: Ports;
  readonly settings: Settings;
  readonly kv: KvStore;
  readonly registry: (partition: number) => RegistryApi;
}

/** The highest generation that a client saw, by domain. */
export type Floor = Readonly<Record<string, number>>;

export interface CallOptions {
  readonly method?: string;
  /** The admin's if it is left out. */
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
  /** Operations until it was there; the meter also counts what follows in the background. */
  readonly kv: number;
  readonly registry: number;
  readonly meter: Meter;
}

/** One question, and the floor that goes with it. */
export interface Question {
  readonly recipient: string;
  readonly floor?: Floor | undefined;
}

export class IsolateHost {
  readonly #parts: IsolateHostParts;
  readonly #edge: Edge;
  /** What the platform would not have allowed. */
  readonly violations: string[] = [];
  /** Learns of each of them. */
  violation: (words: string) => void = () => undefined;
  #background: Promise<unknown>[] = [];

  constructor(parts: IsolateHostParts) {
    this.#parts = parts;
    this.#edge = new Edge(parts.settings, parts.ports);
  }

  /** What answers its checks. */
  get reader(): Reader {
    return this.#edge.deployment.reader;
  }

  /** Sends a request; time moves on until its response is there. */
  call(path: string, options: CallOptions = {}): Promise<Reply> {
    return this.#parts.clock.run(this.begin(path, options));
  }

  /** Sends a request; the caller moves time on. */
  async begin(path: string, options: CallOptions = {}): Promise<Reply> {
    const { clock, settings } = this.#parts;
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
    const meter = this.#newMeter();
    const response = await this.fetch(request, meter);
    const text = await response.text();
    return {
      status: response.status,
      body: response.headers.get("Content-Type") === "application/json" ? JSON.parse(text) : text,
      took: clock.now() - begun,
      kv: meter.kv,
      registry: meter.registry,
      meter,
    };
  }

  /** Handles a request as the platform hands it in. */
  async fetch(request: Request, meter = this.#newMeter()): Promise<Response> {
    return this.#edge.handle(request, this.#bindings(meter));
  }

  /** Checks one recipient over HTTP; time moves on until the answer is there. */
  async check(recipient: string, options: { floor?: Floor; token?: string } = {}): Promise<Checked> {
    return this.#parts.clock.run(this.beginCheck(recipient, options));
  }

  /** Checks one recipient over HTTP; the caller moves time on. */
  async beginCheck(
    recipient: string,
    { floor, token }: { floor?: Floor; token?: string } = {},
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

  /** Checks one recipient by the function that the route calls, as a request of its own. */
  answer({ recipient, floor }: Question): Answer | Promise<Answer> {
    return this.reader.check(this.#context(), queryOf(recipient, floor));
  }

  /** Checks many recipients in one request. */
  answers(questions: readonly Question[]): Promise<Answer[]> {
    const queries = questions.map(({ recipient, floor }) => queryOf(recipient, floor));
    return this.reader.checkAll(this.#context(), queries);
  }

  /** Waits for all background work behind answers that were given. */
  async idle(): Promise<void> {
    while (this.#background.length > 0) {
      const work = this.#background;
      this.#background = [];
      await this.#parts.clock.run(Promise.all(work));
    }
  }

  #newMeter(): Meter {
    return new Meter((words) => {
      this.violations.push(words);
      this.violation(words);
    });
  }

  #context(): ReaderContext {
    return this.#edge.deployment.contextOf(this.#bindings(this.#newMeter()));
  }

  #bindings(meter: Meter): Bindings {
    const { kv, registry } = this.#parts;
    return {
      kv: counted(kv, "kv", meter),
      registry: (partition) => counted(registry(partition), "registry", meter),
      background: (work) => {
        this.#background.push(work.catch(() => undefined));
      },
      kvCacheTtl: () => 30,
      openApi: async () => null,
    };
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
