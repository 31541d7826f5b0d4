/** Rspamd as Postfix's milter: what a client sees at the end of DATA, of a message to one recipient. */
import { startRspamdRelay, WITHOUT_RSPAMD } from "../../mta/support/rspamd.ts";
import { SmtpSession } from "../../mta/support/smtp-client.ts";
import type { Conversation, Starter } from "./line.ts";
import { faultMatrixOf } from "./matrix.ts";

const SENDER = "someone@elsewhere.example";

/** An SMTP session with a message for each recipient. */
async function openSession(port: number): Promise<Conversation> {
  const session = await SmtpSession.open({ port });
  return {
    rcpt: async (path) => {
      await session.mail(SENDER);
      await session.expect(250, session.rcpt(path));
      return session.data(`From: ${SENDER}\r\nSubject: a fault\r\n\r\nHello.`);
    },
    quit: () => session.quit(),
    destroy: () => session.destroy(),
  };
}

const milter: Starter = {
  way: { title: "rule in Lua", asks: "line", refusal: 554 },
  start: async ({ line }, cleanup) => {
    const { rspamd, postfix } = await startRspamdRelay(line, "discard:", cleanup);
    return {
      open: () => openSession(postfix.port),
      isRunning: () => rspamd.isRunning() && !postfix.hasEnded,
    };
  },
};

faultMatrixOf({ name: "rspamd", missing: WITHOUT_RSPAMD, starters: [milter] });
