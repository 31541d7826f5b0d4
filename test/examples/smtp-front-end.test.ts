import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFrontEnd } from "../../examples/smtp-front-end.mjs";
import { freePort } from "../../testing/ports.ts";
import { type FakeEdge, json, startFakeEdge } from "../support/fake-edge.ts";
import { type Dev, ROOT, Running, startCli, startDev, temporaryFolder } from "../support/processes.ts";
import { Smtp } from "../support/smtp.ts";

const SLOW = 180_000;
const NO_VERDICT = "451 4.3.0 recipient cannot be checked now, try again later";

describe("the SMTP front end with an edge", () => {
  const home = temporaryFolder();
  let dev: Dev;
  let smtp: Smtp;

  beforeAll(async () => {
    dev = await startDev("state", { home, args: ["--front-end", "0"] });
    const env = { ROLLCALL_URL: dev.url };
    const sample = join(ROOT, "examples", "sample");
    for (const [domain, file] of [
      ["example.org", "example.org.csv"],
      ["bücher.example", "buecher.example.txt"],
    ] as const) {
      const args = ["publish", "--domain", domain, join(sample, file), "--enforce", "--yes"];
      const { code, stderr } = await startCli([...args, "--token-file", "state/admin-token"], { home, env })
        .ended;
      expect(stderr).toBe("");
      expect(code).toBe(0);
    }
    smtp = await Smtp.open(dev.smtpPort as number);
  }, SLOW);

  afterAll(async () => {
    await smtp.quit();
    await dev.process.stop();
  });

  it.each([
    ["alice@example.org", "250 Accepted"],
    ["ALICE+news@Example.ORG", "250 Accepted"],
    ["jürgen@example.org", "250 Accepted"],
    ["laden@bücher.example", "250 Accepted"],
    ["Lesung@XN--BCHER-KVA.example", "250 Accepted"],
    ["@relay.example:bob@example.org", "250 Accepted"],
    ["postmaster", "250 Accepted"],
    ["Postmaster@bücher.example", "250 Accepted"],
    ["nobody@example.org", "550 5.1.1 <nobody@example.org>: no such mailbox here"],
    ["leaver@example.org", "550 5.2.1 <leaver@example.org>: mailbox is disabled"],
    ["elsewhere@example.org", "550 5.1.6 <elsewhere@example.org>: mailbox has moved, no forwarding address"],
    ["overfull@example.org", "452 4.2.2 <overfull@example.org>: mailbox is full"],
    ["someone@other.example", "550 5.7.1 <someone@other.example>: domain is not served here"],
  ])("answers RCPT TO:<%s> with %s", async (address, reply) => {
    expect(await smtp.rcpt(address)).toBe(reply);
  });

  it("accepts mail for existing recipients, also from the null sender", async () => {
    const transport = createTransport({ host: "127.0.0.1", port: dev.smtpPort as number, secure: false });
    const message = { subject: "hello", text: "hello" };
    const info = await transport.sendMail({
      ...message,
      from: "me@example.net",
      to: ["bob@example.org", "nobody@example.org"],
    });
    expect(info.accepted).toEqual(["bob@example.org"]);
    expect(info.rejectedErrors).toMatchObject([{ responseCode: 550, recipient: "nobody@example.org" }]);
    const refused = transport.sendMail({
      ...message,
      envelope: { from: "", to: ["nobody@example.org"] },
    });
    await expect(refused).rejects.toMatchObject({ responseCode: 550 });
    transport.close();
  });
});

