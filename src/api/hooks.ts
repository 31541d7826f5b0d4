/**
 * MTA Hooks, as Stalwart's releases speak it (crates/smtp/src/inbound/hooks of stalwartlabs/stalwart, protocol version 1):
 * `POST /v1/hooks/mta` of the edge, and of a bridge. draft-degennaro-mta-hooks is another dialect.
 */
import * as v from "valibot";
import { type Answer, VERDICTS } from "../directory/index.ts";
import type { HookAnswer } from "./answers/hooks.ts";
import { listOf, named, open, read, text } from "./schema.ts";

/** What a mail server sends at a stage of the SMTP conversation. All else in it decides nothing. */
export const hookRequest = named(
  "MtaHookRequest",
  open({
    context: open({ stage: text }),
    /** Recipients up to now; the last one is the one that is asked about. */
    envelope: v.exactOptional(open({ to: listOf(open({ address: text })) })),
  }),
);

/** Stages that ask about no recipient. A stage that is not known is not accepted: it may be a recipient's. */
const OTHER_STAGES: readonly string[] = ["connect", "ehlo", "auth", "mail", "data"];

/** What a request means. */
export type Hook =
  | { readonly kind: "ask"; readonly recipient: string }
  /** A stage at which there is nothing to judge. */
  | { readonly kind: "other" }
  /** The request cannot be understood, and its sender understands a deferral. */
  | { readonly kind: "fault"; readonly why: string }
  /** The request is of the draft's dialect: its sender could take an answer of this one for an accept. */
  | { readonly kind: "foreign"; readonly why: string };

/** Reads the body of a request. */
export function readHook(body: string): Hook {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { kind: "fault", why: "the body is not JSON" };
  }
  const { value: request, fault } = read(hookRequest, value);
  if (fault !== undefined) {
    const { stage, context } = Object(value) as Readonly<Record<string, unknown>>;
    return stage !== undefined && context === undefined
      ? { kind: "foreign", why: "stage stands outside of context: only Stalwart's dialect is spoken here" }
      : { kind: "fault", why: fault };
  }
  // Stalwart's code writes lower case, and its documentation upper case.
  const stage = request.context.stage.toLowerCase();
  if (OTHER_STAGES.includes(stage)) return { kind: "other" };
  if (stage !== "rcpt") return { kind: "fault", why: "context.stage is not known" };
  const recipient = request.envelope?.to.at(-1)?.address;
  return recipient ? { kind: "ask", recipient } : { kind: "fault", why: "envelope.to has no recipient" };
}

/** At the stages that ask about no recipient. */
export const HOOK_ACCEPT: HookAnswer = { action: "accept" };

/** The answer about a recipient. A reply that does not fit its action becomes a deferral. */
export function hookAnswer({ action, reply }: Answer): HookAnswer {
  if (action === "accept") return HOOK_ACCEPT;
  const [, code, status, message] = /^(\d{3}) (\d\.\d{1,3}\.\d{1,3}) +(\S.*)$/.exec(reply) ?? [];
  const kind = action === "reject" ? "5" : "4";
  return code?.startsWith(kind) && status?.startsWith(kind)
    ? reject(Number(code), status, message as string)
    : hookDeferral(VERDICTS.unavailable.text);
}

/** @param why in printable ASCII; the SMTP client gets it */
export const hookDeferral = (why: string): HookAnswer => reject(451, "4.3.0", why);

/** Stalwart's code reads `enhanced_status`, and its documentation has `enhancedStatus`. */
const reject = (status: number, enhanced: string, message: string): HookAnswer => ({
  action: "reject",
  response: { status, enhanced_status: enhanced, enhancedStatus: enhanced, message, disconnect: false },
});
