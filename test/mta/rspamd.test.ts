import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEdgeFront } from "../conformance/faults/edge-front.ts";
import { Cleanup } from "./support/cleanup.ts";
import { type Bridge, startBridge } from "./support/command.ts";
import type { Postfix } from "./support/postfix.ts";
import { type Rspamd, startRspamdRelay, WITHOUT_RSPAMD } from "./support/rspamd.ts";
import { type Sink, startSink } from "./support/sink.ts";
import { type Reply, SmtpSession } from "./support/smtp-client.ts";
import { inTime, until } from "./support/waiting.ts";

describe.skipIf(WITHOUT_RSPAMD !== null)(
  `Rspamd as Postfix's milter, with the rule that asks the bridge${WITHOUT_RSPAMD ? ` (${WITHOUT_RSPAMD})` : ""}`,
  () => {
    const cleanup = new Cleanup();
    let bridge: Bridge;
    let rspamd: Rspamd;
    let sink: Sink;
    let postfix: Postfix;

    beforeAll(async () => {
      const front = await startEdgeFront(cleanup);
      bridge = await startBridge(front, cleanup);
      sink = await startSink(cleanup);
      const line = `127.0.0.1:${bridge.ports.line}`;
      ({ rspamd, postfix } = await startRspamdRelay(line, `smtp:[127.0.0.1]:${sink.port}`, cleanup));
    });
    afterAll(() => cleanup.run());

    /** @returns the reply at the end of DATA */
    async function send(subject: string, ...recipients: string[]): Promise<Reply> {
      const session = await SmtpSession.open({ port: postfix.port, sender: "someone@elsewhere.example" });
      for (const recipient of recipients) await session.expect(250, session.rcpt(`<${recipient}>`));
      const reply = await session.data(
        `From: someone@elsewhere.example\r\nSubject: ${subject}\r\n\r\nHello.`,
      );
      await session.quit();
      return reply;
    }
    const arrived = (subject: string): Promise<void> =>
      until(`${subject} arrives`, () => sink.messages.some((it) => it.subject === subject));

    it("lets a message to a known recipient pass", async () => {
      expect(await send("known", "known@example.com")).toMatchObject({ code: 250 });
      await arrived("known");
    });

    it("refuses a message to unknown recipients only, with Rspamd's own codes", async () => {
      const reply = await send("unknown", "nobody@example.com", "stranger@example.com");
      expect(reply).toMatchObject({ code: 554, enhanced: "5.7.1", text: "no such mailbox here" });
      expect(sink.messages.filter(({ subject }) => subject === "unknown")).toEqual([]);
    });

    it("cannot refuse a message that has a known recipient, or one of another domain, too", async () => {
      expect(await send("mixed", "known@example.com", "nobody@example.com")).toMatchObject({ code: 250 });
      await arrived("mixed");
      expect(await send("others", "nobody@example.com", "someone@example.net")).toMatchObject({ code: 250 });
      await arrived("others");
      expect(rspamd.log()).toMatch(/ROLLCALL_SOME_UNKNOWN/);
    });

    it("asks nobody about other domains", async () => {
      expect(await send("other", "someone@example.net")).toMatchObject({ code: 250 });
    });

    it("defers while the bridge is stopped or frozen, and is right after that", async () => {
      await bridge.stop("SIGKILL");
      const later = { code: 451, enhanced: "4.7.1" };
      expect(await send("stopped", "known@example.com")).toMatchObject(later);
      await bridge.start();
      expect(await send("started", "known@example.com")).toMatchObject({ code: 250 });
      await inTime(6_000, async () => {
        bridge.signal("SIGSTOP");
        const reply = await send("frozen", "known.frozen@example.com", "nobody.frozen@example.com");
        bridge.signal("SIGCONT");
        expect(reply).toMatchObject(later);
        return reply;
      });
      expect(await send("continued", "nobody.frozen@example.com")).toMatchObject({ code: 554 });
      expect(sink.messages.filter(({ subject }) => /stopped|frozen/.test(subject))).toEqual([]);
    });
  },
);
