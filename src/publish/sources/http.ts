import * as v from "valibot";
import { isLoopback } from "../../runtime/loopback.ts";
import { PublishError } from "../errors.ts";
import { TOKEN_SETTINGS, tokenSource } from "./http-token.ts";
import { kind, type SourceHost } from "./kind.ts";
import { fetchPage, type Page } from "./page.ts";
import { POINTER, valuesAt } from "./pointer.ts";
import { smtpAddress } from "./proxy-address.ts";
import { httpUrl, TIMEOUT_SETTING, textSetting } from "./settings.ts";
import type { SourceSink } from "./source.ts";
import { STATES_SETTING, type StateWords, stateWords } from "./states.ts";
import { within } from "./within.ts";

const URL_FORM = 'must be a complete URL, such as "https://directory.example.com/users"';
const POINTER_FORM = 'must be a JSON pointer, such as "/users"';
const pointer = v.pipe(v.string(POINTER_FORM), v.regex(POINTER, POINTER_FORM));

const SETTINGS = {
  url: httpUrl(URL_FORM),
  ...TOKEN_SETTINGS,
  items: pointer,
  addresses: v.pipe(
    v.array(pointer, "must be a list of JSON pointers"),
    v.nonEmpty("must have a JSON pointer"),
  ),
  state: v.optional(pointer),
  states: STATES_SETTING,
  next_url: v.optional(pointer),
  next_token: v.optional(pointer),
  token_parameter: v.optional(textSetting("must be the name of a parameter of the URL")),
  timeout: TIMEOUT_SETTING,
};

type Settings = v.InferOutput<v.StrictObjectSchema<typeof SETTINGS, undefined>>;

/**
 * `kind = "http"`: the users of an HTTP service that answers in JSON, page by page. `https` is required, except on this host.
 */
export const http = kind({
  settings: SETTINGS,
  open(settings, host) {
    const { url, next_url, next_token, token_parameter, timeout } = settings;
    const fault = (message: string, hint: string): PublishError =>
      new PublishError("input", `${host.shown} ${message}`, hint);
    const { protocol, hostname } = new URL(url);
    if (protocol !== "https:" && !isLoopback(hostname)) {
      throw fault(`would send its token to ${url} unencrypted`, "use https");
    }
    if ((next_token === undefined) !== (token_parameter === undefined)) {
      throw fault("needs next_token and token_parameter together", "set both, or none");
    }
    if (next_token !== undefined && next_url !== undefined) {
      throw fault("has next_url and next_token", "keep the one that the service uses");
    }
    return {
      describe: () => `${host.shown} (${new URL(url).origin})`,
      read: (sink, signal) =>
        within(timeout, host, signal, (limited) => readPages(settings, host, sink, limited)),
    };
  },
});

async function readPages(
  settings: Settings,
  host: SourceHost,
  sink: SourceSink,
  signal: AbortSignal,
): Promise<void> {
  const token = tokenSource(settings, host, signal);
  const items = new ItemReader(settings, sink);
  const seen = new Set<string>();
  let url: string | null = settings.url;
  while (url !== null) {
    if (seen.has(url)) {
      throw new PublishError(
        "input",
        `${host.shown}: the page after ${pathOf(url)} is an earlier one`,
        "check next_url and next_token",
      );
    }
    seen.add(url);
    const page = await fetchPage(url, token, host, signal);
    const list = valuesAt(page.body, settings.items);
    if (list.length !== 1 || !Array.isArray(list[0])) {
      throw new PublishError(
        "input",
        `${host.shown}: the answer has no list at ${settings.items || "its top"} (items)`,
        "check items; without the list, the result would be too short",
      );
    }
    for (const item of list[0] as unknown[]) items.take(item);
    url = nextOf(page.body, url, settings, host);
    if (url === null) requireLast(page, items.count, host);
  }
  if (items.count > 0 && items.addresses === 0) {
    throw new PublishError(
      "input",
      `${host.shown}: none of ${items.count} items has an address`,
      "check addresses: each is a JSON pointer within an item",
    );
  }
}

