import { describe, expect, it } from "vitest";
import type { Source } from "../../src/publish/index.ts";
import { hostOf, linesOf, openOne, refusal } from "./support/reading.ts";

/** What a service answers: by path and query, a body and headers. */
type Pages = Readonly<Record<string, { readonly body: unknown; readonly headers?: Record<string, string> }>>;

const ORIGIN = "https://directory.example";
const USERS = [{ mail: "a@x" }, { mail: "b@x" }];

function open(pages: Pages, settings: Readonly<Record<string, unknown>> = {}): Source {
  const all = { kind: "http", url: `${ORIGIN}/p1`, items: "/users", addresses: ["/mail"], ...settings };
  const answer = (url: string): Response => {
    const page = pages[url.slice(ORIGIN.length)];
    return page === undefined
      ? new Response(null, { status: 404 })
      : new Response(JSON.stringify(page.body), { headers: page.headers ?? {} });
  };
  return openOne(all, hostOf("/", { fetch: async (url) => answer(url) }));
}

/** One page with users and what stands beside them. */
const beside = (more: object): Pages => ({ "/p1": { body: { ...more, users: USERS } } });
const header = (name: string, value: string): Pages => ({
  "/p1": { body: { users: USERS }, headers: { [name]: value } },
});

/** Every usual way to say that a page is not the last: what is said, and how messages name the place. */
const MORE: readonly (readonly [pages: Pages, place: string, url?: string])[] = [
  ...[
    "next",
    "nextLink",
    "next_link",
    "@odata.nextLink",
    "odata.nextLink",
    "nextUrl",
    "next_url",
    "nextUri",
    "next_href",
    "nextPage",
    "next_page",
    "nextPageToken",
    "next_page_token",
    "nextPageUrl",
    "next_page_url",
    "nextPageUri",
    "nextPageLink",
    "nextPageCursor",
    "nextToken",
    "NextToken",
    "next_token",
    "next-token",
    "nextCursor",
    "next_cursor",
    "nextMarker",
    "NextMarker",
    "nextOffset",
    "next_offset",
    "nextStart",
    "nextIndex",
    "nextKey",
    "next_key",
    "nextId",
    "nextRecordsUrl",
    "nextBatch",
    "skipToken",
    "$skiptoken",
    "continuationToken",
    "continuation_token",
    "continuation",
    "continue",
    "LastEvaluatedKey",
    "moreLink",
  ].flatMap((name): (readonly [Pages, string])[] => [
    [beside({ [name]: "abc" }), `/${name}`],
    [beside({ meta: { [name]: "abc" } }), `/meta/${name}`],
  ]),
  [beside({ next_page: 2 }), "/next_page"],
  [beside({ next: true }), "/next"],
  [beside({ next: { href: "/p2" } }), "/next"],
  [beside({ _links: { next: { href: "/p2" } } }), "/_links/next"],
  [beside({ links: { next: "/p2" } }), "/links/next"],
  [beside({ links: [{ rel: "self" }, { rel: "next", href: "/p2" }] }), "/links"],
  [beside({ link: [{ relation: "next", url: "/p2" }] }), "/link"],
  [beside({ paging: { next: { after: "Mg==" } } }), "/paging/next"],
  [beside({ response_metadata: { next_cursor: "dGVhb" } }), "/response_metadata/next_cursor"],
  [beside({ meta: { pagination: { links: { next: "/p2" } } } }), "/meta/pagination/links/next"],
  ...[
    "hasMore",
    "has_more",
    "hasNext",
    "has_next",
    "hasNextPage",
    "has_next_page",
    "hasMorePages",
    "hasMoreItems",
    "has_more_items",
    "hasMoreResults",
    "hasMoreRecords",
    "more",
    "moreResults",
    "more_results",
    "moreItems",
    "moreRecords",
    "more_records",
    "moreAvailable",
    "moreData",
    "isTruncated",
    "IsTruncated",
    "is_truncated",
    "truncated",
    "incomplete_results",
    "partial",
    "isPartial",
    "sizeLimitExceeded",
  ].map((name) => [beside({ [name]: true }), `/${name}`] as const),
  [beside({ more: 1 }), "/more"],
  [beside({ has_more: "true" }), "/has_more"],
  [beside({ pageInfo: { hasNextPage: true, endCursor: "x" } }), "/pageInfo/hasNextPage"],
  ...[
    "last",
    "isLast",
    "is_last",
    "isLastPage",
    "lastPage",
    "last_page",
    "done",
    "complete",
    "isComplete",
  ].map((name) => [beside({ [name]: false }), `/${name}`] as const),
  ...[
    "total",
    "totalResults",
    "total_results",
    "totalCount",
    "total_count",
    "TotalCount",
    "@odata.count",
    "odata.count",
    "count",
    "totalItems",
    "total_items",
    "totalElements",
    "totalRecords",
    "total_records",
    "totalRows",
    "total_rows",
    "totalHits",
    "totalEntries",
    "total_entries",
    "totalSize",
    "totalUsers",
    "total_users",
    "totalMatches",
    "numFound",
    "found",
    "resultCount",
    "recordCount",
    "recordsTotal",
    "recordsFiltered",
    "itemCount",
    "rowCount",
  ].map((name) => [beside({ [name]: 3 }), `/${name}`] as const),
  [beside({ total: "3" }), "/total"],
  [beside({ page: { size: 2, totalElements: 3, number: 0 } }), "/page/totalElements"],
  [beside({ hits: { total: { value: 10_000 } } }), "/hits/total"],
  ...[
    "totalPages",
    "total_pages",
    "pageCount",
    "page_count",
    "pages",
    "numPages",
    "num_pages",
    "lastPage",
    "last_page",
  ].map((name) => [beside({ [name]: 2 }), `/${name}`] as const),
  ...[
    "limit",
    "pageSize",
    "page_size",
    "perPage",
    "per_page",
    "pageLimit",
    "resultsPerPage",
    "maxResults",
    "max_results",
  ].map((name) => [beside({ [name]: 2, offset: 0 }), `/${name}`] as const),
  ...[
    "limit",
    "pageSize",
    "page_size",
    "per_page",
    "$top",
    "top",
    "maxResults",
    "max-results",
    "count",
    "first",
    "rows",
    "size",
    "page[size]",
  ].map(
    (name) =>
      [{ [`/p1?${name}=2`]: { body: { users: USERS } } }, `?${name}`, `${ORIGIN}/p1?${name}=2`] as const,
  ),
  [header("Link", '</p2>; rel="next"'), "link"],
  [header("Link", "</p0>; rel=prev, </p2>; title=x; rel=next"), "link"],
  [header("Link", '</p2>; rel="last next"'), "link"],
  [header("X-Next-Page", "2"), "x-next-page"],
  [header("X-Next-Cursor", "abc"), "x-next-cursor"],
  [header("X-Continuation-Token", "abc"), "x-continuation-token"],
  [header("X-MS-Continuation", "abc"), "x-ms-continuation"],
  [header("X-Has-More", "true"), "x-has-more"],
  [header("X-Total-Count", "3"), "x-total-count"],
  [header("X-Total", "3"), "x-total"],
  [header("X-WP-Total", "3"), "x-wp-total"],
  [header("X-Total-Pages", "2"), "x-total-pages"],
  [header("X-WP-TotalPages", "2"), "x-wp-totalpages"],
  [header("Content-Range", "users 0-1/3"), "content-range"],
  [header("X-Pagination", '{"TotalCount":3,"PageSize":2}'), "x-pagination"],
];

