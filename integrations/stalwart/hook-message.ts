/** What Stalwart asks an MTA hook: crates/smtp/src/inbound/hooks/message.rs of stalwartlabs/stalwart 0.16.19. */

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
