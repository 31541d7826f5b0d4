// A small SMTP server that asks Rollcall about each recipient while the client waits, and discards the
// mail. To run it alone: ROLLCALL_URL=… ROLLCALL_TOKEN=… node examples/smtp-front-end.mjs 2525
import { SMTPServer } from "smtp-server";

/** For anything but an explicit answer about this recipient: the client should try again later. */
const NO_VERDICT = { action: "defer", reply: "451 4.3.0 recipient cannot be checked now, try again later" };
const VERDICTS =
  /^(deliverable|unknown|disabled|moved|not-served|malformed|departed|full|throttled|unavailable)$/;
const REPLIES = { accept: /^2\d\d /, defer: /^4\d\d /, reject: /^5\d\d / };

async function ask({ url, token, timeout = 5_000 }, question) {
  try {
    const response = await fetch(new URL("/v1/rcpt", url), {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(question),
      redirect: "manual",
      signal: AbortSignal.timeout(timeout),
    });
    const answer = await response.json();
    const usable = response.status === 200 && answer.recipient === question.recipient;
    return usable && VERDICTS.test(answer.verdict) && REPLIES[answer.action].test(answer.reply)
      ? answer
      : NO_VERDICT;
  } catch {
    return NO_VERDICT;
  }
}

/** @param {{ url: string, token: string, port: number, host?: string, timeout?: number }} options */
export async function startFrontEnd(options) {
  const server = new SMTPServer({
    name: "front-end.invalid",
    authOptional: true,
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    // The reply has its own enhanced status code, and the edge checks the syntax.
    hideENHANCEDSTATUSCODES: true,
    lenientAddressParsing: true,
    async onRcptTo({ address }, { remoteAddress, envelope: { mailFrom } }, done) {
      const question = {
        recipient: address,
        client: remoteAddress,
        sender: mailFrom ? mailFrom.address : "",
      };
      const { action, reply } = await ask(options, question);
      if (action === "accept") return done();
      done(Object.assign(new Error(reply.slice(4)), { responseCode: Number(reply.slice(0, 3)) }));
    },
    onData(stream, _session, done) {
      stream.on("end", () => done(null, "accepted and discarded: this is a demonstration")).resume();
    },
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host ?? "127.0.0.1", resolve);
  });
  server.on("error", (error) => console.error(`smtp: ${error.message}`));
  return { port: server.server.address().port, close: () => new Promise((done) => server.close(done)) };
}

if (process.argv[1] === import.meta.filename) {
  const { ROLLCALL_URL: url = "http://127.0.0.1:8787", ROLLCALL_TOKEN: token = "" } = process.env;
  const { port } = await startFrontEnd({ url, token, port: Number(process.argv[2] ?? 2525) });
  console.log(`asking ${url} about recipients of smtp://127.0.0.1:${port}`);
}
