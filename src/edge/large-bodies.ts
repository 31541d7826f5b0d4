import { MAX_PLAN_BODY, type Route } from "../api/index.ts";
import type { Clock, Timers } from "../runtime/ports.ts";
import { HttpError } from "./http.ts";

/** Octets from which on a body is large: reading it and what follows keep others waiting. */
const LARGE = 1024 * 1024;
/** Requests of one token with large bodies, and of all tokens, that an isolate handles or has waiting. */
const MOST_OF_ONE = 2;
const MOST_OF_ALL = 64;
/**
 * Octets of large bodies that an isolate handles at a time: the longest one. As text, parsed and sent on it takes several times
 * its length of the isolate's 128 MB.
 */
const MOST_OCTETS = MAX_PLAN_BODY;
/** How long a request waits for its turn, ms: clients wait for 30 s. */
const PATIENCE = 15_000;
/** Pause between two looks at whose turn it is, ms: a request must not await what another one does. */
const LOOK = 100;
/** A request that its client cancelled may never end, or look again. */
const LIFE = 60_000;
const LOOKS = 5_000;
/**
 * When a request that was refused is to be sent again, seconds. With this header a client may send any request again: nothing
 * was done.
 */
const RETRY_SOON = { "Retry-After": "1" };
export const RETRY_LATER = { "Retry-After": "5" };

/** A request with a large body. */
interface Place {
  readonly by: string;
  readonly octets: number;
  /** Whether it waits for its turn. */
  isWaiting: boolean;
  /** When it began, or looked last. */
  at: number;
}

/**
 * Limits how many large bodies are read and handled at a time, before any of them is read: those of one token by number, those
 * of all tokens by octets. Tokens take turns.
 */
export class LargeBodies {
  readonly #clock: Clock;
  readonly #timers: Timers;
  /** In the order in which they came. */
  readonly #places = new Set<Place>();
  /** Tokens by their last turn, the oldest first, while there are any requests. */
  readonly #turns = new Set<string>();

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /** @throws HttpError `unavailable` if too many others are handled or wait; nothing was read or done then */
  async handle<T>(by: string, route: Route, request: Request, work: () => Promise<T>): Promise<T> {
    const octets = octetsOf(route, request);
    if (octets <= LARGE) return work();
    const place = this.#enter(by, octets);
    try {
      await this.#turn(place);
      return await work();
    } finally {
      this.#places.delete(place);
      if (this.#places.size === 0) this.#turns.clear();
    }
  }

  #enter(by: string, octets: number): Place {
    this.#forgetCancelled();
    const own = [...this.#places].filter((each) => each.by === by).length;
    if (own >= MOST_OF_ONE)
      throw refusal(`${MOST_OF_ONE} large requests of this token are being handled`, RETRY_SOON);
    if (this.#places.size >= MOST_OF_ALL)
      throw refusal(`${MOST_OF_ALL} large requests are waiting`, RETRY_LATER);
    const place = { by, octets, isWaiting: true, at: this.#clock.now() };
    this.#places.add(place);
    return place;
  }

  async #turn(place: Place): Promise<void> {
    const end = place.at + PATIENCE;
    while (!this.#isTurnOf(place)) {
      if (this.#clock.now() >= end)
        throw refusal(`large requests of others were handled for ${PATIENCE / 1000} seconds`, RETRY_LATER);
      await this.#timers.sleep(LOOK);
      place.at = this.#clock.now();
      // It may have been forgotten, if the platform had no time for it.
      this.#places.add(place);
    }
    place.isWaiting = false;
    place.at = this.#clock.now();
    this.#turns.delete(place.by);
    this.#turns.add(place.by);
  }

  /** None overtakes one that needs more room than is left. */
  #isTurnOf(place: Place): boolean {
    this.#forgetCancelled();
    const places = [...this.#places];
    const handled = places.filter((each) => !each.isWaiting).reduce((sum, { octets }) => sum + octets, 0);
    if (handled + place.octets > MOST_OCTETS) return false;
    const turns = [...this.#turns];
    const [first] = places
      .filter(({ isWaiting }) => isWaiting)
      .sort((a, b) => turns.indexOf(a.by) - turns.indexOf(b.by));
    return first === place;
  }

  #forgetCancelled(): void {
    const now = this.#clock.now();
    for (const place of this.#places)
      if (now - place.at >= (place.isWaiting ? LOOKS : LIFE)) this.#places.delete(place);
  }
}

const refusal = (why: string, headers: Readonly<Record<string, string>>): HttpError =>
  new HttpError("unavailable", `${why}: try again later`, {}, headers);

/** Octets that a body may have; 0 if the route takes no large ones. */
function octetsOf({ body }: Route, request: Request): number {
  if (body === undefined || body.schema === "bytes" || body.limit <= 4 * LARGE) return 0;
  const told = request.headers.get("Content-Length");
  return told === null ? body.limit : Math.min(Number(told), body.limit);
}
