/**
 * How Stalwart asks an MTA hook, and what its SMTP client then sees. Stalwart itself was not run: this follows
 * crates/smtp/src/inbound of stalwartlabs/stalwart 0.16.19 (hooks/message.rs, hooks/client.rs, rcpt.rs), member by member.
 */

import { send } from "../mta-hooks/hook-http.ts";
import { hookBody } from "./hook-message.ts";

/** Stalwart's own words (FilterResponse of inbound/mod.rs). */
const ACCEPTED = "250 2.1.5 OK";
const REJECTED = "503 5.5.3 Message rejected.";
const FAILED = "451 4.3.5 Unable to accept message at this time.";

export interface HookSettings {
  readonly url: string;
  /** The `Authorization` header; null without authentication. */
  readonly authorization: string | null;
  /** Milliseconds. */
  readonly timeout: number;
  /** Octets. */
  readonly maxResponseSize: number;
  readonly tempFailOnError: boolean;
  /** The authority of the server's certificate in PEM; null for those of the system. */
  readonly authority: string | null;
}

/** The reply to RCPT TO: what Stalwart makes of the answer to the hook (hooks/client.rs, message.rs and rcpt.rs). */
export async function rcptReply(settings: HookSettings, recipients: readonly string[]): Promise<string> {
  // Stalwart lower-cases addresses before it asks.
  const body = hookBody(
    "rcpt",
    recipients.map((recipient) => recipient.toLowerCase()),
  );
  try {
    return replyOf(JSON.parse(await post(settings, body)));
  } catch {
    return settings.tempFailOnError ? FAILED : ACCEPTED;
  }
}

/**
 * One request on a connection of its own, as each of Stalwart's is.
 * @throws Error for every status but 2xx, a longer body than allowed, and after the timeout. Redirects are not followed:
 * Stalwart's HTTP library follows them, as a GET, which no hook answers
 */
async function post(settings: HookSettings, body: string): Promise<string> {
  const { authorization, maxResponseSize: limit } = settings;
  const headers: Record<string, string> = authorization === null ? {} : { Authorization: authorization };
  const response = await send({ ...settings, method: "POST", headers, body, limit });
  if (response.status < 200 || response.status > 299) {
    throw new Error(`Hook request failed with code ${response.status}`);
  }
  return response.body;
}

/** @throws Error for what does not deserialise into Stalwart's `Response` */
export function replyOf(answer: unknown): string {
  if (typeof answer !== "object" || answer === null) throw new Error("not an object");
  const { action, response } = answer as { readonly action?: unknown; readonly response?: unknown };
  if (action === "accept") return ACCEPTED;
  if (action !== "reject") throw new Error(`unknown variant ${String(action)}`);
  if (response === undefined || response === null) return REJECTED;
  const { status, enhanced_status, message, disconnect } = response as Readonly<Record<string, unknown>>;
  const isText = (value: unknown): boolean =>
    value === undefined || value === null || typeof value === "string";
  const isCode = status === undefined || status === null || Number.isInteger(status);
  const isFlag = disconnect === undefined || typeof disconnect === "boolean";
  if (!isText(enhanced_status) || !isText(message) || !isCode || !isFlag) throw new Error("invalid type");
  if (typeof status !== "number" || typeof message !== "string") return REJECTED;
  return typeof enhanced_status === "string"
    ? `${status} ${enhanced_status} ${message}`
    : `${status} ${message}`;
}