/** Every usual way to say that a page holds an error. */
const ERRORS: readonly (readonly [more: object, place: string])[] = [
  ...[
    "error",
    "errors",
    "Error",
    "fault",
    "exception",
    "errorMessage",
    "error_message",
    "errorCode",
    "error_code",
  ].map((name) => [{ [name]: "quota" }, `/${name}`] as const),
  ...["error_description", "errorDescription", "@odata.error", "failure", "failures"].map(
    (name) => [{ [name]: "quota" }, `/${name}`] as const,
  ),
  [{ error: { code: 429, message: "quota" } }, "/error"],
  [{ errors: [{ message: "field not found" }] }, "/errors"],
  [{ error: true }, "/error"],
  [{ errorCode: -1 }, "/errorCode"],
  [{ success: false }, "/success"],
  [{ ok: false, error: "ratelimited" }, "/ok"],
  [{ status: "error" }, "/status"],
  [{ status: "Failed" }, "/status"],
  [{ status: 500 }, "/status"],
  [{ statusCode: 429 }, "/statusCode"],
  [{ meta: { errors: ["x"] } }, "/meta/errors"],
  [{ response: { status: "fail" } }, "/response/status"],
];

describe("how an HTTP source pages", () => {
  it("must be said", async () => {
    const error = await refusal(() => open(beside({})));
    expect(error.message).toBe("source hr does not say how the service pages");
    expect(error.hint).toBe(
      'set next_url, or next_token and token_parameter; or pages = "none" if one answer has all',
    );
    expect(await linesOf(open(beside({}), { pages: "none" }))).toHaveLength(2);
  });

  it.each([{ next_url: "/next" }, { next_token: "/next", token_parameter: "t" }])(
    "is said once: %j",
    async (settings) => {
      const error = await refusal(() => open(beside({}), { ...settings, pages: "none" }));
      expect(error.message).toBe('source hr has pages = "none" and names a next page');
    },
  );
});

