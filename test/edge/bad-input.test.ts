import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ErrorBody, MAX_CHECK_BODY } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { HttpError, readBody } from "../../src/edge/http.ts";
import { expectAnswer, expectReply } from "./support/answers.ts";
import { type CallOptions, call, callJson, freshEnv, publish } from "./support/edge.ts";

fc.configureGlobal({ seed: 20_260_701, numRuns: 200 });

const env = freshEnv();
const DOMAIN = "input.example";

beforeAll(async () => {
  await publish(env, DOMAIN, ["alice"]);
});

afterEach(async () => {
  const ask = { json: { recipient: `alice@${DOMAIN}` } };
  expect(await callJson<Answer>(env, "/v1/rcpt", ask)).toMatchObject({ verdict: "deliverable" });
});

const post = (body: BodyInit | undefined, type: string | null, more: CallOptions = {}): Promise<Response> =>
  call(env, "/v1/rcpt", {
    method: "POST",
    ...(body === undefined ? {} : { body }),
    headers: type === null ? {} : { "Content-Type": type },
    ...more,
  });

const codeOf = async (response: Response): Promise<string> =>
  `${response.status} ${((await response.json()) as ErrorBody).error.code}`;

const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(text));

/** Text of any code units, including lone surrogates, often with an @ or a real domain. */
const anyText = fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 80 });
const anyAddress = fc.oneof(
  anyText,
  anyText.map((local) => `${local}@${DOMAIN}`),
  fc.string({ unit: "binary", maxLength: 40 }).map((domain) => `alice@${domain}`),
  fc
    .string({ unit: fc.constantFrom(...'a."\\@+<>[]:,= \t\r\n\0é'), maxLength: 30 })
    .map((it) => `${it}@${DOMAIN}`),
);

/** A lone surrogate, which has no percent-encoding. */
const LONE = /\p{Surrogate}/u;

describe("an address of any kind", () => {
  it("gets an answer about itself, and is accepted only if it is listed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyAddress, { minLength: 1, maxLength: 20 }), async (recipients) => {
        const { results } = await callJson<{ results: Answer[] }>(env, "/v1/rcpt", { json: recipients });
        expect(results).toHaveLength(recipients.length);
        results.forEach((answer, i) => {
          expectAnswer(answer, recipients[i] as string);
          if (answer.matched === "mailbox") expect(answer.recipient.toLowerCase()).toContain("alice");
        });
      }),
    );
  });

  it("gets an answer in a path too, if it is percent-encoded UTF-8", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyAddress.filter((text) => !LONE.test(text) && text !== "." && text !== ".."),
        async (recipient) => {
          const response = await call(env, `/v1/rcpt/${encodeURIComponent(recipient)}`);
          if (recipient === "") expect(response.status).toBe(405);
          else expectAnswer((await response.json()) as Answer, recipient);
        },
      ),
    );
  });

  it.each([
    ["a megabyte of letters", "x".repeat(1_000_000)],
    ["a megabyte of @", "@".repeat(1_000_000)],
    ["a megabyte of quotes", '"'.repeat(1_000_000)],
    ["thousands of quoted pairs", `"${"\\\\".repeat(4_000)}"@${DOMAIN}`],
    ["a source route without an end", `${"@a,".repeat(2_000)}`],
    ["thousands of tags", `${"prvs=1234abcdef=".repeat(400)}alice@${DOMAIN}`],
    ["thousands of dots", `${".".repeat(2_000)}@${DOMAIN}`],
    ["thousands of labels", `alice@${"a.".repeat(4_000)}example`],
    ["combining marks without end", `a${"\u0301".repeat(4_000)}@${DOMAIN}`],
    ["half a surrogate pair", `\ud800@${DOMAIN}`],
    ["the other half", `alice@\udc00.example`],
    ["a NUL", `alice\0@${DOMAIN}`],
    ["nothing", ""],
  ])("is refused with its own reply: %s", async (_, recipient) => {
    const answer = await callJson<Answer>(env, "/v1/rcpt", { json: { recipient } });
    expectAnswer(answer, recipient);
    expect(answer.action).toBe("reject");
  });

  it("gets one reply line for each line of any bytes, in order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (octets) => {
        const response = await post(
          new Uint8Array([...octets, 10, ...bytes(`alice@${DOMAIN}\n`)]),
          "text/plain",
        );
        expect(response.status).toBe(200);
        const replies = (await response.text()).split("\n");
        expect(replies.pop()).toBe("");
        for (const reply of replies) expectReply(reply);
        const lines = octets.filter((octet) => octet === 10).length + 2;
        expect(replies).toHaveLength(lines);
        expect(replies.at(-1)).toBe(`250 2.1.5 <alice@${DOMAIN}>: recipient ok`);
      }),
    );
  });
});

