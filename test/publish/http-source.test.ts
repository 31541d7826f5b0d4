import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Source } from "../../src/publish/index.ts";
import { POINTER, valuesAt } from "../../src/publish/sources/pointer.ts";
import { temporaryFolder } from "../support/folders.ts";
import { hostOf, linesOf, openOne, refusal } from "./support/reading.ts";

const folder = temporaryFolder();

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

type Answer = (asked: Asked, response: ServerResponse) => void;

let server: Server;
let origin = "";
let asked: Asked[] = [];
/** Answers by path and query; the last one of a list is repeated. */
let answers: Record<string, Answer | Answer[]> = {};

beforeAll(async () => {
  server = createServer((request: IncomingMessage, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += String(chunk);
    });
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const one = { method, url, authorization: headers.authorization, body };
      asked.push(one);
      const found = answers[url];
      const answer = Array.isArray(found) ? (found.length > 1 ? found.shift() : found[0]) : found;
      if (answer === undefined) response.writeHead(404).end();
      else answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  asked = [];
  answers = {};
});

const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };

const env = { PATH: process.env.PATH, TOKEN: "a-token" };

/** Pauses end at once, and are noted. The limit of the whole read never ends. */
let pauses: number[] = [];
const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
  if (ms === 600_000 || ms === 60_000) {
    return new Promise((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));
  }
  pauses.push(ms);
  return Promise.resolve();
};

function open(settings: Readonly<Record<string, unknown>>): Source {
  pauses = [];
  const isPaged = "next_url" in settings || "next_token" in settings;
  const shape = { items: "/users", addresses: ["/mail"], ...(isPaged ? {} : { pages: "none" }) };
  const all = { kind: "http", token_env: "TOKEN", ...("preset" in settings ? {} : shape), ...settings };
  const host = hostOf(folder, { env, sleep, fetch: (url, init) => fetch(url, init) });
  return openOne(all, host);
}

