/** Listings in pages: `limit` lines after `after`, and the `after` of the next page. */
import { MAX_PAGE, MAX_WHOLE, type Route } from "../../api/index.ts";
import type { Page } from "../../registry/index.ts";
import { readMessage } from "./body.ts";
import { badRequest } from "./route.ts";

export const TOO_MANY = `there are more than ${MAX_WHOLE} lines: ask for pages with limit=1000, and for the next one with after=<next>`;

/** The lines that a request asks for: a page, or everything if that is little. */
export interface Paging<T> extends Page<T> {
  readonly isWhole: boolean;
}

/**
 * Reads `after` and `limit`. A client that sends neither gets everything or an error, never a part.
 * @param read reads `after`; null if it is not valid
 * @throws HttpError `bad_request`
 */
export function readPaging<T>(request: Request, read: (after: string) => T | null): Paging<T> {
  const { searchParams } = new URL(request.url);
  const [givenAfter, givenLimit] = [searchParams.get("after"), searchParams.get("limit")];
  if (givenAfter === null && givenLimit === null) return { after: null, limit: MAX_WHOLE, isWhole: true };
  const after = givenAfter === null ? null : read(givenAfter);
  if (givenAfter !== null && after === null) {
    throw badRequest("after must be the `next` of the page before");
  }
  const limit = Number(givenLimit ?? MAX_PAGE);
  if (!/^\d{1,4}$/.test(givenLimit ?? "1") || limit < 1 || limit > MAX_PAGE) {
    throw badRequest(`limit must be a whole number from 1 to ${MAX_PAGE}`);
  }
  return { after, limit, isWhole: false };
}

/** The filters of a request. @throws HttpError `bad_request` */
export function readFilters({ filters = {} }: Route, request: Request): Readonly<Record<string, string>> {
  const { searchParams } = new URL(request.url);
  return Object.fromEntries(
    Object.entries(filters).flatMap(([name, schema]) => {
      const given = searchParams.get(name);
      return given === null ? [] : [[name, readMessage(schema, given, name)]];
    }),
  );
}

/** One line more than the page has: it shows whether there is a next page. */
export const oneMore = <T>({ after, limit }: Paging<T>): Page<T> => ({ after, limit: limit + 1 });

/**
 * Cuts the page from lines in order; there is one line more if there is a next page.
 * @throws HttpError `bad_request` where everything was asked for and is too much
 */
export function pageOf<L, T>(
  lines: readonly L[],
  { limit, isWhole }: Paging<T>,
  keyOf: (line: L) => T,
): { readonly page: readonly L[]; readonly next: T | null } {
  if (lines.length <= limit) return { page: lines, next: null };
  if (isWhole) throw badRequest(TOO_MANY);
  return { page: lines.slice(0, limit), next: keyOf(lines[limit - 1] as L) };
}
