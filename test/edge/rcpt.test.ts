import { beforeAll, describe, expect, it } from "vitest";
import { type ErrorBody, MAX_RECIPIENTS } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { expectAnswer } from "./support/answers.ts";
import { type CallOptions, call, callJson, freshEnv, publish } from "./support/edge.ts";

const env = freshEnv();
let generation = 0;

beforeAll(async () => {
  generation = await publish(env, "example.com", [
    "alice",
    ["bob", "disabled"],
    ["fred", "full"],
    ["mary", "moved"],
  ]);
});

const ask = (json: unknown): Promise<Response> => call(env, "/v1/rcpt", { json });
const askText = (body: string, more: CallOptions = {}): Promise<Response> =>
  call(env, "/v1/rcpt", { body, headers: { "Content-Type": "text/plain" }, ...more });
/** Makes the edge answer `unavailable`: a generation that no isolate has. */
const unreachable = { "example.com": 1_000_000 };
const UNAVAILABLE = "451 4.3.0 <alice@example.com>: recipient cannot be checked now, try again later";

describe("one recipient", () => {
  it("is answered immediately by the isolate that took the list", async () => {
    const response = await ask({ recipient: "Alice@Example.COM" });
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("private, no-store");
    expect(response.headers.get("Content-Type")).toBe("application/json");
    const answer = (await response.json()) as Answer;
    expect(answer).toEqual({
      recipient: "Alice@Example.COM",
      verdict: "deliverable",
      action: "accept",
      reply: "250 2.1.5 <Alice@Example.COM>: recipient ok",
      matched: "mailbox",
      domain: "example.com",
      generation,
      incarnation: expect.any(Number),
      mode: "enforce",
      confirmed_age: expect.any(Number),
      contact_age: expect.any(Number),
      max_age: expect.any(Number),
    });
    expectAnswer(answer, "Alice@Example.COM");
  });

  it("may come with context, and with members of later versions, which change nothing", async () => {
    const context = { client: "192.0.2.1", sender: "", helo: "mx", floor: { "example.com": generation } };
    const answer = (await (await ask({ recipient: "alice@example.com", ...context })).json()) as Answer;
    expect(answer.verdict).toBe("deliverable");
  });

  it("is answered alike by POST and by GET, in every encoding of its path", async () => {
    const posted = (await (await ask({ recipient: "bob@example.com" })).json()) as Answer;
    for (const path of ["bob@example.com", "bob%40example.com", "%62ob%40example%2Ecom"]) {
      const { confirmed_age, contact_age, max_age, ...got } = await callJson<Answer>(env, `/v1/rcpt/${path}`);
      expect(posted).toMatchObject(got);
    }
  });

  it("that cannot be answered is 503 with the verdict in the body", async () => {
    const response = await ask({ recipient: "alice@example.com", floor: unreachable });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      recipient: "alice@example.com",
      verdict: "unavailable",
      action: "defer",
      reply: UNAVAILABLE,
      domain: "example.com",
      confirmed_age: null,
      max_age: 0,
    });
  });
});

describe("a list", () => {
  const recipients = [
    "alice@example.com",
    "bob@example.com",
    "nobody@example.com",
    "no address",
    "x@other.example",
  ];
  const verdicts = ["deliverable", "disabled", "unknown", "malformed", "not-served"];

  it.each([
    ["bare", recipients],
    ["named", { recipients }],
  ])("that is %s is answered in its order", async (_, json) => {
    const response = await ask(json);
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("private, no-store");
    const { results } = (await response.json()) as { results: Answer[] };
    expect(results.map(({ recipient }) => recipient)).toEqual(recipients);
    expect(results.map(({ verdict }) => verdict)).toEqual(verdicts);
  });

  it.each([
    ["one", ["alice@example.com"]],
    ["none", []],
  ])("of %s is answered by a list", async (_, list) => {
    for (const json of [list, { recipients: list }]) {
      const body = (await (await ask(json)).json()) as { results: Answer[] };
      expect(Object.keys(body)).toEqual(["results"]);
      expect(body.results.map(({ recipient }) => recipient)).toEqual(list);
    }
  });

  it("keeps its order and its duplicates, whatever is cold and whatever the token does not cover", async () => {
    const many = Array.from(
      { length: 200 },
      (_, i) => `${["alice", "bob", "n"][i % 3]}@${i % 2 ? "EXAMPLE" : "example"}.com`,
    );
    const { results } = await callJson<{ results: Answer[] }>(freshEnv(), "/v1/rcpt", { json: many });
    expect(results.map(({ recipient }) => recipient)).toEqual(many);
    const expected = many.map((_, i) => ["deliverable", "disabled", "unknown"][i % 3]);
    expect(results.map(({ verdict }) => verdict)).toEqual(expected);
  });

  it("with a recipient that cannot be answered is still 200", async () => {
    const response = await ask({ recipients: ["alice@example.com", "postmaster"], floor: unreachable });
    expect(response.status).toBe(200);
    const { results } = (await response.json()) as { results: Answer[] };
    expect(results.map(({ verdict }) => verdict)).toEqual(["unavailable", "deliverable"]);
    const one = await ask({ recipients: ["alice@example.com"], floor: unreachable });
    expect([one.status, ((await one.json()) as { results: Answer[] }).results[0]?.reply]).toEqual([
      200,
      UNAVAILABLE,
    ]);
  });

  it(`may have ${MAX_RECIPIENTS} recipients, and not one more, in JSON and in text`, async () => {
    const full = Array.from({ length: MAX_RECIPIENTS }, (_, i) => `nobody${i}@example.com`);
    const { results } = await callJson<{ results: Answer[] }>(env, "/v1/rcpt", { json: full });
    expect(new Set(results.map(({ verdict }) => verdict))).toEqual(new Set(["unknown"]));
    expect(results.map(({ recipient }) => recipient)).toEqual(full);
    const lines = (await (await askText(full.join("\n"))).text()).split("\n");
    expect(lines).toHaveLength(MAX_RECIPIENTS + 1);
    const more = await ask([...full, "alice@example.com"]);
    expect([more.status, ((await more.json()) as ErrorBody).error.code]).toEqual([413, "too_large"]);
    const moreText = await askText([...full, "alice@example.com"].join("\r\n"));
    expect(moreText.status).toBe(413);
    expect(await moreText.text()).toMatch(/^451 4\.3\.0 [^\r\n]+\n$/);
    for (const end of ["\n", "\n\n", "\n".repeat(2_000_000)]) {
      const status = end === "\n" ? 200 : 413;
      expect((await askText(`${full.join("\n")}${end}`)).status).toBe(status);
    }
  });
});

