import { fromBase64Url, fromUtf8 } from "../../directory/index.ts";

const DAY = 86_400_000;
/** How long before its end a token is warned about, ms. */
const WARNING = 7 * DAY;
/** Pause between two looks at the token, and how long a warning is not repeated, ms. */
const WATCH_PAUSE = 60_000;
const WARNING_PAUSE = DAY;
const HOW =
  "create another of the same role with `rollcall token create`, and put it into the bridge's token file";

/**
 * When a token expires, as it states itself; only the edge can verify that.
 * @returns Unix milliseconds; null for never, undefined if it cannot be read
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

/** Where the bridge's token comes from. */
export interface TokenSource {
  /** The token to send. */
  readonly current: string;
  /** Reads the token again, if its file has changed. @returns why it cannot be used; then the token stays as it was */
  refresh(): string | null;
}

/** What the bridge knows about its token: when it expires, and whether the edge refused it last. */
export class TokenState {
  readonly #wall: () => number;
  #token: string;
  #expires: number | null | undefined;
  #isRefused = false;

  /** @param wall Unix milliseconds */
  constructor(token: string, wall: () => number) {
    this.#wall = wall;
    this.#token = token;
    this.#expires = expiryOf(token);
  }

  get expires(): number | null | undefined {
    return this.#expires;
  }

  /** The token to use from now on. @returns whether it is another one */
  replace(token: string): boolean {
    if (token === this.#token) return false;
    this.#token = token;
    this.#expires = expiryOf(token);
    this.#isRefused = false;
    return true;
  }

  /** The edge answered, or refused the token (401). */
  heard(isRefused: boolean): void {
    this.#isRefused = isRefused;
  }

  get isExpired(): boolean {
    return typeof this.expires === "number" && this.expires <= this.#wall();
  }

  /** Why the edge cannot be asked with the token, for people; null if no reason is known. */
  get fault(): string | null {
    if (this.isExpired) return `the token expired on ${dateOf(this.#expires as number)}: ${HOW}`;
    return this.#isRefused
      ? `the edge refuses the token (401): it was revoked or belongs to another edge; ${HOW}`
      : null;
  }

  /** A warning that the token expires within a week, for people; null if it does not. */
  get warning(): string | null {
    const { expires } = this;
    if (typeof expires !== "number" || expires - this.#wall() > WARNING) return null;
    return this.fault ?? `the token expires on ${dateOf(expires)}: ${HOW}`;
  }
}

/**
 * Warns that the token expires: once a day from a week before, and once when it has expired.
 * @returns to be run again and again: warns if it is time, and returns the pause before the next look, ms
 */
export function watchToken(
  token: TokenState,
  warn: (why: string, isExpired: boolean) => void,
  wall: () => number,
): () => number {
  let warnedAt = Number.NEGATIVE_INFINITY;
  let wasExpired = false;
  return () => {
    const { warning, isExpired } = token;
    const isTime = isExpired !== wasExpired || Math.abs(wall() - warnedAt) >= WARNING_PAUSE;
    if (warning !== null && isTime) {
      warn(warning, isExpired);
      warnedAt = wall();
      wasExpired = isExpired;
    }
    return WATCH_PAUSE;
  };
}

/** A date that no calendar can show is given as a number. */
function dateOf(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString();
}
