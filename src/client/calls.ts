import { MAX_PAGE, ROUTES, type RouteName } from "../api/index.ts";
import { ClientError } from "./errors.ts";
import type { Call } from "./transport.ts";

type Params = Readonly<Record<string, string>>;

/** A request to a route of the API. It is sent once if it may change something. */
export function callOf(name: RouteName, params: Params = {}): Call {
  const { method, path } = ROUTES[name];
  return {
    method,
    path: path.replace(/:(\w+)/g, (_, parameter: string) => encodeURIComponent(params[parameter] ?? "")),
    idempotent: method === "GET",
  };
}

/** `next` of the page before, null for the first page. */
export type After = string | number | null;

/** A request for one page of a listing. */
export function pageOf(name: RouteName, after: After, params?: Params, filter: Params = {}): Call {
  const call = callOf(name, params);
  const from = after === null ? "" : `&after=${encodeURIComponent(after)}`;
  const wanted = Object.entries(filter).map(([member, value]) => `&${member}=${encodeURIComponent(value)}`);
  return { ...call, path: `${call.path}?limit=${MAX_PAGE}${from}${wanted.join("")}` };
}

/**
 * The lines of all pages.
 * @param isLast whether no page is wanted after one that ends with this line
 */
export async function everyLine<P extends { readonly next: After }, L>(
  pageAfter: (after: After) => Promise<P>,
  linesOf: (page: P) => readonly L[],
  isLast: (line: L) => boolean = () => false,
): Promise<readonly L[]> {
  const all: L[] = [];
  for (let after: After = null; ; ) {
    const page = await pageAfter(after);
    const lines = linesOf(page);
    for (const line of lines) all.push(line);
    const last = lines.at(-1);
    if (page.next === null || (last !== undefined && isLast(last))) return all;
    // Otherwise a page that does not advance would be requested endlessly.
    if (page.next === after || lines.length === 0) {
      throw new ClientError("protocol", "the edge sends pages of a list without end");
    }
    after = page.next;
  }
}