describe("a malformed body", () => {
  const json = "application/json";
  const deep = 100_000;

  it.each<[string, BodyInit | undefined, string | null, string]>([
    ["no body", undefined, json, "400 bad_request"],
    ["an empty body", "", json, "400 bad_request"],
    ["half of a JSON text", '{"recipient":"a', json, "400 bad_request"],
    ["two JSON texts", '{"recipient":"a@b"}{}', json, "400 bad_request"],
    ["null", "null", json, "400 bad_request"],
    ["a number", "1", json, "400 bad_request"],
    ["a text", '"alice@input.example"', json, "400 bad_request"],
    ["an empty object", "{}", json, "400 bad_request"],
    ["a recipient that is a number", '{"recipient":1}', json, "400 bad_request"],
    ["a recipient that is null", '{"recipient":null}', json, "400 bad_request"],
    ["a recipient that is a list", '{"recipient":["a@b"]}', json, "400 bad_request"],
    ["recipient and recipients", '{"recipient":"a@b","recipients":["a@b"]}', json, "400 bad_request"],
    ["recipients that are an object", '{"recipients":{"0":"a@b","length":1}}', json, "400 bad_request"],
    ["a list with a number", '["a@b",1]', json, "400 bad_request"],
    ["a list in a list", '[["a@b"]]', json, "400 bad_request"],
    ["a list with a hole", '["a@b",null]', json, "400 bad_request"],
    ["only a prototype", '{"__proto__":{"recipient":"a@b"}}', json, "400 bad_request"],
    ["a floor that is a list", '{"recipient":"a@b","floor":[1]}', json, "400 bad_request"],
    ["a floor below zero", '{"recipient":"a@b","floor":{"b":-1}}', json, "400 bad_request"],
    ["a floor that is no whole number", '{"recipient":"a@b","floor":{"b":1.5}}', json, "400 bad_request"],
    ["a floor past all numbers", '{"recipient":"a@b","floor":{"b":1e999}}', json, "400 bad_request"],
    ["lists 100,000 deep", "[".repeat(deep) + "]".repeat(deep), json, "400 bad_request"],
    ["objects 100,000 deep", '{"a":'.repeat(deep) + 1 + "}".repeat(deep), json, "400 bad_request"],
    ["a deep recipient", `{"recipient":${"[".repeat(deep)}${"]".repeat(deep)}}`, json, "400 bad_request"],
    [
      "a deep floor",
      `{"recipient":"a@b","floor":{"b":${"[".repeat(deep)}${"]".repeat(deep)}}}`,
      json,
      "400 bad_request",
    ],
    ["deep lists that do not end", "[".repeat(deep), json, "400 bad_request"],
    ["bytes that are no UTF-8", new Uint8Array([0xff, 0xfe, 0x00]), json, "400 bad_request"],
    ["no type", bytes('{"recipient":"a@b"}'), null, "415 unsupported_media_type"],
    ["an empty type", bytes("{}"), "", "415 unsupported_media_type"],
    ["a form", "recipient=a@b", "application/x-www-form-urlencoded", "415 unsupported_media_type"],
    ["a page", "<p>", "text/html", "415 unsupported_media_type"],
    ["JSON of another kind", "{}", "application/jsonp", "415 unsupported_media_type"],
  ])("is answered with an error: %s", async (_, body, type, code) => {
    expect(await codeOf(await post(body, type))).toBe(code);
  });

  it("is answered with an error in a line if the client accepts text", async () => {
    const accept = { Accept: "text/plain" };
    const response = await call(env, "/v1/rcpt", { method: "POST", headers: accept, body: bytes("?") });
    expect(response.status).toBe(415);
    expect(await response.text()).toMatch(/^451 4\.3\.0 [\x20-\x7e]+\n$/);
  });

  it("may be any JSON, and never causes an internal error", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        fc.constantFrom("recipient", "recipients", "floor", ""),
        async (it, key) => {
          const json = key === "" ? it : { recipients: [`alice@${DOMAIN}`], [key]: it };
          const response = await call(env, "/v1/rcpt", { json });
          expect([200, 400]).toContain(response.status);
        },
      ),
    );
  });

  it.each([
    ["with a parameter", "application/json; charset=utf-8"],
    ["in capitals", "Application/JSON"],
    ["with spaces", " application/json ;x=y"],
  ])("is not malformed with the right type, %s", async (_, type) => {
    const response = await post(bytes(`{"recipient":"alice@${DOMAIN}"}`), type);
    expect(await response.json()).toMatchObject({ verdict: "deliverable" });
  });

  it("is not malformed with a duplicate key: the last one counts, and the answer names the recipient", async () => {
    const response = await post(`{"recipient":"bob@${DOMAIN}","recipient":"alice@${DOMAIN}"}`, json);
    expect(await response.json()).toMatchObject({ recipient: `alice@${DOMAIN}`, verdict: "deliverable" });
  });

  it("is not malformed if a floor names a member that every object has", async () => {
    const floors = '{"__proto__":1,"constructor":2,"hasOwnProperty":3,"toString":4}';
    const response = await post(`{"recipient":"alice@${DOMAIN}","floor":${floors}}`, json);
    expect(await response.json()).toMatchObject({ verdict: "deliverable" });
  });
});

