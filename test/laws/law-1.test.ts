/* Law 1: a refusal is always an explicit verdict. */

import type { ServerResponse } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import { answer } from "../../src/directory/index.ts";
import { freePort } from "../../testing/ports.ts";
import { type FakeEdge, json, startFakeEdge } from "../support/fake-edge.ts";
import { type Edges, type LawEdge, startEdges } from "./support/edges.ts";
import { all, type FrontEnds, startFrontEnds, WAY_NAMES } from "./support/front-ends.ts";
import { LARGE, many, Publisher } from "./support/publishing.ts";

const SERVED = "example.com";
const BIG = "large.example";

describe("The edge", () => {
  let edges: Edges<"whole" | "bare">;
  let edge: LawEdge;
  let publisher: Publisher;

  beforeAll(async () => {
    edges = await startEdges({ whole: {}, bare: { ROLLCALL_MASTER_KEY: "" } });
    edge = edges.edge.whole;
    publisher = new Publisher(edge);
    await publisher.publish(SERVED, "alice bob,disabled carol,moved dave,full erin");
    await publisher.publish(SERVED, "alice bob,disabled carol,moved dave,full");
    await publisher.publish(BIG, many(LARGE));
    await edges.copied();
  });

  it("Every definite answer is HTTP 200 with a verdict in the body, and the body names the recipient that it is about", async () => {
    const expected: Readonly<Record<string, string>> = {
      [`alice@${SERVED}`]: "deliverable",
      [`nobody@${SERVED}`]: "unknown",
      [`bob@${SERVED}`]: "disabled",
      [`carol@${SERVED}`]: "moved",
      [`dave@${SERVED}`]: "full",
      [`erin@${SERVED}`]: "departed",
      "somebody@elsewhere.example": "not-served",
      [`a..b c@${SERVED}`]: "malformed",
    };
    const recipients = Object.keys(expected);
    for (const recipient of recipients) {
      const { status, answer: given } = await edge.ask(recipient);
      expect({ status, ...given }).toMatchObject({ status: 200, verdict: expected[recipient], recipient });
    }
    const results = await edge.checkAll(recipients);
    expect(results.map(({ recipient }) => recipient)).toEqual(recipients);
    expect(results.map(({ verdict }) => verdict)).toEqual(Object.values(expected));
  });

  it("Any other status says nothing about a recipient, for any request to the real edge", async () => {
    const body = JSON.stringify({ recipient: `nobody@${SERVED}` });
    const bare = edges.edge.bare;
    const check = (init: RequestInit, token?: string | null) => edge.fetch("/v1/rcpt", init, token);
    const responses = await Promise.all([
      check({ method: "POST", body }, null),
      check({ method: "POST", body }, "wrong"),
      check({ method: "POST", body }, await publisher.token(`--role publish --domain ${SERVED}`)),
      check({ method: "POST", body: "{" }),
      check({ method: "POST", body: JSON.stringify({ recipient: 7 }) }),
      check({ method: "PUT", body }),
      check({ method: "POST", body, headers: { "Content-Type": "text/html" } }),
      check({ method: "POST", body: JSON.stringify({ recipients: Array(1_001).fill(`x@${SERVED}`) }) }),
      edge.fetch("/rcpt", { method: "POST", body }),
      edge.fetch(`/v1/recipients/nobody@${SERVED}`),
      edge.fetch("/v1/rcpt/%ff"),
      bare.fetch("/v1/rcpt", { method: "POST", body }),
    ]);
    expect(responses.map(({ status }) => status)).toEqual([
      401, 401, 403, 400, 400, 405, 415, 413, 404, 404, 400, 503,
    ]);
    for (const response of responses) {
      const text = await response.text();
      expect(JSON.parse(text)).toEqual({ error: expect.any(Object) });
      expect(text).not.toMatch(/"verdict"|"action"|"reply"|\b5\d\d 5\./);
    }
    const lines = { method: "POST", body: `nobody@${SERVED}\n`, headers: { "Content-Type": "text/plain" } };
    for (const response of [await check(lines, null), await bare.fetch("/v1/rcpt", lines)]) {
      expect(response.status).toBeGreaterThan(400);
      expect(await response.text()).toMatch(/^451 4\.3\.0 [^\n]+\n$/);
    }
  });

  it("A missing shard is no verdict, and a front end answers 4xx", async () => {
    const ways = await startFrontEnds(edge.url, 3);
    expect(await ways.acts(`nobody@${BIG}`)).toEqual(all("refuse"));
    for (const key of await edges.keys()) if (key.startsWith("shard/")) await edges.delete(key);
    await edge.weather({ blobs: "fails" });
    await edge.restart();
    for (const recipient of [`user7@${BIG}`, `stranger@${BIG}`]) {
      expect(await edge.ask(recipient)).toMatchObject({ status: 503, answer: { verdict: "unavailable" } });
    }
    const [, results] = [
      await edge.checkAll([]),
      await edge.checkAll([`stranger@${BIG}`, `nobody@${SERVED}`]),
    ];
    expect(results.map(({ verdict }) => verdict)).toEqual(["unavailable", "unknown"]);
    expect(await ways.acts(`somebody-else@${BIG}`)).toEqual(all("defer"));
  });

  it("A 404 from a misrouted host name never becomes a 550", async () => {
    const recipient = `nobody@${SERVED}`;
    const misrouted = await startFakeEdge(({ path, body }, response) => {
      // Every request reaches the real edge, at a path that it does not serve.
      void edge.fetch(`/api${path}`, { method: "POST", body }).then(async (got) => {
        response.writeHead(got.status, { "content-type": got.headers.get("content-type") ?? "" });
        response.end(await got.text());
      });
    });
    const stranger = await startFakeEdge((_, response) => {
      response.writeHead(404, { "content-type": "text/html" }).end("<h1>550 5.1.1 no such user</h1>");
    });
    for (const { url, requests } of [misrouted, stranger]) {
      const ways = await startFrontEnds(url, 3);
      expect(await ways.acts(recipient)).toEqual(all("defer"));
      expect(await ways.bridge.send("socketmap", `${`domains ${SERVED}`.length}:domains ${SERVED},`)).toMatch(
        /^\d+:TEMP /,
      );
      expect(requests.length).toBeGreaterThanOrEqual(2);
    }
  });
});

