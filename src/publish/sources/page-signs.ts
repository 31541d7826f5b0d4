/**
 * What a service says beside the items of a page: that there are more, or that something failed. Services spell it in many
 * ways, so names are compared without case, prefix and punctuation, wherever they stand outside the list of items.
 */
import type { Page } from "./page.ts";

/** A sign, and where it stands: a JSON pointer, the name of a header, or `?` and a parameter of the URL. */
export interface Sign {
  readonly place: string;
  readonly says: string;
  /** What does not fit it. */
  readonly but?: string;
}

/** What was read so far, this page included. */
export interface ReadSoFar {
  readonly items: number;
  readonly pages: number;
  /** On this page. */
  readonly itemsOfPage: number;
}

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Lead to the next page, or say that there is one. */
const NEXT = words(`
  next nextlink nexturl nexturi nexthref nextpage nextpagetoken nextpageurl nextpageuri nextpagelink nextpagecursor nextpagekey
  nextpageid nextpagenumber nexttoken nextcursor nextmarker nextoffset nextskip nextstart nextindex nextkey nextid nextbatch
  nextset nextrecords nextrecordsurl nextresults skiptoken nextskiptoken continuation continuationtoken continue continuetoken
  mscontinuation mscontinuationtoken lastevaluatedkey morelink moreurl
  hasmore hasnext hasnextpage hasmorepages hasmoreitems hasmoreresults hasmorerecords hasmoredata more moreresults moreitems
  morerecords morepages moreavailable moredata istruncated truncated incomplete isincomplete incompleteresults partial ispartial
  partialresults limitexceeded sizelimitexceeded`);
/** Say no on a page that is not the last. */
const LAST = words("last islast islastpage lastpage done isdone complete iscomplete finished isfinished");
/** Say how many items all pages have. */
const ITEMS = words(`
  total totalresults totalcount count totalitems totalelements totalrecords totalrows totalhits totalentries totalsize totalusers
  totalobjects totalresources totalmatches totalnumber totalnum wptotal numfound found resultcount recordcount recordstotal
  recordsfiltered itemcount rowcount contentrange`);
/** Say how many pages there are. */
const PAGES = words(
  "totalpages pagecount pages pagestotal numpages numberofpages lastpage lastpagenumber maxpage wptotalpages",
);
/** Say how many items a page has at most. */
const LIMITS = words(
  "limit pagesize perpage pagelimit resultsperpage itemsperpage maxresults maxitems maxrecords maxpagesize",
);
/** The same, as parameters of the URL. In an answer they may be the number of its items. */
const LIMIT_PARAMETERS = words("top count first size rows take results");
const ERRORS = words(`
  error errors errormessage errormsg errorcode errordescription errordetail errordetails fault faults exception exceptions failure
  failures failed`);
/** Say no if something failed. */
const SUCCESS = words("success successful issuccess succeeded ok isok");
const STATUS = words("status statuscode httpstatus httpstatuscode code");
const FAILED = words("error fail failed failure");

/** Members within members that are looked at. */
const DEPTH = 4;

const plain = (name: string): string =>
  name
    .replace(/^(?:@?odata\.|x-(?=.))/i, "")
    .replaceAll(/[^a-z0-9]/gi, "")
    .toLowerCase();

/** Texts with which services say no or none. */
const UNSET = words("false no none null 0 -1 undefined");

/** Whether a value is there and says something, such as a link, a token, or yes. */
function isSet(value: unknown): boolean {
  if (typeof value === "string") return value.trim() !== "" && !UNSET.has(value.trim().toLowerCase());
  if (typeof value === "number") return value > 0;
  if (typeof value === "object" && value !== null) return Object.values(value).some(isSet);
  return value === true;
}

const saysNo = (value: unknown): boolean => value === false || value === "false";

/** A number, also as text, or in the member `value`, as in `{"total": {"value": 3}}`. */
function numberIn(value: unknown): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "string" && /^\d{1,15}$/.test(value.trim())) return Number(value);
  const inner = (value as { readonly value?: unknown } | null)?.value;
  return typeof inner === "number" ? inner : null;
}

interface Member {
  readonly place: string;
  readonly name: string;
  readonly value: unknown;
}

/**
 * The members of an answer and of the objects in it. The items are in an array, which is not entered.
 * @param ignored places that mean something else, with all in them
 */
