import { MAX_CHECK_BODY, MAX_RECIPIENTS } from "../../api/contract.ts";
import { type Answer, parseRecipient, unavailable } from "../../directory/index.ts";
import { type Query, queryOf } from "../../reader/index.ts";
import { HttpError, json, mediaType, parseJson, readText, text, wantsText } from "../http.ts";
import { type Route, type RouteCall, readNumber, readObject, readTexts } from "./route.ts";

/** Recipients as they were asked about, one or a list. */
interface Asked {
  readonly recipients: readonly string[];
  readonly isList: boolean;
  /** Whether the answer shall be lines of text. */
  readonly isText: boolean;
  readonly floors?: Readonly<Record<string, number>> | null;
}

/** `POST /v1/rcpt`: the check of one recipient or of up to a thousand. */
export const postRcpt: Route = {
  method: "POST",
  path: "/v1/rcpt",
  roles: ["check"],
  bound: "recipients",
  summary: "Check recipients",
  body: "CheckRequest",
  answer: "CheckAnswer",
  errors: ["bad_request", "timeout", "too_large", "unsupported_media_type", "unconfigured", "unavailable"],
  answersWith503: true,
  handle(call) {
    const { request, deployment } = call;
    const type = mediaType(request);
    if (type !== "application/json" && type !== "text/plain") {
      throw new HttpError("unsupported_media_type", "send recipients as application/json or as text/plain");
    }
    const isText = wantsText(request, type);
    return readText(request, MAX_CHECK_BODY, deployment.ports.timers).then((body) =>
      respond(
        call,
        type === "text/plain" ? readLines(body, isText) : readRecipients(parseJson(body), isText),
      ),
    );
  },
};

/** `GET /v1/rcpt/{address}`: for people, and for clients that can do no better. */
export const getRcpt: Route = {
  method: "GET",
  path: "/v1/rcpt/:address",
  roles: ["check"],
  bound: "recipients",
  summary: "Check one recipient",
  answer: "Answer",
  errors: ["bad_request", "unconfigured", "unavailable"],
  answersWith503: true,
  handle(call) {
    return respond(call, {
      recipients: [call.params.address ?? ""],
      isList: false,
      isText: wantsText(call.request),
    });
  },
};

function readLines(body: string, isText: boolean): Asked {
  // One line more than are taken, and what stands behind the last one's end.
  const lines = body.split("\n", MAX_RECIPIENTS + 2);
  if (lines.at(-1) === "") lines.pop();
  const recipients = lines.map((line) => line.replace(/\r$/, ""));
  if (isJson(body, recipients)) {
    throw new HttpError("bad_request", "the text is JSON, and no lines of addresses: send application/json");
  }
  return { recipients, isList: true, isText };
}

/**
 * Whether text that was sent as lines of addresses is JSON, whole or cut off: what a client sends that forgot its
 * Content-Type. An address may begin with a brace or a quotation mark too, and gets its answer.
 */
function isJson(body: string, lines: readonly string[]): boolean {
  const [, first] = /^\s*([[{"])/.exec(body) ?? [];
  if (first === undefined) return false;
  try {
    JSON.parse(body);
    return true;
  } catch {
    return first !== '"' && !lines.some(isAddress);
  }
}

function isAddress(line: string): boolean {
  const recipient = parseRecipient(line);
  return recipient.kind === "mailbox" ? recipient.wellFormed : recipient.kind === "postmaster";
}

function readRecipients(value: unknown, isText: boolean): Asked {
  if (Array.isArray(value)) return { recipients: readTexts(value, "recipients"), isList: true, isText };
  const { recipient, recipients, floor } = readObject(value, "the body");
  const floors = floor === undefined ? null : readFloors(floor);
  if (typeof recipient === "string" && recipients === undefined) {
    return { recipients: [recipient], isList: false, isText, floors };
  }
  if (recipient === undefined && recipients !== undefined) {
    return { recipients: readTexts(recipients, "recipients"), isList: true, isText, floors };
  }
  throw new HttpError(
    "bad_request",
    "the body must hold one of recipient (text) and recipients (a list of text)",
  );
}

function readFloors(value: unknown): Record<string, number> {
  const floors = readObject(value, "floor");
  for (const [domain, floor] of Object.entries(floors)) readNumber(floor, `floor of ${domain}`);
  return floors as Record<string, number>;
}

function respond(call: RouteCall, asked: Asked): Response | Promise<Response> {
  if (asked.recipients.length > MAX_RECIPIENTS) {
    throw new HttpError("too_large", `more than ${MAX_RECIPIENTS} recipients in one request`);
  }
  const { deployment, context, caller } = call;
  const queries = asked.recipients.map((recipient) => queryOf(recipient, asked.floors, caller.domains));
  const [only] = queries;
  if (asked.isList || only === undefined) return respondToList(call, asked, queries);
  const settled = isCovered(caller.domains, only) ? deployment.reader.check(context, only) : notCovered(only);
  return settled instanceof Promise
    ? settled.then((answer) => respondWith(call, asked, answer))
    : respondWith(call, asked, settled);
}

function respondWith(call: RouteCall, { isText }: Asked, answer: Answer): Response {
  requireStillValid(call);
  const status = answer.verdict === "unavailable" ? 503 : 200;
  return isText ? text(`${answer.reply}\n`, status) : json(answer, status);
}

async function respondToList(
  call: RouteCall,
  { isText }: Asked,
  queries: readonly Query[],
): Promise<Response> {
  const { deployment, context, caller } = call;
  const covered = queries.filter((query) => isCovered(caller.domains, query));
  const answers = await deployment.reader.checkAll(context, covered);
  requireStillValid(call);
  let next = 0;
  const results = queries.map((query) =>
    covered[next] === query ? (answers[next++] as Answer) : notCovered(query),
  );
  return isText ? text(results.map(({ reply }) => `${reply}\n`).join("")) : json({ results });
}

/** The confirmation that a refusal waited for may have told that this very token was revoked. */
function requireStillValid({ access, caller }: RouteCall): void {
  if (!access.isValid(caller)) throw new HttpError("unauthorized", "the token has expired or was revoked");
}

/** Whether a token with these domains may ask: where no domain could be read, there is nothing to hide. */
function isCovered(domains: ReadonlySet<string> | null, { recipient }: Query): boolean {
  if (domains === null || recipient.kind === "postmaster" || recipient.kind === "malformed") return true;
  return recipient.kind !== "literal" && domains.has(recipient.domain);
}

const notCovered = ({ text: asked }: Query): Answer =>
  unavailable(asked, "this token does not cover the recipient's domain");