/** An endless stream of chunks that counts what is read from it, and notices when reading stops. */
function endless(chunk: Uint8Array) {
  const seen = { taken: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      seen.taken += chunk.length;
      controller.enqueue(chunk.slice());
    },
    cancel() {
      seen.cancelled = true;
    },
  });
  return { seen, stream };
}

describe("a body that is too long", () => {
  it.each([
    ["told beforehand", { "Content-Length": String(MAX_CHECK_BODY + 1) }, "{}"],
    ["told beforehand, absurdly", { "Content-Length": "1e30" }, "{}"],
    ["not told", {}, new Uint8Array(MAX_CHECK_BODY + 1)],
    ["told to be short", { "Content-Length": "2" }, new Uint8Array(MAX_CHECK_BODY + 1)],
  ])("is refused with its length %s", async (_, headers, body) => {
    const type = { "Content-Type": "application/json" };
    const response = await call(env, "/v1/rcpt", { method: "POST", body, headers: { ...type, ...headers } });
    expect(await codeOf(response)).toBe("413 too_large");
  });

  it("is read only up to the limit if it has no end", async () => {
    const { seen, stream } = endless(new Uint8Array(64 * 1024).fill(32));
    expect(await codeOf(await post(stream, "application/json"))).toBe("413 too_large");
    expect(seen.cancelled).toBe(true);
    expect(seen.taken).toBeLessThan(MAX_CHECK_BODY + 4 * 64 * 1024);
  });

  it("is read if it has exactly the maximum length, and arrives in pieces", async () => {
    const line = bytes(`alice@${DOMAIN}\n`);
    const room = new Uint8Array(MAX_CHECK_BODY - line.length - 1).fill(0x78);
    const pieces = [room.slice(0, 1), room.slice(1), bytes("\n"), line.slice(0, 3), line.slice(3)];
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece);
        controller.close();
      },
    });
    const response = await post(stream, "text/plain");
    expect(response.status).toBe(200);
    expect((await response.text()).split("\n")[1]).toBe(`250 2.1.5 <alice@${DOMAIN}>: recipient ok`);
  });
});

describe("a body that arrives too slowly", () => {
  /** A clock that the test moves. */
  function handClock() {
    const waiting: { readonly at: number; readonly wake: () => void }[] = [];
    let now = 0;
    return {
      timers: { sleep: (ms: number) => new Promise<void>((wake) => waiting.push({ at: now + ms, wake })) },
      advance(ms: number) {
        now += ms;
        for (const { at, wake } of waiting) if (at <= now) wake();
      },
    };
  }
  const request = (body: ReadableStream, headers: Readonly<Record<string, string>> = {}): Request =>
    new Request("https://rollcall.test/", { method: "POST", body, headers });

  it.each([
    ["its length told", { "Content-Length": "20" }],
    ["its length not told", {}],
  ])("is aborted after ten seconds, %s", async (_, headers) => {
    const { timers, advance } = handClock();
    let give: (chunk: Uint8Array) => void = () => undefined;
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        give = (chunk) => controller.enqueue(chunk);
      },
    });
    let end: unknown;
    const body = readBody(request(stream, headers), 100, timers).catch((error: unknown) => {
      end = error;
    });
    for (let second = 0; second < 10; second++) {
      expect(end).toBeUndefined();
      give(new Uint8Array(1));
      await new Promise((resolve) => setTimeout(resolve, 0));
      advance(1_000);
    }
    await body;
    expect(end).toBeInstanceOf(HttpError);
    expect((end as HttpError).error.code).toBe("timeout");
  });

  it("is accepted if its last octet arrives in time", async () => {
    const { timers, advance } = handClock();
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array([1]));
        advance(9_999);
        controller.enqueue(new Uint8Array([2]));
        controller.close();
      },
    });
    expect(await readBody(request(stream), 100, timers)).toEqual(new Uint8Array([1, 2]));
  });
});
