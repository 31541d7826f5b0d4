import type { RegistryApi } from "../registry/protocol.ts";
import type { Clock, KvStore } from "../runtime/ports.ts";

/** Operations on KV and Registries that one request may use; the platform allows 1,000. */
const OPERATIONS = 900;
/** Of those, waiting at once; the platform allows six. */
const AT_ONCE = 6;
/** A request that takes longer has lost its SMTP client's patience. */
const REQUEST_TIME = 8_000;

/** The budget of operations is spent: what is left of the batch stays unanswered. */
export class BudgetSpent extends Error {
  constructor() {
    super("this request has used up the operations that it may use");
    this.name = "BudgetSpent";
  }
}

/** What belongs to one request alone: its operations, its promises, its end. */
export interface Scope {
  readonly kv: KvStore;
  registry(partition: number): RegistryApi;
  /** Goes on after the answer was sent. */
  background(work: Promise<unknown>): void;
  /** Work under way in this request, by name. Promises must not cross requests. */
  readonly underWay: Map<string, Promise<void>>;
  /** Unix milliseconds after which nothing new is begun. */
  readonly deadline: number;
}

/** What one invocation is handed beside the request. */
export interface Surroundings {
  readonly kv: KvStore;
  registry(partition: number): RegistryApi;
  /** Keeps the invocation alive until the work is done; its failure is nobody's. */
  background(work: Promise<unknown>): void;
  /** The shortest cacheTtl that KV takes, seconds. */
  kvCacheTtl(): number;
}

/** Makes the scope of one request: every operation is counted and takes its turn. */
export const makeScope = (surroundings: Surroundings, clock: Clock): Scope =>
  new RequestScope(surroundings, clock);

/** Made for every request, and used by few: a warm check needs nothing of it, so each part waits for its use. */
class RequestScope implements Scope {
  readonly deadline: number;
  readonly #surroundings: Surroundings;
  #turnstile: Turnstile | null = null;
  #kv: KvStore | null = null;
  #underWay: Map<string, Promise<void>> | null = null;

  constructor(surroundings: Surroundings, clock: Clock) {
    this.#surroundings = surroundings;
    this.deadline = clock.now() + REQUEST_TIME;
  }

  get kv(): KvStore {
    this.#kv ??= this.#metered(this.#surroundings.kv);
    return this.#kv;
  }

  registry(partition: number): RegistryApi {
    return this.#metered(this.#surroundings.registry(partition));
  }

  background(work: Promise<unknown>): void {
    this.#surroundings.background(work);
  }

  get underWay(): Map<string, Promise<void>> {
    this.#underWay ??= new Map();
    return this.#underWay;
  }

  #metered<T extends object>(port: T): T {
    this.#turnstile ??= new Turnstile();
    return metered(port, this.#turnstile);
  }
}

class Turnstile {
  #left = OPERATIONS;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  async pass<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#left === 0) throw new BudgetSpent();
    this.#left--;
    if (this.#inside === AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#inside++;
    try {
      return await operation();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    }
  }
}

/** The same port, whose every method goes through the turnstile. */
function metered<T extends object>(port: T, turnstile: Turnstile): T {
  return new Proxy(port, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) =>
        turnstile.pass(() => Reflect.apply(method, target, args) as Promise<unknown>);
    },
  });
}