describe("an HTTP service as a source", () => {
  it("has a bearer token, addresses anywhere in an item, and states", async () => {
    answers["/all"] = json({
      users: [
        { mail: "a@x", more: [{ at: "a2@x" }, { at: "a3@x" }], off: false },
        { mail: "b@x", more: [], off: true },
        { mail: null, more: [{ at: "" }] },
        { mail: 7 },
        "c@x",
      ],
    });
    const lines = await linesOf(
      open({
        url: `${origin}/all`,
        addresses: ["/mail", "/more/*/at"],
        state: "/off",
        states: { true: "disabled", false: "active" },
      }),
    );
    expect(lines).toEqual([
      "1 a@x active",
      "1 a2@x active",
      "1 a3@x active",
      "2 b@x disabled",
      "3 ! no address (without_address)",
      "4 ! an address that is not text",
      "5 ! not a JSON object",
    ]);
    expect(asked.map(({ authorization }) => authorization)).toEqual(["Bearer a-token"]);
  });

  /** As Microsoft Graph answers GET /v1.0/users: pages by a link, throttling with Retry-After. */
  it("may be Microsoft Graph", async () => {
    const query = "$select=mail,proxyAddresses,accountEnabled&$top=2";
    answers[`/v1.0/users?${query}`] = [
      json({ error: { code: "TooManyRequests" } }, 429, { "retry-after": "17" }),
      json({
        "@odata.context":
          "https://graph.microsoft.com/v1.0/$metadata#users(mail,proxyAddresses,accountEnabled)",
        "@odata.nextLink": `${origin}/v1.0/users?${query}&$skiptoken=RFNwdAIAAQ`,
        value: [
          {
            mail: "AdeleV@contoso.example",
            proxyAddresses: [
              "SMTP:AdeleV@contoso.example",
              "smtp:adele@contoso.example",
              "SIP:AdeleV@contoso.example",
            ],
            accountEnabled: true,
          },
          { mail: null, proxyAddresses: [], accountEnabled: true },
        ],
      }),
    ];
    answers[`/v1.0/users?${query}&$skiptoken=RFNwdAIAAQ`] = json({
      value: [
        {
          mail: "AlexW@contoso.example",
          proxyAddresses: ["SMTP:AlexW@contoso.example", "x500:/o=ExchangeLabs/cn=AlexW"],
          accountEnabled: false,
        },
      ],
    });
    const source = open({
      preset: "microsoft-365",
      other_domains: "refuse",
      url: `${origin}/v1.0/users?${query}`,
      state: "/accountEnabled",
      states: { true: "active", false: "disabled" },
    });
    expect(source.describe()).toBe(`source hr (${origin})`);
    expect(await linesOf(source)).toEqual([
      "1 AdeleV@contoso.example active",
      "1 adele@contoso.example active",
      "3 AlexW@contoso.example disabled",
    ]);
    expect(pauses).toEqual([17_000]);
  });

  /** As the Directory API of Google answers GET /admin/directory/v1/users: pages by a token. */
  it("may be Google's Directory API", async () => {
    const path = "/admin/directory/v1/users?customer=my_customer&maxResults=2";
    answers[path] = json({
      kind: "admin#directory#users",
      users: [
        {
          primaryEmail: "liz@example.org",
          suspended: false,
          aliases: ["lizzie@example.org"],
          nonEditableAliases: ["liz@example.org.test-google-a.com"],
        },
        { primaryEmail: "sam@example.org", suspended: true, suspensionReason: "ADMIN" },
      ],
      nextPageToken: "Ci0 KMq+",
    });
    answers[`${path}&pageToken=Ci0+KMq%2B`] = json({
      kind: "admin#directory#users",
      users: [{ primaryEmail: "new@example.org", suspended: false }],
    });
    const lines = await linesOf(
      open({
        preset: "google-workspace",
        other_domains: "refuse",
        url: `${origin}${path}`,
      }),
    );
    expect(lines).toEqual([
      "1 liz@example.org active",
      "1 lizzie@example.org active",
      "2 sam@example.org disabled",
      "3 new@example.org active",
    ]);
  });

  it("gets a token by OAuth's client credentials, and another one if the first expires", async () => {
    let made = 0;
    answers["/token"] = (_, response) =>
      json({ access_token: `made-${++made}`, token_type: "Bearer" })(_, response);
    answers["/p1"] = json({ users: [{ mail: "a@x" }], next: "/p2" });
    answers["/p2"] = [json({}, 401), json({ users: [{ mail: "b@x" }] })];
    writeFileSync(join(folder, "client-secret"), "s3cret&=\n");
    const oauth = {
      token_url: `${origin}/token`,
      client_id: "id",
      client_secret_file: "client-secret",
      scope: "users.read",
    };
    const source = open({ url: `${origin}/p1`, token_env: undefined, oauth, next_url: "/next" });
    expect(await linesOf(source)).toEqual(["1 a@x active", "2 b@x active"]);
    expect(asked.map(({ method, url, authorization }) => [method, url, authorization])).toEqual([
      ["POST", "/token", undefined],
      ["GET", "/p1", "Bearer made-1"],
      ["GET", "/p2", "Bearer made-1"],
      ["POST", "/token", undefined],
      ["GET", "/p2", "Bearer made-2"],
    ]);
    expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({
      grant_type: "client_credentials",
      client_id: "id",
      client_secret: "s3cret&=",
      scope: "users.read",
    });
  });

  it("gets a token from a program", async () => {
    answers["/all"] = json({ users: [] });
    expect(
      await linesOf(open({ url: `${origin}/all`, token_env: undefined, token_command: ["echo", "printed"] })),
    ).toEqual([]);
    expect(asked[0]?.authorization).toBe("Bearer printed");
  });

  it.each<[string, Answer, RegExp]>([
    ["a token that is refused twice", json({}, 401), /HTTP status 401/],
    ["403", json({}, 403), /HTTP status 403/],
    ["a redirect", (_, response) => response.writeHead(302, { location: "/all" }).end(), /HTTP status 302/],
    ["a page in HTML", (_, response) => response.end("<html>"), /an answer that is not JSON/],
    ["half a page", (_, response) => response.end('{"users":[{"mail":"a@x"}'), /an answer that is not JSON/],
    ["no list", json({ quota: "used" }), /has no list at \/users/],
    ["a list of another kind", json({ users: { mail: "a@x" } }), /has no list at \/users/],
    ["nothing after 500", json({}, 500), /HTTP status 500/],
    [
      "an answer that breaks off",
      (_, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write('{"users":[');
        setImmediate(() => response.destroy());
      },
      /terminated|closed|aborted/,
    ],
  ])("is refused with %s on a later page", async (_, answer, message) => {
    answers["/p1"] = json({ users: [{ mail: "a@x" }], next: "/p2" });
    answers["/p2"] = answer;
    const error = await refusal(() => linesOf(open({ url: `${origin}/p1`, next_url: "/next" })));
    expect(error.message).toMatch(message);
    expect(asked.length).toBeLessThanOrEqual(7);
  });

  it("waits longer after each fault, and goes on when the service is back", async () => {
    answers["/p1"] = [
      json({}, 500),
      json({}, 502),
      json({}, 503, { "retry-after": "7" }),
      json({ users: [{ mail: "a@x" }] }),
    ];
    expect(await linesOf(open({ url: `${origin}/p1` }))).toEqual(["1 a@x active"]);
    expect(pauses).toEqual([2000, 4000, 7000]);
  });

  it.each<[string, unknown, RegExp]>([
    ["at another server", "http://localhost:1/p2", /the next page is at another server/],
    ["that was there already", "/p1", /is an earlier one/],
    ["that is no URL", "http://[", /the next page is at another server/],
    ["that is no text", 7, /what is at \/next is not text/],
  ])("is refused if it names a next page %s", async (_, next, message) => {
    answers["/p1"] = json({ users: [], next });
    expect((await refusal(() => linesOf(open({ url: `${origin}/p1`, next_url: "/next" })))).message).toMatch(
      message,
    );
  });

  it("may end with members that name no next page, and with pages that get smaller or empty", async () => {
    answers["/p1"] = json({ users: [{ mail: "a@x" }, { mail: "b@x" }], next: "/p2" });
    answers["/p2"] = json({ users: [], next: "/p3" });
    answers["/p3"] = json(
      { users: [{ mail: "c@x" }], next: "", nextPageToken: "", next_page: null, "@odata.deltaLink": "x" },
      200,
      { link: '</p2>; rel="prev"' },
    );
    expect(await linesOf(open({ url: `${origin}/p1`, next_url: "/next" }))).toHaveLength(3);
  });

  it("is refused if no item has an address, since addresses must then be wrong", async () => {
    answers["/p1"] = json({ users: [{ email: "a@x" }, { mail: null }] });
    expect((await refusal(() => linesOf(open({ url: `${origin}/p1` })))).message).toBe(
      "source hr: none of 2 items has an address",
    );
    answers["/p1"] = json({ users: [] });
    expect(await linesOf(open({ url: `${origin}/p1` }))).toEqual([]);
  });

  it.each<[object, RegExp]>([
    [{ url: "http://directory.example/users" }, /unencrypted/],
    [{ next_token: "/t" }, /needs next_token and token_parameter together/],
    [{ next_url: "/n", next_token: "/t", token_parameter: "t" }, /has next_url and next_token/],
    [{ token_command: ["echo"] }, /has more than one token/],
    [{ token_env: "MISSING" }, /the environment variable MISSING \(token_env\) is not set/],
  ])("with settings that do not fit is refused before anything is sent: %j", async (settings, message) => {
    const error = await refusal(() => linesOf(open({ url: `${origin}/all`, ...settings })));
    expect(error.message).toMatch(message);
    expect(asked).toEqual([]);
  });
});