describe("the SMTP front end with another server", () => {
  let edge: FakeEdge;
  let port: number;
  let close: () => Promise<unknown>;
  const recipient = "alice@example.org";
  const accept = {
    recipient,
    verdict: "deliverable",
    action: "accept",
    reply: `250 2.1.5 <${recipient}>: recipient ok`,
  };
  const reject = {
    recipient,
    verdict: "unknown",
    action: "reject",
    reply: `550 5.1.1 <${recipient}>: no such mailbox here`,
  };

  beforeAll(async () => {
    edge = await startFakeEdge((_, response) => response.destroy());
    ({ port, close } = await startFrontEnd({ url: edge.url, token: "the-token", port: 0, timeout: 400 }));
  });

  afterAll(() => close());

  async function replyTo(respond: (response: ServerResponse) => void): Promise<string> {
    edge.respond = (_, response) => respond(response);
    const smtp = await Smtp.open(port, "");
    const reply = await smtp.rcpt(recipient);
    await smtp.quit();
    return reply;
  }

  it("asks by POST, with token, client and sender, and no address in the URL", async () => {
    expect(await replyTo((response) => json(response, accept))).toBe("250 Accepted");
    const request = edge.requests.at(-1);
    expect(request).toMatchObject({ method: "POST", path: "/v1/rcpt" });
    expect(request?.headers.authorization).toBe("Bearer the-token");
    expect(JSON.parse(request?.body as string)).toEqual({ recipient, client: "127.0.0.1", sender: "" });
  });

  it("acts on action and reply only", async () => {
    expect(await replyTo((response) => json(response, { ...reject, verdict: "deliverable" }))).toBe(
      reject.reply,
    );
    // Observe mode.
    const observed = { ...accept, verdict: "unknown", observed: reject.reply };
    expect(await replyTo((response) => json(response, observed))).toBe("250 Accepted");
  });

  const page =
    (status: number, type = "text/html") =>
    (response: ServerResponse) =>
      response.writeHead(status, { "content-type": type }).end("<h1>nothing here</h1>");

  it.each<[string, (response: ServerResponse) => unknown]>([
    ["a 404 of another host", page(404)],
    ["a page with 200", page(200)],
    ["401", (response) => json(response, { error: { code: "unauthorized", message: "no" } }, 401)],
    ["429", (response) => json(response, reject, 429)],
    ["503 with a refusal in it", (response) => json(response, reject, 503)],
    ["a redirect", (response) => response.writeHead(302, { location: `${edge.url}/v1/rcpt` }).end()],
    ["no JSON", (response) => response.end('{"action":"rej')],
    ["null", (response) => json(response, null)],
    ["another recipient", (response) => json(response, { ...reject, recipient: "bob@example.org" })],
    ["no recipient", (response) => json(response, { ...reject, recipient: undefined })],
    ["a verdict from the future", (response) => json(response, { ...reject, verdict: "vanished" })],
    ["no verdict", (response) => json(response, { ...reject, verdict: undefined })],
    ["an action from the future", (response) => json(response, { ...reject, action: "greylist" })],
    ["an action of Object", (response) => json(response, { ...reject, action: "constructor" })],
    ["a refusal that says 250", (response) => json(response, { ...accept, action: "reject" })],
    ["an accept that says 550", (response) => json(response, { ...reject, action: "accept" })],
    ["no reply", (response) => json(response, { ...reject, reply: undefined })],
    ["a list", (response) => json(response, { results: [reject] })],
    ["a connection that breaks", (response) => response.destroy()],
    ["silence", () => undefined],
    ["a body that never ends", (response) => response.writeHead(200).write(JSON.stringify(reject))],
  ])("defers on %s", async (_name, respond) => {
    expect(await replyTo(respond)).toBe(NO_VERDICT);
  });

  it("defers if nothing listens", async () => {
    const lost = await startFrontEnd({ url: `http://127.0.0.1:${await freePort()}`, token: "t", port: 0 });
    const smtp = await Smtp.open(lost.port);
    expect(await smtp.rcpt(recipient)).toBe(NO_VERDICT);
    await smtp.quit();
    await lost.close();
  });

  it("does not let a reply span lines", async () => {
    const reply = `550 5.1.1 <${recipient}>: no\r\n250 yes`;
    expect(await replyTo((response) => json(response, { ...reject, reply }))).toBe(
      `550 5.1.1 <${recipient}>: no  250 yes`,
    );
  });
});

describe("the SMTP front end by itself", () => {
  it("runs as a command", async () => {
    const edge = await startFakeEdge((_, response) => response.destroy());
    const env = { PATH: process.env.PATH ?? "", ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: "t" };
    const front = new Running(process.execPath, [join(ROOT, "examples", "smtp-front-end.mjs"), "0"], { env });
    const [, port] = await front.saying(/smtp:\/\/127\.0\.0\.1:(\d+)/);
    const smtp = await Smtp.open(Number(port));
    expect(await smtp.rcpt("alice@example.org")).toBe(NO_VERDICT);
    await smtp.quit();
    await front.stop();
  });
});
