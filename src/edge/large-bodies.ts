import type { Route } from "../api/index.ts";
import type { Clock } from "../runtime/ports.ts";
import { HttpError } from "./http.ts";

/** Octets from which on a body is large: reading it and what follows keep others waiting. */
const LARGE = 1024 * 1024;
/** Large bodies of one token that an isolate handles at a time. */
const MOST_OF_ONE = 2;
/** A request that its client cancelled may never end. */
const LIFE = 60_000;

/** Limits how many large bodies of one token are read and handled at a time, before any of them is read. */
export class LargeBodies {
  readonly #clock: Clock;
  /** When requests with large bodies began, by token. */
  readonly #begun = new Map<string, readonly number[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws HttpError `unavailable` if the token's requests with large bodies are as many as it may have */
  async handle<T>(by: string, route: Route, request: Request, work: () => Promise<T>): Promise<T> {
    if (!mayBeLarge(route, request)) return work();
    const now = this.#clock.now();
    const others = (this.#begun.get(by) ?? []).filter((begun) => now - begun < LIFE);
    if (others.length >= MOST_OF_ONE) {
      const message = `${MOST_OF_ONE} large requests of this token are being handled: try again later`;
      throw new HttpError("unavailable", message, {}, { "Retry-After": "1" });
    }
    this.#begun.set(by, [...others, now]);
    try {
      return await work();
    } finally {
      const left = [...(this.#begun.get(by) ?? [])];
      left.splice(left.indexOf(now), 1);
      if (left.length === 0) this.#begun.delete(by);
      else this.#begun.set(by, left);
    }
  }
}

function mayBeLarge({ body }: Route, request: Request): boolean {
  if (body === undefined || body.schema === "bytes" || body.limit <= 4 * LARGE) return false;
  const told = request.headers.get("Content-Length");
  return told === null || Number(told) > LARGE;
}
