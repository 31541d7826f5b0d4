import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import type { Cleanup } from "./cleanup.ts";

/** A message that arrived, by its envelope; the sender of a bounce is empty. */
export interface Arrived {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
}

export interface Sink {
  readonly port: number;
  readonly messages: Arrived[];
  /** Recipients that were refused. */
  refused: number;
}

/**
 * A real SMTP server that counts what arrives, and refuses with 550 the recipients that it does not know.
 * @param where on which address and port it listens, and whether it speaks LMTP
 */
export async function startSink(
  cleanup: Cleanup,
  knows: (recipient: string) => boolean = () => true,
  { host = "127.0.0.1", port = 0, lmtp = false } = {},
): Promise<Sink> {
  const messages: Arrived[] = [];
  const server = new SMTPServer({
    name: "sink.example",
    lmtp,
    authOptional: true,
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    lenientAddressParsing: true,
    onRcptTo({ address }, _session, done) {
      if (knows(address)) return done();
      sink.refused++;
      done(Object.assign(new Error(`5.1.1 <${address}>: no such user`), { responseCode: 550 }));
    },
    onData(stream, { envelope: { mailFrom, rcptTo } }, done) {
      let text = "";
      stream.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      stream.on("end", () => {
        messages.push({
          from: mailFrom === false ? "" : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          subject: /^Subject: (.*)\r$/im.exec(text)?.[1] ?? "",
        });
        done();
      });
    },
  });
  // A client that hangs up in the middle is no fault of the sink.
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  cleanup.add(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address = server.server.address() as AddressInfo;
  const sink: Sink = { port: address.port, messages, refused: 0 };
  return sink;
}
