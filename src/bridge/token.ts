import { fromBase64Url, fromUtf8 } from "../directory/index.ts";

const DAY = 86_400_000;
/** How long before its end a token is warned of, ms. */
const WARNING = 7 * DAY;
const HOW = "make one with `rollcall token create --role check`, and restart the bridge";

/**
 * When a token ends, by what it says of itself: whether that is true only the edge can tell.
 * @returns Unix milliseconds; null for never, undefined where it cannot be read
 */
export function expiryOf(token: string): number | null | undefined {
  const [prefix, payload, mac, ...more] = token.split(".");
  if (prefix !== "rc1" || payload === undefined || mac === undefined || more.length > 0) return undefined;
  try {
    const claims: unknown = JSON.parse(fromUtf8(fromBase64Url(payload)));
    if (typeof claims !== "object" || claims === null) return undefined;
    const { expires } = claims as { expires?: unknown };
    return expires === null || (typeof expires === "number" && Number.isFinite(expires))
      ? expires
      : undefined;
  } catch {
    return undefined;
  }
}

/** What the bridge knows of its token: when it ends, and what the edge said to it last. */
export class TokenState {
  readonly expires: number | null | undefined;
  readonly #wall: () => number;
  #isRefused = false;

  /** @param wall Unix milliseconds */
  constructor(token: string, wall: () => number) {
    this.expires = expiryOf(token);
    this.#wall = wall;
  }

  /** The edge answered, or refused the token (401). */
  heard(isRefused: boolean): void {
    this.#isRefused = isRefused;
  }

  /** Why the edge cannot be asked with it, for people; null where nothing is known against it. */
  get fault(): string | null {
    const { expires } = this;
    if (typeof expires === "number" && expires <= this.#wall()) {
      return `the token expired on ${dateOf(expires)}: ${HOW}`;
    }
    if (this.#isRefused)
      return `the edge refuses the token (401), as one that was revoked or is not its own: ${HOW}`;
    return null;
  }

  /** That the token ends within a week, for people; null where it does not. */
  get warning(): string | null {
    const { expires } = this;
    if (typeof expires !== "number" || expires - this.#wall() > WARNING) return null;
    return this.fault ?? `the token expires on ${dateOf(expires)}: ${HOW}`;
  }
}

/** Dates past what a calendar can show are told as they are. */
function dateOf(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString();
}