describe("a JSON pointer", () => {
  it.each<[string, unknown[]]>([
    ["", [{ "a/b": { "~": [1, [2, 3]] }, list: [{ x: 1 }, {}, { x: null }] }]],
    ["/a~1b/~0/0", [1]],
    ["/a~1b/~0/1/*", [2, 3]],
    ["/list/*/x", [1, null]],
    ["/list/3", []],
    ["/list/-1", []],
    ["/list/01", []],
    ["/nothing/at/all", []],
    ["/__proto__", []],
    ["/constructor", []],
  ])("%j", (pointer, expected) => {
    const value = { "a/b": { "~": [1, [2, 3]] }, list: [{ x: 1 }, {}, { x: null }] };
    expect(valuesAt(value, pointer)).toEqual(expected);
  });

  it("leads to every place of every value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.infiniteStream(fc.nat()), (whole, choices) => {
        let value: unknown = whole;
        let pointer = "";
        while (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
          const keys = Object.keys(value);
          const key = keys[(choices.next().value as number) % keys.length] as string;
          if (key === "*") break;
          pointer += `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
          value = (value as Record<string, unknown>)[key];
        }
        expect(POINTER.test(pointer)).toBe(true);
        expect(valuesAt(whole, pointer)).toEqual([value]);
      }),
    );
  });
});