describe("A front end", () => {
  let fake: FakeEdge;
  let ways: FrontEnds;
  let next = 0;

  beforeAll(async () => {
    fake = await startFakeEdge((_, response) => response.destroy());
    ways = await startFrontEnds(fake.url, 0.5);
  });

  /** The refusal that every fault here looks like. */
  const refusal = (recipient: string) =>
    answer(recipient, "unknown", {
      domain: SERVED,
      generation: 7,
      mode: "enforce",
      confirmedAge: 1,
      maxAge: 29,
    });
  type Refusal = ReturnType<typeof refusal>;

  /** How all front ends act on an answer. Each of them did ask. */
  async function actsOn(respond: (response: ServerResponse, told: Refusal) => void) {
    const asked = new Set<string>();
    fake.respond = ({ body }, response) => {
      const { recipient } = JSON.parse(body) as { recipient: string };
      asked.add(recipient);
      respond(response, refusal(recipient));
    };
    const recipient = `nobody${next++}@${SERVED}`;
    const acts = await ways.acts(recipient);
    expect([...asked]).toEqual([recipient]);
    return acts;
  }

  const status = (code: number) => (response: ServerResponse, told: Refusal) => json(response, told, code);
  const body =
    (text: string, type = "application/json") =>
    (response: ServerResponse) => {
      response.writeHead(200, { "content-type": type }).end(text);
    };

  it("A front end refuses on an explicit verdict", async () => {
    expect(await actsOn(status(200))).toEqual(all("refuse"));
    expect(WAY_NAMES).toEqual(["recipients", "access", "policy", "tcp", "line", "hooks", "draft", "smtp"]);
  });

  it("Any other status is no verdict, and a front end answers 4xx", async () => {
    const codes = [201, 206, 300, 302, 307, 400, 401, 403, 404, 405, 410, 422];
    for (const code of [...codes, 429, 500, 502, 503, 522, 550]) {
      expect({ code, ...(await actsOn(status(code))) }).toEqual({ code, ...all("defer") });
    }
    expect(await actsOn((response) => void response.writeHead(204).end())).toEqual(all("defer"));
    const moved = (response: ServerResponse) =>
      void response.writeHead(301, { location: `${fake.url}/v1/elsewhere` }).end();
    expect(await actsOn(moved)).toEqual(all("defer"));
  });

  it("An unparsable body is no verdict, and a front end answers 4xx", async () => {
    const texts = [
      "",
      "550 5.1.1 no such user",
      "<!doctype html><h1>550</h1>",
      "null",
      "[]",
      "{}",
      '"reject"',
      "{",
    ];
    for (const text of texts)
      expect({ text, ...(await actsOn(body(text))) }).toEqual({ text, ...all("defer") });
    const half = (response: ServerResponse, told: Refusal) =>
      body(JSON.stringify(told).slice(0, -9))(response);
    const list = (response: ServerResponse, told: Refusal) => json(response, [told]);
    const results = (response: ServerResponse, told: Refusal) => json(response, { results: [told] });
    const bare = (response: ServerResponse, told: Refusal) => json(response, { ...told, reply: "550" });
    const mute = (response: ServerResponse, told: Refusal) => json(response, { ...told, reply: undefined });
    const other = (response: ServerResponse, told: Refusal) =>
      json(response, { ...told, reply: told.reply.slice(4) });
    for (const respond of [half, list, results, bare, mute, other]) {
      expect({ by: respond.name, ...(await actsOn(respond)) }).toEqual({ by: respond.name, ...all("defer") });
    }
  });

  it("A timeout is no verdict, and a front end answers 4xx", async () => {
    const hangs = () => undefined;
    const hangsWithin = (response: ServerResponse, told: Refusal) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write(JSON.stringify(told).slice(0, -9));
    };
    const breaksOff = (response: ServerResponse, told: Refusal) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "9999" });
      response.write(JSON.stringify(told), () => response.destroy());
    };
    const resets = (response: ServerResponse) => void response.socket?.resetAndDestroy();
    for (const respond of [hangs, hangsWithin, breaksOff, resets]) {
      expect({ by: respond.name, ...(await actsOn(respond)) }).toEqual({ by: respond.name, ...all("defer") });
    }
    const lost = await startFrontEnds(`http://127.0.0.1:${await freePort()}`, 0.5);
    expect(await lost.acts(`nobody@${SERVED}`)).toEqual(all("defer"));
  });

  it("An unknown verdict word is no verdict, and a front end answers 4xx", async () => {
    const words = [
      { verdict: "vanished" },
      { verdict: "" },
      { verdict: null },
      { verdict: undefined },
      { verdict: 550 },
    ];
    for (const change of [...words, { action: "discard" }, { action: undefined }, { action: "__proto__" }]) {
      const acts = await actsOn((response, told) => json(response, { ...told, ...change }));
      expect({ ...change, ...acts }).toEqual({ ...change, ...all("defer") });
    }
  });

  it("An answer that names another recipient is no verdict, and a front end answers 4xx", async () => {
    const others = ["somebody@example.com", "", null, undefined, ["a"], { a: 1 }];
    for (const recipient of others) {
      const acts = await actsOn((response, told) => json(response, { ...told, recipient }));
      expect({ recipient, ...acts }).toEqual({ recipient, ...all("defer") });
    }
  });
});
