/**
 * MTA Hooks: `POST /v1/hooks/mta` of the edge, and of a bridge. Two dialects are understood: that of Stalwart's releases
 * (crates/smtp/src/inbound/hooks of stalwartlabs/stalwart, protocol version 1), and that of draft-degennaro-mta-hooks, with
 * the answers of -01 or, for clients that accept these, with JSON Patches as -02 describes them.
 */
import * as v from "valibot";
import { type Answer, VERDICTS } from "../directory/index.ts";
import type { HookAnswer, HookReply } from "./answers/hooks.ts";
import { choice, listOf, named, open, read, text } from "./schema.ts";

/** Recipients up to now; the last one is the one that is asked about. */
const envelope = v.exactOptional(open({ to: listOf(open({ address: text })) }));

const stalwartRequest = open({ context: open({ stage: text }), envelope });
const draftRequest = open({ stage: text, envelope });

/** What a mail server sends at a stage of the SMTP conversation. All else in it decides nothing. */
export const hookRequest = named(
  "MtaHookRequest",
  choice<typeof stalwartRequest | typeof draftRequest>([stalwartRequest, draftRequest], (value) =>
    Object(value).stage === undefined ? stalwartRequest : draftRequest,
  ),
);

/** Clients of the draft must send it. */
export const DRAFT_HEADER = "X-MTA-Hooks-Request-Id";
/** The media type of a JSON Patch (RFC 6902, section 6). */
export const JSON_PATCH = "application/json-patch+json";

/** Stages that ask about no recipient. A stage that is not known is not accepted: it may be a recipient's. */
const OTHER_STAGES: readonly string[] = ["connect", "ehlo", "auth", "mail", "data"];
/** The draft's stages after a message was accepted. */
const OUTBOUND_STAGES: readonly string[] = ["route", "delivery", "defer", "dsn"];

/** How a dialect says that a recipient gets this reply, or, without one, that it is accepted. */
export type Dialect = (reply?: HookReply) => HookAnswer;

/** Stalwart's code reads `enhanced_status`, and its documentation has `enhancedStatus`. */
const stalwart: Dialect = (reply) =>
  reply === undefined
    ? { action: "accept" }
    : {
        action: "reject",
        response: {
          status: reply.code,
          enhanced_status: reply.enhancedCode,
          enhancedStatus: reply.enhancedCode,
          message: reply.message,
          disconnect: false,
        },
      };

/** Changes nothing where it accepts: setting the action would undo what another hook, or the mail server, decided. */
const draft: Dialect = (reply) => ({
  set:
    reply === undefined
      ? []
      : [
          { path: "/action", value: "reject" },
          { path: "/response", value: reply },
        ],
});

/** `add` also replaces a member that is there (RFC 6902, section 4.1). An empty patch changes nothing. */
const jsonPatch: Dialect = (reply) =>
  reply === undefined
    ? []
    : [
        { op: "add", path: "/action", value: "reject" },
        { op: "add", path: "/response", value: reply },
      ];

/** Where the dialect cannot be told. Without members of its own, a client could take a deferral for an accept. */
const both: Dialect = (reply) => ({ ...stalwart(reply), ...draft(reply) });

export const DIALECTS = { stalwart, draft, jsonPatch };

/** The dialect that headers name, or null. @param header reads one by its name in lower case */
export function namedDialect(header: (name: string) => string | null | undefined): Dialect | null {
  if (header("accept")?.toLowerCase().includes(JSON_PATCH)) return jsonPatch;
  return header(DRAFT_HEADER.toLowerCase()) == null ? null : draft;
}

/** What a request means, and the dialect of its answer. */
export type Hook = { readonly dialect: Dialect } & (
  | { readonly kind: "ask"; readonly recipient: string }
  /** A stage at which there is nothing to judge. */
  | { readonly kind: "other" }
  /** The request cannot be understood. */
  | { readonly kind: "fault"; readonly why: string }
);

/** A request that cannot be understood. @param named the dialect that its headers name */
export const unreadHook = (why: string, named: Dialect | null): Hook => ({
  kind: "fault",
  why,
  dialect: named ?? both,
});

/** Reads the body of a request. @param named the dialect that its headers name */
export function readHook(body: string, named: Dialect | null): Hook {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return unreadHook("the body is not JSON", named);
  }
  const { context, stage: ownStage } = Object(value) as Readonly<Record<string, unknown>>;
  const speaksDraft = named !== null || ownStage !== undefined;
  if (speaksDraft === (context !== undefined)) {
    const why = "the dialect cannot be told: the body must have either stage or context";
    return { kind: "fault", why, dialect: named === jsonPatch ? jsonPatch : both };
  }
  const dialect = speaksDraft ? (named ?? draft) : stalwart;
  const sent = speaksDraft ? ownStage : Object(context).stage;
  // Stalwart's code writes lower case, and its documentation upper case.
  const stage = typeof sent === "string" ? sent.toLowerCase() : "";
  if (OTHER_STAGES.includes(stage) || (speaksDraft && OUTBOUND_STAGES.includes(stage))) {
    return { kind: "other", dialect };
  }
  const { value: request, fault } = read(speaksDraft ? draftRequest : stalwartRequest, value);
  if (fault !== undefined) return { kind: "fault", why: fault, dialect };
  if (stage !== "rcpt") return { kind: "fault", why: "the stage is not known", dialect };
  const recipient = request.envelope?.to.at(-1)?.address;
  return recipient
    ? { kind: "ask", recipient, dialect }
    : { kind: "fault", why: "envelope.to has no recipient", dialect };
}

/** The answer about a recipient. A reply that does not fit its action becomes a deferral. */
export function hookAnswer(dialect: Dialect, { action, reply }: Answer): HookAnswer {
  if (action === "accept") return dialect();
  const [, code, enhancedCode, message] = /^(\d{3}) (\d\.\d{1,3}\.\d{1,3}) +(\S.*)$/.exec(reply) ?? [];
  const kind = action === "reject" ? "5" : "4";
  return code?.startsWith(kind) && enhancedCode?.startsWith(kind)
    ? dialect({ code: Number(code), enhancedCode, message: message as string })
    : hookDeferral(dialect, VERDICTS.unavailable.text);
}

/** @param why in printable ASCII; the SMTP client gets it */
export const hookDeferral = (dialect: Dialect, why: string): HookAnswer =>
  dialect({ code: 451, enhancedCode: "4.3.0", message: why });