describe("lines of text", () => {
  const REPLIES = [
    "250 2.1.5 <alice@example.com>: recipient ok",
    "550 5.1.1 <nobody@example.com>: no such mailbox here",
    "501 5.1.3 <>: bad recipient address syntax",
    "452 4.2.2 <fred@example.com>: mailbox is full",
  ];

  it.each([
    ["LF", "alice@example.com\nnobody@example.com\n\nfred@example.com\n"],
    ["CRLF", "alice@example.com\r\nnobody@example.com\r\n\r\nfred@example.com\r\n"],
    ["no end of the last", "alice@example.com\nnobody@example.com\r\n\nfred@example.com"],
  ])("are answered with lines, with %s", async (_, body) => {
    const response = await askText(body);
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("Cache-Control")).toBe("private, no-store");
    expect(await response.text()).toBe(REPLIES.map((reply) => `${reply}\n`).join(""));
  });

  it("are the answer to JSON and to GET if the client accepts text", async () => {
    const accept = { headers: { Accept: "text/plain" } };
    const listed = await call(env, "/v1/rcpt", { json: { recipients: ["alice@example.com"] }, ...accept });
    expect(await listed.text()).toBe(`${REPLIES[0]}\n`);
    const got = await call(env, "/v1/rcpt/nobody%40example.com", accept);
    expect([got.status, await got.text()]).toEqual([200, `${REPLIES[1]}\n`]);
  });

  it.each([
    "application/json",
    "*/*",
    "application/json, text/plain, */*",
    "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
  ])("are not the answer to clients that accept %s", async (accept) => {
    const response = await call(env, "/v1/rcpt/alice%40example.com", { headers: { Accept: accept } });
    expect(response.headers.get("Content-Type")).toBe("application/json");
  });

  it("start with a deferral if the status is not 200", async () => {
    const accept = { headers: { Accept: "text/plain" } };
    const one = { recipient: "alice@example.com", floor: unreachable };
    const single = await call(env, "/v1/rcpt", { json: one, ...accept });
    expect([single.status, await single.text()]).toEqual([503, `${UNAVAILABLE}\n`]);
    for (const response of [
      await askText("alice@example.com", { token: null }),
      await call(env, "/v1/rcpt/%ff", accept),
      await call(env, "/v1/nowhere", accept),
      await call(env, "/v1/rcpt", accept),
    ]) {
      expect([400, 401, 404, 405]).toContain(response.status);
      expect(await response.text()).toMatch(/^451 4\.3\.0 [\x20-\x7e]+\n$/);
    }
  });

  it("name the recipient in ASCII, and never contain a line break", async () => {
    const body = "jörg@example.com\nx\r250 ok@example.com\n\ufefftab\there@example.com\n";
    expect(await (await askText(body)).text()).toBe(
      [
        "550 5.1.1 <j?rg@example.com>: no such mailbox here",
        "501 5.1.3 <x?250 ok@example.com>: bad recipient address syntax",
        "501 5.1.3 <?tab?here@example.com>: bad recipient address syntax",
        "",
      ].join("\n"),
    );
  });
});
