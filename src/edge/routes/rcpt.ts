import { checkRequest, MAX_RECIPIENTS, ROUTES } from "../../api/index.ts";
import { type Answer, parseRecipient, unavailable } from "../../directory/index.ts";
import { type Query, queryOf } from "../../reader/index.ts";
import { HttpError, json, mediaType, readText, text, wantsText } from "../http.ts";
import { parseMessage } from "./body.ts";
import { badRequest, type CheckHandler, type RouteCall } from "./route.ts";

/** The recipients of a request, one or a list. */
interface Asked {
  readonly recipients: readonly string[];
  readonly isList: boolean;
  /** Whether to answer in lines of text. */
  readonly isText: boolean;
  readonly floors?: Readonly<Record<string, number>> | null;
}

/** The check of one recipient or of up to a thousand. */
export const postRcpt: CheckHandler<"postRcpt"> = (call) => {
  const { request, deployment } = call;
  const type = mediaType(request);
  if (type !== "application/json" && type !== "text/plain") {
    throw new HttpError("unsupported_media_type", "send recipients as application/json or as text/plain");
  }
  const isText = wantsText(request, type);
  return readText(request, ROUTES.postRcpt.body.limit, deployment.ports.timers).then((body) =>
    respond(call, type === "text/plain" ? readLines(body, isText) : readRecipients(body, isText)),
  );
};

/** For people, and for clients that cannot POST. */
export const getRcpt: CheckHandler<"getRcpt"> = (call) =>
  respond(call, {
    recipients: [call.params.address],
    isList: false,
    isText: wantsText(call.request),
  });

function readLines(body: string, isText: boolean): Asked {
  // One line more than the limit, and the rest after the last line break.
  const lines = body.split("\n", MAX_RECIPIENTS + 2);
  if (lines.at(-1) === "") lines.pop();
  const recipients = lines.map((line) => line.replace(/\r$/, ""));
  if (isJson(body, recipients)) {
    throw badRequest("the text is JSON, not lines of addresses: send it as application/json");
  }
  return { recipients, isList: true, isText };
}

/**
 * Whether text that was sent as lines of addresses is JSON, whole or truncated: the client forgot its Content-Type. An
 * address may begin with a brace or a quotation mark too, and gets its answer.
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

function readRecipients(body: string, isText: boolean): Asked {
  const request = parseMessage(checkRequest, body);
  if ("recipient" in request) {
    return { recipients: [request.recipient], isList: false, isText, floors: request.floor ?? null };
  }
  return "recipients" in request
    ? { recipients: request.recipients, isList: true, isText, floors: request.floor ?? null }
    : { recipients: request, isList: true, isText };
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

/** Checks one recipient. @throws HttpError `unauthorized` where the token was revoked meanwhile */
export async function checkOne(call: RouteCall, recipient: string): Promise<Answer> {
  const query = queryOf(recipient, null, call.caller.domains);
  const [answer] = await checkCovered(call, [query]);
  return answer as Answer;
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
  const results = await checkCovered(call, queries);
  return isText ? text(results.map(({ reply }) => `${reply}\n`).join("")) : json({ results });
}

async function checkCovered(call: RouteCall, queries: readonly Query[]): Promise<Answer[]> {
  const { deployment, context, caller } = call;
  const covered = queries.filter((query) => isCovered(caller.domains, query));
  const answers = await deployment.reader.checkAll(context, covered);
  requireStillValid(call);
  let next = 0;
  return queries.map((query) => (covered[next] === query ? (answers[next++] as Answer) : notCovered(query)));
}

/** While the check waited for a confirmation, the Registry may have revoked the token of this request. */
function requireStillValid({ access, caller }: RouteCall): void {
  if (!access.isValid(caller)) throw new HttpError("unauthorized", "the token has expired or was revoked");
}

/** Whether a token for these domains may ask. An address without a readable domain has nothing to hide. */
function isCovered(domains: ReadonlySet<string> | null, { recipient }: Query): boolean {
  if (domains === null || recipient.kind === "postmaster" || recipient.kind === "malformed") return true;
  return recipient.kind !== "literal" && domains.has(recipient.domain);
}

const notCovered = ({ text: asked }: Query): Answer =>
  unavailable(asked, "this token does not cover the recipient's domain");