describe("a page that says that there are more, and is taken for the only one", () => {
  const rows = MORE.map(([pages, place, url = `${ORIGIN}/p1`]) => [pages, place, url] as const);

  it.each(rows)("is refused: %j", async (pages, place, url) => {
    const settings = { pages: "none", url };
    const error = await refusal(() => linesOf(open(pages, settings)));
    expect(error.message).toContain(`(${place})`);
    expect(await linesOf(open(pages, { ...settings, ignore: [place] }))).toHaveLength(2);
  });

  it("is refused as well if the settings look for the next page elsewhere", async () => {
    for (const [pages, place, url] of rows) {
      const settings = { next_url: "/typo", url };
      expect((await refusal(() => linesOf(open(pages, settings)))).message).toContain(`(${place})`);
    }
  });

  it("is refused if all pages have fewer items than the last one says, and not if they have as many", async () => {
    const pages = (last: number): Pages => ({
      "/p1": { body: { total: 3, users: [{ mail: "a@x" }], next: "/p2" } },
      "/p2": { body: { total: last, users: [{ mail: "b@x" }] } },
    });
    const settings = { next_url: "/next" };
    expect((await refusal(() => linesOf(open(pages(3), settings)))).message).toBe(
      "source hr: the answer says that there are 3 items (/total), but 2 were read",
    );
    expect(await linesOf(open(pages(2), settings))).toHaveLength(2);
  });

  it("says what it found, and what to do", async () => {
    const said = async (more: object): Promise<readonly string[]> => {
      const { message, hint } = await refusal(() => linesOf(open(beside(more), { pages: "none" })));
      return [message, hint];
    };
    const ignore = (place: string): string =>
      `set next_url, or next_token and token_parameter; for other ways of paging, use a source of kind command. If it is something else, set ignore = ["${place}"]`;
    expect(await said({ has_more: true })).toEqual([
      "source hr: the answer says that it is not the last page (/has_more)",
      ignore("/has_more"),
    ]);
    expect(await said({ meta: { total: 3 } })).toEqual([
      "source hr: the answer says that there are 3 items (/meta/total), but 2 were read",
      ignore("/meta/total"),
    ]);
    expect(await said({ totalPages: 9 })).toEqual([
      "source hr: the answer says that there are 9 pages (/totalPages), but 1 was read",
      ignore("/totalPages"),
    ]);
    expect(await said({ limit: 2 })).toEqual([
      "source hr: the page is full: it has 2 items, and a page has at most 2 (/limit)",
      ignore("/limit"),
    ]);
  });
});

