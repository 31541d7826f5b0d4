import { type Log, OperationLimitError, type ReaderContext, type Tally } from "../reader/index.ts";
import type { RegistryApi } from "../registry/index.ts";
import type { KvStore } from "../runtime/ports.ts";
import { Semaphore } from "../runtime/semaphore.ts";

/** Operations on KV and Registries that the checks of one request may use; the platform allows 1,000. */
const MAX_OPERATIONS = 900;
/** Of those, how many may wait at once; the platform allows six. */
const MAX_PARALLEL = 6;
/** After that an SMTP client has given up. Milliseconds. */
const REQUEST_TIMEOUT = 8_000;

/** The platform's side of one invocation. */
export interface Bindings {
  readonly kv: KvStore;
  registry(partition: number): RegistryApi;
  /** Keeps the invocation alive until the work is done; its failure is ignored. */
  background(work: Promise<unknown>): void;
  /** The shortest cacheTtl that KV accepts, seconds. */
  kvCacheTtl(): number;
  /** The OpenAPI document, null if it was not deployed with the Worker. */
  openApi(): Promise<string | null>;
}

/** The counts of an isolate: all of them, and those about names of one partition's lists. */
export interface Taking extends Pick<Tally, "take"> {
  takeAsked(partition: number): ReturnType<Tally["takeAsked"]>;
}

/**
 * What belongs to one request: its operations, its promises, its deadline. A warm check needs little of it, so each
 * part is made when it is first used.
 */
export class RequestContext implements ReaderContext {
  readonly bindings: Bindings;
  readonly deadline: number;
  readonly #tally: Taking;
  #limiter: OperationLimiter | null = null;
  #kv: KvStore | null = null;
  #pending: Map<string, Promise<void>> | null = null;

  /**
   * @param now Unix milliseconds
   * @param tally the counts, which each question takes along to the Registry
   */
  constructor(bindings: Bindings, now: number, tally: Taking) {
    this.bindings = bindings;
    this.deadline = now + REQUEST_TIMEOUT;
    this.#tally = tally;
  }

  get kv(): KvStore {
    this.#kv ??= this.#limited(this.bindings.kv);
    return this.#kv;
  }

  /** The Registry, within the limits of a check. Management routes use `bindings`, where every call counts. */
  log(partition: number): Log {
    const registry = this.#limited(this.bindings.registry(partition));
    return {
      changes: (question) => {
        const counts = this.#tally.take();
        const asked = this.#tally.takeAsked(partition);
        const told = counts === undefined ? question : { ...question, counts };
        return registry.question(asked === undefined ? told : { ...told, asked });
      },
      blob: (domain, id, isMissed) => registry.blob(domain, id, isMissed),
    };
  }

  background(work: Promise<unknown>): void {
    this.bindings.background(work);
  }

  get pending(): Map<string, Promise<void>> {
    this.#pending ??= new Map();
    return this.#pending;
  }

  #limited<T extends object>(port: T): T {
    this.#limiter ??= new OperationLimiter();
    return limited(port, this.#limiter);
  }
}

class OperationLimiter {
  #left = MAX_OPERATIONS;
  readonly #semaphore = new Semaphore(MAX_PARALLEL);

  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#left === 0) throw new OperationLimitError();
    this.#left--;
    const release = await this.#semaphore.acquire();
    try {
      return await operation();
    } finally {
      release();
    }
  }
}

/** The same port with limits on every method. */
function limited<T extends object>(port: T, limiter: OperationLimiter): T {
  return new Proxy(port, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) =>
        limiter.run(() => Reflect.apply(method, target, args) as Promise<unknown>);
    },
  });
}
