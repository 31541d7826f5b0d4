import { describe, expect, it } from "vitest";
import type { ListenAddress } from "../../src/bridge/index.ts";
import { answerOf } from "./support/answers.ts";
import { Bench } from "./support/bench.ts";
import { startServer } from "./support/server.ts";
import { Client, netstring } from "./support/sockets.ts";

/*
 * What Sendmail 8.18.1 with FEATURE(`access_db', `socket …') and FEATURE(`blocklist_recipients') asked, recorded, in
 * its order and on one connection: MAIL FROM:<sender+x@foreign.example>, and a RCPT each.
 */
const AT_CONNECT = ["srv_features:", "srv_features:0", "srv_features:", "tls_clt:", "tls_clt:0", "tls_clt:"];
const AT_MAIL = [
  ...["from:sender+x@foreign.example", "sender+x@foreign.example"],
  ...["from:sender+*@foreign.example", "sender+*@foreign.example"],
  ...["from:sender@foreign.example", "sender@foreign.example"],
  ...["from:sender+x@", "sender+x@", "from:sender+*@", "sender+*@", "from:sender@", "sender@"],
  ...["from:foreign.example", "foreign.example", "from:example", "example"],
];
/** Asked if the recipient itself was not found. */
const AT_RCPT_DOMAINS = ["to:example.com", "example.com", "to:com", "com", "to:example.com", "example.com"];
/** Asked by a daemon, of the client. */
const AT_RELAY = [
  ...["connect:mail.foreign.example", "mail.foreign.example", "connect:foreign.example", "foreign.example"],
  ...["connect:192.0.2.7", "192.0.2.7", "connect:192.0.2", "192.0.2", "connect:ipv6:2001:db8::1"],
  ...["clientrate:192.0.2.7", "clientconn:192.0.2.7", "greetpause:192.0.2.7", "tls_rcpt:alice@example.com"],
  ...["spam:alice@example.com", "try_tls:mx.example.com", "certissuer:/c=us/emailaddress=ca@example.com"],
];

/** A socketmap listener over a resolver whose edge knows alice of example.com, and a full mailbox. */
async function start(): Promise<{ address: ListenAddress; bench: Bench }> {
  const bench = new Bench(({ recipient }) => {
    const [local, domain] = recipient.split("@");
    if (domain !== "example.com") return answerOf(recipient, "not-served", { generation: null });
    if (local === "full") return answerOf(recipient, "full");
    return answerOf(recipient, local === "alice" ? "deliverable" : "unknown", {
      refusalText: 'see "help"',
    });
  });
  const { listen } = startServer({
    time: bench.time,
    resolve: (recipient, now) => bench.resolver.resolve(recipient, now),
  });
  return { address: await listen("socketmap"), bench };
}

/** Asks one key after the other on one connection, as Sendmail does. */
async function ask(address: ListenAddress, keys: readonly string[], map = "access"): Promise<string[]> {
  const client = await Client.connect(address);
  const replies: string[] = [];
  for (const key of keys) {
    client.text = "";
    client.send(netstring(`${map} ${key}`));
    replies.push((await client.told(/^\d+:.*,$/)).replace(/^\d+:(.*),$/, "$1"));
  }
  client.leave();
  return replies;
}

describe("Sendmail's access database with the map `access`", () => {
  it("finds nothing about clients, hosts, networks, TLS and senders, and asks the edge about none", async () => {
    const { address, bench } = await start();
    const keys = [...AT_CONNECT, ...AT_RELAY, ...AT_MAIL, ...AT_RCPT_DOMAINS];
    const replies = await ask(address, keys);
    expect(keys.map((key, i) => [key, replies[i]])).toEqual(keys.map((key) => [key, "NOTFOUND "]));
    expect(bench.asked).toEqual([]);
  });

  it("answers about a recipient after `to:` as Sendmail needs it, with code, enhanced code and text", async () => {
    const { address, bench } = await start();
    const replies = await ask(address, [
      "to:alice@example.com",
      "to:nobody@example.com",
      "to:full@example.com",
      "to:someone@foreign.example",
      "To:alice@example.com",
    ]);
    expect(replies).toEqual([
      "OK OK",
      "OK ERROR:5.1.1:\"550 no such mailbox here; see 'help'\"",
      'OK ERROR:4.2.2:"452 mailbox is full"',
      'OK ERROR:5.7.1:"550 domain is not served here"',
      "OK OK",
    ]);
    expect(bench.asked.map(({ recipient }) => recipient)).toEqual([
      "alice@example.com",
      "nobody@example.com",
      "full@example.com",
      "someone@foreign.example",
    ]);
  });

  it("takes the second question, without a tag, for the one before it only", async () => {
    const { address } = await start();
    const keys = ["from:alice@example.com", "alice@example.com", "alice@example.com"];
    expect(await ask(address, keys)).toEqual(["NOTFOUND ", "NOTFOUND ", "OK DUNNO"]);
    expect(await ask(address, ["from:bob@example.com", "alice@example.com"])).toEqual([
      "NOTFOUND ",
      "OK DUNNO",
    ]);
    expect(await ask(address, ["to:alice@example.com", "nobody@example.com"])).toEqual([
      "OK OK",
      expect.stringMatching(/^OK 550 5\.1\.1 </),
    ]);
  });

  it("does not take a colon in an address for a tag", async () => {
    const { address, bench } = await start();
    for (const key of [
      "@relay.example:alice@example.com",
      "alice:x@example.com",
      '"from:alice"@example.com',
      '"to:alice"@example.com',
      "to:to:alice@example.com",
      "alice@[IPv6:2001:db8::1]",
    ]) {
      await ask(address, [key]);
    }
    expect(bench.asked.map(({ recipient }) => recipient)).toEqual([
      "alice@example.com",
      '"alice:x"@example.com',
      '"from:alice"@example.com',
      '"to:alice"@example.com',
    ]);
  });
});

describe("the map `sendmail`, for a ruleset", () => {
  it("answers about every key as about a recipient, in Sendmail's words", async () => {
    const { address, bench } = await start();
    const keys = [
      "alice@example.com",
      "nobody@example.com",
      "full@example.com",
      '"from:x"@example.com',
      "to:y@example.com",
    ];
    expect(await ask(address, keys, "sendmail")).toEqual([
      "OK OK",
      "OK ERROR:5.1.1:\"550 no such mailbox here; see 'help'\"",
      'OK ERROR:4.2.2:"452 mailbox is full"',
      "OK ERROR:5.1.1:\"550 no such mailbox here; see 'help'\"",
      "OK ERROR:5.1.1:\"550 no such mailbox here; see 'help'\"",
    ]);
    expect(bench.asked.map(({ recipient }) => recipient)).toEqual([
      ...["alice@example.com", "nobody@example.com", "full@example.com"],
      ...['"from:x"@example.com', '"to:y"@example.com'],
    ]);
  });
});
