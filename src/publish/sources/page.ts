import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";

/** Longest answer, in octets: pages of a thousand users have about one MB. */
const MAX_PAGE = 64 * 1024 * 1024;
/** How often one page is asked for. */
const TRIES = 6;
/** Seconds between two tries, if the service does not say: doubled each time. */
const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 300;

/** Gives the header `Authorization`, or null for none. `isRefused`: the service refused the last one. */
export type TokenSource = (isRefused: boolean) => Promise<string | null>;

/** One answer. */
export interface Page {
  readonly body: unknown;
  readonly headers: Headers;
}

/**
 * Fetches one page. Asks again after the time that the service names if it is busy (429, 503), and after a pause for other
 * faults of it (5xx, a broken connection). A token that is refused is renewed once.
 * @throws PublishError `input` if the page is not there, whole and in JSON
 */
export async function fetchPage(
  url: string,
  authorization: TokenSource,
  host: SourceHost,
  signal: AbortSignal,
): Promise<Page> {
  let isRefused = false;
  for (let attempt = 1; ; attempt++) {
    const tried = await tryPage(url, await authorization(isRefused), host, signal);
    if ("body" in tried) return tried;
    const { why, pause } = tried;
    const mayRenew = pause === "renew" && !isRefused;
    if (mayRenew) isRefused = true;
    else if (pause === null || pause === "renew" || attempt >= TRIES) {
      throw new PublishError(
        "input",
        `${host.shown} was not read to its end: ${why}; nothing of it was used`,
        pause === "renew" ? "check the token and its rights" : "check the URL and the service",
      );
    } else {
      await host.sleep(Math.min(pause ?? FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * 1000, signal);
      signal.throwIfAborted();
    }
  }
}

/** A fault: whether and when to try again. Undefined: after a pause of our own; null: not at all. */
interface Fault {
  readonly why: string;
  readonly pause: number | undefined | null | "renew";
}

async function tryPage(
  url: string,
  authorization: string | null,
  host: SourceHost,
  signal: AbortSignal,
): Promise<Page | Fault> {
  const headers = { accept: "application/json", ...(authorization === null ? {} : { authorization }) };
  let text: string;
  let response: Response;
  try {
    response = await host.fetch(url, { headers, signal, redirect: "manual" });
    text = await bodyOf(response);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TooLarge) return { why: `an answer of more than ${MAX_PAGE} octets`, pause: null };
    const { message, cause } = error as Error;
    return { why: cause instanceof Error ? `${message} (${cause.message})` : message, pause: undefined };
  }
  const { status } = response;
  if (status === 200) {
    try {
      return { body: JSON.parse(text) as unknown, headers: response.headers };
    } catch {
      return { why: "an answer that is not JSON", pause: null };
    }
  }
  const why = `HTTP status ${status}`;
  if (status === 401) return { why, pause: "renew" };
  if (status === 429 || status >= 500) return { why, pause: secondsOf(response.headers.get("retry-after")) };
  return { why, pause: null };
}

class TooLarge extends Error {}

async function bodyOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let octets = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    octets += chunk.length;
    if (octets > MAX_PAGE) throw new TooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** `Retry-After` in seconds; a date counts as none, since it depends on two clocks. */
const secondsOf = (text: string | null): number | undefined =>
  text !== null && /^\d{1,6}$/.test(text.trim()) ? Number(text) : undefined;