/** The URL of the page after this one; null after the last. */
function nextOf(page: unknown, url: string, settings: Settings, { shown }: SourceHost): string | null {
  const { next_url, next_token, token_parameter } = settings;
  const at = next_url ?? next_token;
  if (at === undefined) return null;
  const [next = null] = valuesAt(page, at);
  if (next === null || next === "") return null;
  if (typeof next !== "string") {
    throw new PublishError("input", `${shown}: what is at ${at} is not text`, "check next_url or next_token");
  }
  const following = new URL(url);
  if (next_url === undefined) {
    following.searchParams.set(token_parameter as string, next);
    return following.href;
  }
  const target = URL.canParse(next, url) ? new URL(next, url) : null;
  // The token belongs to this service alone.
  if (target?.origin === following.origin) return target.href;
  throw new PublishError(
    "input",
    `${shown}: the next page is at another server`,
    "check next_url; the token is not sent there",
  );
}

/** Members with which well-known services name the next page. */
const NEXT = [
  ...[
    "@odata.nextLink",
    "odata.nextLink",
    "nextLink",
    "nextPageToken",
    "next_page_token",
    "nextPage",
    "next_page",
  ],
  ...["next", "next_url", "nextUrl"],
];

/** Members with which well-known services say how many items all pages have, such as SCIM (RFC 7644, 3.4.2). */
const COUNTS = ["totalResults", "@odata.count", "totalCount", "total_count"];

/**
 * @param items on all pages so far
 * @throws PublishError `input` if a page that is taken for the last one names a next page, or more items
 */
function requireLast({ body, hasNextLink }: Page, items: number, { shown }: SourceHost): void {
  for (const member of COUNTS) {
    const [all] = valuesAt(body, `/${member}`);
    if (typeof all !== "number" || all <= items) continue;
    throw new PublishError(
      "input",
      `${shown}: the answer says that there are ${all} items (${member}), but ${items} were read`,
      "ask for larger pages in url, or set next_url or next_token; for other ways of paging, use a source of kind command",
    );
  }
  const isNext = (name: string): boolean => {
    const [next] = valuesAt(body, `/${name}`);
    return (typeof next === "string" && next !== "") || typeof next === "number";
  };
  const name = hasNextLink ? "Link" : NEXT.find(isNext);
  if (name === undefined) return;
  throw new PublishError(
    "input",
    `${shown}: the answer names a next page (${name}), which would be left out`,
    hasNextLink
      ? "links in a header are not followed: use a program that does, with a source of kind command"
      : "set next_url or next_token to it",
  );
}

const pathOf = (url: string): string => new URL(url).pathname;

/** Turns items into mailboxes. An item without an address is none. */
class ItemReader {
  readonly #settings: Settings;
  readonly #words: StateWords;
  readonly #sink: SourceSink;
  /** Items so far. */
  count = 0;
  /** Addresses in them, faults included. */
  addresses = 0;

  constructor(settings: Settings, sink: SourceSink) {
    this.#settings = settings;
    this.#words = stateWords(settings.states);
    this.#sink = sink;
  }

  take(item: unknown): void {
    const line = ++this.count;
    if (typeof item !== "object" || item === null || Array.isArray(item)) {
      this.#sink.fault(line, "not a JSON object");
      return;
    }
    const { addresses, state: at } = this.#settings;
    const state = this.#words.read(at === undefined ? null : valuesAt(item, at)[0]);
    for (const value of addresses.flatMap((each) => valuesAt(item, each))) {
      if (value === null || value === "") continue;
      this.addresses++;
      const address = typeof value === "string" ? smtpAddress(value) : undefined;
      if (address === null) continue;
      if (address === undefined) this.#sink.fault(line, "an address that is not text");
      else if (typeof state === "string") this.#sink.entry(line, address, state);
      else this.#sink.fault(line, state.fault);
    }
  }
}
