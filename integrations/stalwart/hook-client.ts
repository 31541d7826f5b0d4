/**
 * What Stalwart asks an MTA hook, and what its SMTP client then sees. Stalwart itself was not run: this follows
 * crates/smtp/src/inbound of stalwartlabs/stalwart 0.16.19 (hooks/message.rs, hooks/client.rs, rcpt.rs), member by member.
 */

export type Stage = "connect" | "ehlo" | "auth" | "mail" | "rcpt" | "data";

/** The body that Stalwart posts at a stage (hooks/message.rs). @param recipients up to now, the one to judge last */
export function hookBody(stage: Stage, recipients: readonly string[], sender = "sender@example.net"): string {
  const hasEnvelope = stage === "mail" || stage === "rcpt" || stage === "data";
  return JSON.stringify({
    context: {
      stage,
      client: {
        ip: "192.0.2.10",
        port: 49152,
        ptr: "mail.example.net.",
        helo: stage === "connect" ? null : "mail.example.net",
        activeConnections: 1,
      },
      tls: { version: "TLSv1.3", cipher: "TLS13_AES_256_GCM_SHA384" },
      server: { name: "Stalwart", port: 25, ip: "192.0.2.25" },
      ...(stage === "data" ? { queue: { id: "1a2b3c4d5e6f" } } : {}),
      protocol: { version: 1 },
    },
    ...(hasEnvelope
      ? { envelope: { from: { address: sender }, to: recipients.map((address) => ({ address })) } }
      : {}),
    ...(stage === "data"
      ? {
          message: {
            headers: [["Subject", " Is dinner ready?\r\n"]],
            contents: "Are you hungry yet?\r\n",
            size: 51,
          },
        }
      : {}),
  });
}

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
  readonly tempFailOnError: boolean;
}

/** The reply to RCPT TO: what Stalwart makes of the answer to the hook (hooks/client.rs, message.rs and rcpt.rs). */
export async function rcptReply(
  { url, authorization, timeout, tempFailOnError }: HookSettings,
  recipients: readonly string[],
): Promise<string> {
  // Stalwart lower-cases addresses before it asks.
  const body = hookBody(
    "rcpt",
    recipients.map((recipient) => recipient.toLowerCase()),
  );
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        ...(authorization === null ? {} : { Authorization: authorization }),
      },
      body,
      signal: AbortSignal.timeout(timeout),
    });
    if (!response.ok) throw new Error(`Hook request failed with code ${response.status}`);
    return replyOf(JSON.parse(await response.text()));
  } catch {
    return tempFailOnError ? FAILED : ACCEPTED;
  }
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
