import * as v from "valibot";
import { isLoopback } from "../../runtime/loopback.ts";
import { PublishError } from "../errors.ts";
import { TOKEN_SETTINGS, tokenSource } from "./http-token.ts";
import { kind, type SourceHost } from "./kind.ts";
import { fetchPage, type Page } from "./page.ts";
import { type Sign, signOfError, signOfMore } from "./page-signs.ts";
import { POINTER, valuesAt } from "./pointer.ts";
import { smtpAddress } from "./proxy-address.ts";
import { httpUrl, TIMEOUT_SETTING, textSetting } from "./settings.ts";
import { NO_ADDRESS, type SourceSink } from "./source.ts";
import { STATES_SETTING, type StateWords, stateWords } from "./states.ts";
import { within } from "./within.ts";

const URL_FORM = 'must be a complete URL, such as "https://directory.example.com/users"';
const POINTER_FORM = 'must be a JSON pointer, such as "/users"';
const PLACES = 'must be a list of JSON pointers and names of headers, such as ["/meta/total", "x-total"]';
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
  pages: v.optional(v.picklist(["none"], 'must be "none", if one answer has all items')),
  without_address: v.optional(v.picklist(["refuse", "skip"], 'must be "refuse" or "skip"'), "refuse"),
  ignore: v.optional(v.array(textSetting(PLACES), PLACES), []),
  timeout: TIMEOUT_SETTING,
};

type Settings = v.InferOutput<v.StrictObjectSchema<typeof SETTINGS, undefined>>;

/**
 * `kind = "http"`: the users of an HTTP service that answers in JSON, page by page. `https` is required, except on this host.
 */
export const http = kind({
  settings: SETTINGS,
  open(settings, host) {
    const { url, next_url, next_token, token_parameter, pages, timeout } = settings;
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
    const next = next_url ?? next_token;
    if (pages === undefined && next === undefined) {
      throw fault(
        "does not say how the service pages",
        `${SET_NEXT}; or pages = "none" if one answer has all`,
      );
    }
    if (pages !== undefined && next !== undefined) {
      throw fault('has pages = "none" and names a next page', "keep what the service does");
    }
    return {
      describe: () => `${host.shown} (${new URL(url).origin})`,
      read: (sink, signal) =>
        within(timeout, host, signal, (limited) => readPages(settings, host, sink, limited)),
    };
  },
});

const SET_NEXT = "set next_url, or next_token and token_parameter";

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
    const refuse = ({ place, says, but }: Sign, steps: string): PublishError =>
      new PublishError(
        "input",
        `${host.shown}: ${says} (${place})${but === undefined ? "" : `, but ${but}`}`,
        `${steps}. If it is something else, set ignore = ["${place}"]`,
      );
    const failed = signOfError(page, settings.ignore);
    if (failed !== null) throw refuse(failed, "ask the service; nothing of it was used");
    const list = listIn(page, settings, host);
    for (const item of list) items.take(item);
    const next = nextOf(page.body, url, settings, host);
    const read = { items: items.count, pages: seen.size, itemsOfPage: list.length };
    const more = next === null ? signOfMore(page, url, read, settings.ignore) : null;
    if (more !== null)
      throw refuse(more, `${SET_NEXT}; for other ways of paging, use a source of kind command`);
    url = next;
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

/** The items of a page. @throws PublishError `input` if there is no list */
function listIn({ body }: Page, { items }: Settings, { shown }: SourceHost): readonly unknown[] {
  const [list, ...others] = valuesAt(body, items);
  if (others.length === 0 && Array.isArray(list)) return list;
  throw new PublishError(
    "input",
    `${shown}: the answer has no list at ${items || "its top"} (items)`,
    "check items; without the list, the result would be too short",
  );
}

const pathOf = (url: string): string => new URL(url).pathname;

/** Turns items into mailboxes. */
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
    const { addresses, state: at, without_address } = this.#settings;
    const state = this.#words.read(at === undefined ? null : valuesAt(item, at)[0]);
    let found = 0;
    for (const value of addresses.flatMap((each) => valuesAt(item, each))) {
      if (value === null || value === "") continue;
      const address = typeof value === "string" ? smtpAddress(value) : undefined;
      if (address === null) continue;
      found++;
      if (address === undefined) this.#sink.fault(line, "an address that is not text");
      else if (typeof state === "string") this.#sink.entry(line, address, state);
      else this.#sink.fault(line, state.fault);
    }
    this.addresses += found;
    if (found > 0) return;
    if (without_address === "skip") this.#sink.leftOut?.(line, NO_ADDRESS);
    else this.#sink.fault(line, "no address (without_address)");
  }
}