describe("a page that is the last", () => {
  it.each<object>([
    { next: null, nextPageToken: "", next_cursor: null, "@odata.nextLink": null, nextSyncToken: "x" },
    {
      next: {},
      _links: { next: { href: "" }, self: { href: "/p1" } },
      links: [{ rel: "self", href: "/p1" }],
    },
    { has_more: false, hasNextPage: "false", more: 0, isTruncated: false, is_last: true, done: true },
    { total: 2, count: 2, totalPages: 1, page: 1, limit: 2, itemsPerPage: 2, startIndex: 1 },
    { totalResults: 1, offset: 0, next_offset: -1 },
    { limit: 3, page_size: 100, "@odata.deltaLink": "x", cursor: "x", after_cursor: "x", previous: "x" },
    {
      error: null,
      errors: [],
      error_code: 0,
      success: true,
      ok: true,
      status: "ok",
      statusCode: 200,
      fault: {},
    },
    { errorCode: "0", failures: 0, error_message: "", code: 0, status: "active" },
  ])("is read: %j", async (more) => {
    expect(await linesOf(open(beside(more), { pages: "none" }))).toHaveLength(2);
  });

  it.each<[string, string]>([
    ["Link", '</p0>; rel="prev", </p9>; rel="last"'],
    ["Link", '</p2>; rel="nextish"; title="rel=next"'],
    ["X-Next-Page", ""],
    ["X-Total-Count", "2"],
    ["Content-Range", "users 0-1/2"],
    ["X-RateLimit-Limit", "2"],
    ["Content-Length", "2"],
  ])("is read with the header %s: %s", async (name, value) => {
    expect(await linesOf(open(header(name, value), { pages: "none" }))).toHaveLength(2);
  });

  it("may be full if an earlier page named it", async () => {
    const pages = {
      "/p1?limit=2": { body: { users: USERS, next: "/p2?limit=2" } },
      "/p2?limit=2": { body: { users: USERS } },
    };
    const settings = { url: `${ORIGIN}/p1?limit=2`, next_url: "/next" };
    expect(await linesOf(open(pages, settings))).toHaveLength(4);
  });

  it("is not searched within its items, nor without end", async () => {
    const users = [{ mail: "a@x", next: "x", errors: ["x"] }];
    const deep = { a: { a: { a: { a: { a: { next: "x" } } } } } };
    expect(await linesOf(open({ "/p1": { body: { users, ...deep } } }, { pages: "none" }))).toHaveLength(1);
    expect(await linesOf(open({ "/p1": { body: users } }, { pages: "none", items: "" }))).toHaveLength(1);
  });
});

describe("a page that says that something failed", () => {
  it.each(ERRORS)("is refused with status 200, whichever page it is: %j", async (more, place) => {
    const good = { users: USERS };
    const bad = { users: [], ...more };
    for (const [first, second] of [
      [bad, good],
      [good, bad],
    ]) {
      const pages = { "/p1": { body: { ...first, next: "/p2" } }, "/p2": { body: second } };
      const error = await refusal(() => linesOf(open(pages, { next_url: "/next" })));
      expect(error.message).toContain("source hr: the answer reports an error (");
      expect(error.message).toContain(`(${place})`);
      expect(await linesOf(open(pages, { next_url: "/next", ignore: [place, "/error"] }))).toHaveLength(2);
    }
  });
});

describe("an item without an address", () => {
  const pages = {
    "/p1": { body: { users: [{ mail: "a@x" }, { mail: null }, { name: "x" }, { mail: "sip:x" }] } },
  };

  it("is a fault, unless a setting leaves it out", async () => {
    const settings = { pages: "none", addresses: ["/mail"] };
    expect(await linesOf(open(pages, settings))).toEqual([
      "1 a@x active",
      "2 ! no address (without_address)",
      "3 ! no address (without_address)",
      "4 ! no address (without_address)",
    ]);
    expect(await linesOf(open(pages, { ...settings, without_address: "skip" }))).toEqual(["1 a@x active"]);
  });

  it("is refused if no item has one, whatever is set", async () => {
    const none = { "/p1": { body: { users: [{ name: "x" }, { mail: "" }] } } };
    const error = await refusal(() => linesOf(open(none, { pages: "none", without_address: "skip" })));
    expect(error.message).toBe("source hr: none of 2 items has an address");
  });
});
