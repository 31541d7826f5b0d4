import { MAX_CHECK_BODY, MAX_RECIPIENTS } from "../../api/contract.ts";
import { type Answer, unavailable } from "../../directory/index.ts";
import { check, checkAll, queryOf } from "../check.ts";
import type { Query } from "../decide.ts";
import { HttpError, json, mediaType, parseJson, readText, text, wantsText } from "../http.ts";
import { type Route, type RouteContext, readNumber, readObject, readTexts } from "./route.ts";

/** Recipients as they were asked about, one or a list. */
interface Asked {
  readonly recipients: readonly string[];
  readonly isList: boolean;
  /** Whether the answer shall be lines of text. */
  readonly isText: boolean;
  readonly floors?: Readonly<Record<string, number>>;
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
  async handle(context) {
    return respond(context, await readAsked(context));
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
  async handle(context) {
    return respond(context, {
      recipients: [context.params.address ?? ""],
      isList: false,
      isText: wantsText(context.request),
    });
  },
};

async function readAsked({ request, isolate }: RouteContext): Promise<Asked> {
  const type = mediaType(request);
  if (type !== "application/json" && type !== "text/plain") {
    throw new HttpError("unsupported_media_type", "send recipients as application/json or as text/plain");
  }
  const body = await readText(request, MAX_CHECK_BODY, isolate.ports);
  const asked = {
    ...(type === "text/plain" ? readLines(body) : readRecipients(parseJson(body))),
    isText: wantsText(request, type),
  };
  if (asked.recipients.length > MAX_RECIPIENTS) {
    throw new HttpError("too_large", `more than ${MAX_RECIPIENTS} recipients in one request`);
  }
  return asked;
}

function readLines(body: string): Omit<Asked, "isText"> {
  // One line more than are taken, and what stands behind the last one's end.
  const lines = body.split("\n", MAX_RECIPIENTS + 2);
  if (lines.at(-1) === "") lines.pop();
  return { recipients: lines.map((line) => line.replace(/\r$/, "")), isList: true };
}

function readRecipients(value: unknown): Omit<Asked, "isText"> {
  if (Array.isArray(value)) return { recipients: readTexts(value, "recipients"), isList: true };
  const { recipient, recipients, floor } = readObject(value, "the body");
  const floors = floor === undefined ? {} : { floors: readFloors(floor) };
  if (typeof recipient === "string" && recipients === undefined) {
    return { recipients: [recipient], isList: false, ...floors };
  }
  if (recipient === undefined && recipients !== undefined) {
    return { recipients: readTexts(recipients, "recipients"), isList: true, ...floors };
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

async function respond(context: RouteContext, asked: Asked): Promise<Response> {
  const { access, caller } = context;
  const answers = await answersTo(
    context,
    asked.recipients.map((recipient) => queryOf(recipient, asked.floors)),
  );
  // The confirmation that a refusal waited for may have told that this very token was revoked.
  if (!access.isValid(caller)) throw new HttpError("unauthorized", "the token has expired or was revoked");
  const [only] = answers;
  const status = !asked.isList && only?.verdict === "unavailable" ? 503 : 200;
  if (asked.isText) return text(answers.map((each) => `${each.reply}\n`).join(""), status);
  return json(asked.isList ? { results: answers } : only, status);
}

async function answersTo(context: RouteContext, queries: readonly Query[]): Promise<readonly Answer[]> {
  const { isolate, scope, caller } = context;
  const [first] = queries;
  if (queries.length === 1 && first !== undefined) {
    return [isCovered(caller.domains, first) ? await check(isolate, scope, first) : notCovered(first)];
  }
  const covered = queries.filter((query) => isCovered(caller.domains, query));
  const answers = await checkAll(isolate, scope, covered);
  let next = 0;
  return queries.map((query) => (covered[next] === query ? (answers[next++] as Answer) : notCovered(query)));
}

/** Whether a token with these domains may ask: where no domain could be read, there is nothing to hide. */
function isCovered(domains: ReadonlySet<string> | null, { recipient }: Query): boolean {
  if (domains === null || recipient.kind === "postmaster" || recipient.kind === "malformed") return true;
  return recipient.kind === "mailbox" && domains.has(recipient.domain);
}

const notCovered = ({ text: asked }: Query): Answer =>
  unavailable(asked, "this token does not cover the recipient's domain");
