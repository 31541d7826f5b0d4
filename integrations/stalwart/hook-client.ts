/**
 * How Stalwart asks an MTA hook, and what its SMTP client then sees. Stalwart itself was not run: this follows
 * crates/smtp/src/inbound of stalwartlabs/stalwart 0.16.19 (hooks/message.rs, hooks/client.rs, rcpt.rs), member by member.
 */

import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
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
function post(settings: HookSettings, body: string): Promise<string> {
  const { url, authorization, timeout, maxResponseSize, authority } = settings;
  return new Promise((resolve, reject) => {
    const request = (url.startsWith("https:") ? requestHttps : requestHttp)(url, {
      method: "POST",
      agent: false,
      signal: AbortSignal.timeout(timeout),
      ...(authority === null ? {} : { ca: authority }),
      headers: {
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(body),
        ...(authorization === null ? {} : { Authorization: authorization }),
      },
    });
    request.once("error", reject).once("response", (response) => {
      const { statusCode = 0 } = response;
      const fail = (why: string): void => void request.destroy(new Error(why));
      response.once("error", reject).once("aborted", () => reject(new Error("the answer is incomplete")));
      if (statusCode < 200 || statusCode > 299) return fail(`Hook request failed with code ${statusCode}`);
      const parts: Buffer[] = [];
      let length = 0;
      response.on("data", (part: Buffer) => {
        length += part.length;
        if (length > maxResponseSize) fail("Hook response too large");
        else parts.push(part);
      });
      response.once("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    });
    request.end(body);
  });
}

/** @throws Error for what does not deserialise into Stalwart's `Response` */
function replyOf(answer: unknown): string {
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
