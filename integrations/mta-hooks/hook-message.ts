/**
 * What a client of draft-degennaro-mta-hooks-01 asks: the shapes that the tests of rspamd/mta-hooks-milter record
 * (tests/async_bridge.rs, and src/hooks.rs at 9fcb561, which makes them).
 */

export type DraftStage = "connect" | "ehlo" | "mail" | "rcpt" | "data";

/** All that the client can send of a conversation. The service confirms those that it wants. */
export const OFFERED = [
  "/stage",
  "/action",
  "/timestamp",
  "/protocol",
  "/rawMessage",
  "/envelope",
  "/queue",
  "/client",
  "/tls",
  "/auth",
  "/server",
] as const;

/** The body of a hook. @param recipients up to now, the one to judge last @param properties that were confirmed */
export function draftBody(
  stage: DraftStage,
  recipients: readonly string[],
  properties: readonly string[] = OFFERED,
): string {
  const all: Readonly<Record<string, unknown>> = {
    stage,
    action: "accept",
    timestamp: "2026-11-26T04:00:00.000Z",
    protocol: { version: "1.0" },
    rawMessage: stage === "data" ? "U3ViamVjdDogdGVzdA0KDQpoZWxsbw0K" : null,
    envelope:
      stage === "connect" || stage === "ehlo"
        ? null
        : {
            from: { address: null, parameters: {} },
            to: recipients.map((address) => ({ address, parameters: { NOTIFY: "NEVER" } })),
          },
    queue: null,
    client: { ip: "192.0.2.1", port: 13312, ehlo: stage === "connect" ? null : "client.example" },
    tls: { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", cipherBits: 256 },
    auth: null,
    server: { name: "mx.example", ip: "192.0.2.9", port: 25 },
  };
  return JSON.stringify(Object.fromEntries(properties.map((each) => [each.slice(1), all[each.slice(1)]])));
}