function* membersOf(value: unknown, ignored: readonly string[], path = "", depth = DEPTH): Generator<Member> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || depth === 0) return;
  for (const [name, inner] of Object.entries(value)) {
    const place = `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (ignored.includes(place)) continue;
    yield { place, name: plain(name), value: inner };
    yield* membersOf(inner, ignored, place, depth - 1);
  }
}

/** The headers of an answer, as members. */
function* headersOf(headers: Headers, ignored: readonly string[]): Generator<Member> {
  for (const [place, value] of headers) {
    if (ignored.includes(place)) continue;
    const name = plain(place);
    if (name === "contentrange") {
      yield { place, name, value: value.slice(value.lastIndexOf("/") + 1) };
    } else if (name === "pagination" && value.startsWith("{")) {
      for (const { name, value: inner } of membersOf(parsed(value), [])) yield { place, name, value: inner };
    } else if (!LIMITS.has(name)) yield { place, name, value };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A link in the header `Link` (RFC 8288) whose relations have `next`. Texts in quotes before it may say anything. */
const NEXT_LINK = /;\s*rel\s*=\s*(?:next(?![^\s;,])|"(?:[^"]*\s)?next[\s"])/i;
const isNextLink = (value: unknown): boolean =>
  typeof value === "string"
    ? NEXT_LINK.test(value.replaceAll(/;\s*(?!rel\s*=)[\w*-]+\s*=\s*"[^"]*"/gi, ""))
    : Array.isArray(value) && value.some((link) => isNextIn(link));
const isNextIn = (link: unknown): boolean => {
  const { rel, relation } = (link ?? {}) as { readonly rel?: unknown; readonly relation?: unknown };
  return rel === "next" || relation === "next";
};

/**
 * Why a page that is taken for the last one may not be it.
 * @param ignored places that mean something else
 * @returns null if nothing says so
 */
export function signOfMore(
  page: Page,
  url: string,
  read: ReadSoFar,
  ignored: readonly string[],
): Sign | null {
  const { items, pages, itemsOfPage } = read;
  let isAll = false;
  let full: Sign | null = null;
  const note = (place: string, limit: number | null): void => {
    if (limit === null || limit < 1 || itemsOfPage < limit) return;
    full ??= {
      place,
      says: `the page is full: it has ${itemsOfPage} items, and a page has at most ${limit}`,
    };
  };
  const members = [...membersOf(page.body, ignored), ...headersOf(page.headers, ignored)];
  for (const { place, name, value } of members) {
    const isMore =
      (NEXT.has(name) && isSet(value)) ||
      (LAST.has(name) && saysNo(value)) ||
      (/^links?$/.test(name) && isNextLink(value));
    if (isMore) return { place, says: "the answer says that it is not the last page" };
    const number = numberIn(value);
    if (ITEMS.has(name) && number !== null) {
      const says = `the answer says that there are ${number} items`;
      if (number > items) return { place, says, but: wereRead(items) };
      isAll = true;
    }
    if (PAGES.has(name) && number !== null && number > pages) {
      const says = `the answer says that there are ${number} pages`;
      return { place, says, but: wereRead(pages) };
    }
    if (LIMITS.has(name)) note(place, number);
  }
  if (pages > 1) return null;
  for (const [parameter, value] of new URL(url).searchParams) {
    const place = `?${parameter}`;
    const name = plain(parameter.replace(/^page\[(.*)\]$/, "$1"));
    if ((LIMITS.has(name) || LIMIT_PARAMETERS.has(name)) && !ignored.includes(place))
      note(place, numberIn(value));
  }
  return isAll ? null : full;
}

const wereRead = (count: number): string => (count === 1 ? "1 was read" : `${count} were read`);

/** What a page says of an error, null if nothing. @param ignored places that mean something else */
export function signOfError({ body }: Page, ignored: readonly string[]): Sign | null {
  for (const { place, name, value } of membersOf(body, ignored)) {
    const isError =
      (ERRORS.has(name) && (isSet(value) || (typeof value === "number" && value !== 0))) ||
      (SUCCESS.has(name) && saysNo(value)) ||
      (STATUS.has(name) && isFailure(value));
    if (isError) return { place, says: "the answer reports an error" };
  }
  return null;
}

const isFailure = (value: unknown): boolean =>
  typeof value === "string" ? FAILED.has(value.toLowerCase()) : typeof value === "number" && value >= 400;
