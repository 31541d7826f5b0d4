import { SmtpSession } from "../../test/mta/support/smtp-client.ts";
import type { Envelope } from "./scenario.ts";

/** A message and the code of the reply that decided it: to RCPT TO, or to the data if RCPT TO was accepted. */
export interface Sent {
  readonly envelope: Envelope;
  readonly code: number;
}

const CONNECTIONS = 10;

/**
 * Sends one message per envelope, over several connections, without retries.
 * @param from the address of this machine to connect from
 */
export async function send(
  port: number,
  envelopes: readonly Envelope[],
  from = "127.0.0.1",
): Promise<Sent[]> {
  const left = [...envelopes];
  const sent: Sent[] = [];
  const connection = async (): Promise<void> => {
    const session = await SmtpSession.open({ port, from });
    for (let envelope = left.shift(); envelope !== undefined; envelope = left.shift()) {
      sent.push({ envelope, code: await sendOne(session, envelope) });
    }
    await session.quit();
  };
  await Promise.all(Array.from({ length: Math.min(CONNECTIONS, envelopes.length) }, connection));
  return sent;
}

async function sendOne(session: SmtpSession, { from, to }: Envelope): Promise<number> {
  await session.mail(from);
  const { code } = await session.rcpt(`<${to}>`);
  if (code !== 250) {
    await session.expect(250, session.say("RSET"));
    return code;
  }
  const text = `From: <${from}>\r\nTo: <${to}>\r\nSubject: for ${to}\r\n\r\nHello.`;
  return (await session.data(text)).code;
}
