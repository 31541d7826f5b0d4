/* MTA Hooks: requests as the sources of Stalwart and of a client of the draft write them. Neither was run. */
import { beforeAll, describe, expect, it } from "vitest";
import { draftBody } from "../../integrations/mta-hooks/hook-message.ts";
import { hookBody } from "../../integrations/stalwart/hook-message.ts";
import { DIALECTS, hookAnswer, JSON_PATCH, MAX_HOOK_BODY } from "../../src/api/index.ts";
import { type Answer, answer } from "../../src/directory/index.ts";
import { type CallOptions, call, freshEnv, publish } from "./support/edge.ts";
import { claimsOf, mint } from "./support/tokens.ts";

const env = freshEnv();
const DOMAIN = "hooks.example";

beforeAll(async () => {
  await publish(env, DOMAIN, ["alice", ["bob", "disabled"], ["fred", "full"], ["mary", "moved"]]);
  await publish(env, "watched.example", ["alice"], { mode: "observe" });
});

const post = (body: BodyInit, more: CallOptions = {}): Promise<Response> =>
  call(env, "/v1/hooks/mta", { body, headers: { "Content-Type": "application/json" }, ...more });

async function askWith(body: BodyInit, more: CallOptions = {}): Promise<unknown> {
  const response = await post(body, more);
  const isPatch = new Headers(more.headers).get("Accept")?.includes(JSON_PATCH) ?? false;
  expect(response.headers.get("Content-Type")).toBe(isPatch ? JSON_PATCH : "application/json");
  expect(response.status).toBe(200);
  return response.json();
}

/** How a client of a dialect asks, and the answers that it reads. */
interface Spoken {
  readonly name: keyof typeof DIALECTS;
  readonly headers?: Readonly<Record<string, string>>;
  body(stage: string, recipients: readonly string[], more?: object): string;
  readonly accept: object;
  rejected(code: number, enhanced: string, message: unknown): object;
  readonly stages: readonly string[];
}

const STALWART: Spoken = {
  name: "stalwart",
  body: (stage, recipients, more = {}) => {
    const { context, ...rest } = JSON.parse(hookBody("rcpt", recipients)) as { readonly context: object };
    return JSON.stringify({ context: { ...context, stage }, ...rest, ...more });
  },
  accept: { action: "accept" },
  rejected: (status, enhanced, message) => ({
    action: "reject",
    response: { status, enhanced_status: enhanced, enhancedStatus: enhanced, message, disconnect: false },
  }),
  stages: ["connect", "ehlo", "auth", "mail", "data"],
};

const DRAFT: Spoken = {
  name: "draft",
  body: (stage, recipients, more = {}) =>
    JSON.stringify({ ...JSON.parse(draftBody("rcpt", recipients)), stage, ...more }),
  // Not the action "accept": it would undo what another hook decided.
  accept: { set: [] },
  rejected: (code, enhancedCode, message) => ({
    set: [
      { path: "/action", value: "reject" },
      { path: "/response", value: { code, enhancedCode, message } },
    ],
  }),
  stages: ["connect", "ehlo", "mail", "data", "route", "delivery", "defer", "dsn"],
};

/** A client of the draft that takes JSON Patches. */
const PATCH: Spoken = {
  ...DRAFT,
  name: "jsonPatch",
  headers: { Accept: `application/json;q=0.5, ${JSON_PATCH}` },
  accept: [],
  rejected: (code, enhancedCode, message) => [
    { op: "add", path: "/action", value: "reject" },
    { op: "add", path: "/response", value: { code, enhancedCode, message } },
  ],
};

const DRAFT_HEADERS = {
  "Content-Type": "application/json",
  "X-MTA-Hooks-Registration": "0123456789abcdef",
  "X-MTA-Hooks-Request-Id": "7e5d2a0c-2f0b-4a7e-9b32-0f2f3c1f6b11",
};

describe.each([STALWART, DRAFT, PATCH])("an MTA hook of $name", (spoken) => {
  const { accept, rejected, body, headers = {} } = spoken;
  const ask = (body: BodyInit, more: CallOptions = {}): Promise<unknown> =>
    askWith(body, { ...more, headers: { "Content-Type": "application/json", ...more.headers, ...headers } });
  const deferred = (why: string) => rejected(451, "4.3.0", expect.stringContaining(why));
  const rcpt = (...recipients: string[]): Promise<unknown> => ask(body("rcpt", recipients));

  it.each<[string, unknown]>([
    ["alice", accept],
    ["postmaster", accept],
    ["nobody", rejected(550, "5.1.1", `<nobody@${DOMAIN}>: no such mailbox here`)],
    ["bob", rejected(550, "5.2.1", `<bob@${DOMAIN}>: mailbox is disabled`)],
    ["mary", rejected(550, "5.1.6", `<mary@${DOMAIN}>: mailbox has moved, no forwarding address`)],
    ["fred", rejected(452, "4.2.2", `<fred@${DOMAIN}>: mailbox is full`)],
    ["a..b", rejected(501, "5.1.3", `<a..b@${DOMAIN}>: bad recipient address syntax`)],
  ])("gets the action and the SMTP reply of the verdict: %s", async (local, expected) => {
    expect(await rcpt(`${local}@${DOMAIN}`)).toEqual(expected);
  });

  it("judges the last recipient, whatever stands before it", async () => {
    expect(await rcpt(`nobody@${DOMAIN}`, `alice@${DOMAIN}`)).toEqual(accept);
    expect(await rcpt(`alice@${DOMAIN}`, `nobody@${DOMAIN}`)).toEqual(
      rejected(550, "5.1.1", expect.anything()),
    );
  });

  it("accepts in observe mode what would be refused", async () => {
    expect(await rcpt("nobody@watched.example")).toEqual(accept);
  });

  it("needs no Content-Type, and takes the stage in any case", async () => {
    const refused = rejected(550, "5.1.1", expect.anything());
    const asked = body("RCPT", [`nobody@${DOMAIN}`]);
    expect(await ask(asked, { headers: {} })).toEqual(refused);
    expect(await ask(asked, { headers: { "Content-Type": "text/plain", Accept: "text/plain" } })).toEqual(
      refused,
    );
  });

  it("is deferred for a domain that the token does not cover, whether it is served or not", async () => {
    const token = mint(claimsOf("check", ["other.example"]));
    for (const recipient of [`alice@${DOMAIN}`, "alice@nowhere.example"]) {
      expect(await ask(body("rcpt", [recipient]), { token })).toEqual(deferred("cannot be checked now"));
    }
  });

  it("is deferred if the Registry does not answer", async () => {
    const REGISTRY = new Proxy(env.REGISTRY, {
      get() {
        throw new Error("the Registry is away");
      },
    });
    const broken = freshEnv({ REGISTRY });
    const response = await call(broken, "/v1/hooks/mta", {
      body: body("rcpt", ["x@unseen.example"]),
      headers,
    });
    expect([response.status, await response.json()]).toEqual([200, deferred("cannot be checked now")]);
  });

  it.each(spoken.stages)("asks about no recipient at another stage: %s", async (stage) => {
    for (const envelope of [{ to: [{ address: `nobody@${DOMAIN}` }] }, { from: "x" }, null]) {
      expect(await ask(body(stage, [], { envelope }))).toEqual(accept);
    }
  });

  it.each(["routes", "", "rcpt ", "toString", ["data"], { rcpt: true }, 1, null])(
    "is deferred if the stage is not known: %j",
    async (stage) => {
      const known = JSON.parse(body("rcpt", [`alice@${DOMAIN}`])) as { readonly context?: object };
      const { context } = known;
      const changed = context === undefined ? { stage } : { context: { ...context, stage } };
      expect(await ask(JSON.stringify({ ...known, ...changed }))).toEqual(deferred("stage"));
    },
  );

  const envelope = { to: [{ address: `alice@${DOMAIN}` }] };
  it.each<[string, object, string]>([
    ["no envelope", { envelope: undefined }, "no recipient"],
    ["no recipient", { envelope: { to: [] } }, "no recipient"],
    ["an empty recipient", { envelope: { to: [{ address: "" }] } }, "no recipient"],
    ["recipients that are no list", { envelope: { to: {} } }, "envelope.to must"],
    ["recipients that are texts", { envelope: { to: [`alice@${DOMAIN}`] } }, "must be an object"],
    ["an address that is no text", { envelope: { to: [{ address: 1 }] } }, "must be text"],
    ["an address that is null", { envelope: { to: [{ address: null }] } }, "must be text"],
    ["an envelope that is null", { envelope: null }, "envelope must be an object"],
    ["an envelope that is a list", { envelope: [envelope] }, "envelope must be an object"],
  ])("is deferred with status 200: %s", async (_, more, why) => {
    expect(await ask(body("rcpt", [], more))).toEqual(deferred(why));
  });

  it("carries no characters that SMTP cannot", async () => {
    const answered = JSON.stringify(await ask(body("é\r\n250 ok", [`alice@${DOMAIN}`])));
    expect(answered).toMatch(/^[\x20-\x7e]{1,800}$/);
  });

  it("gets an error status without a valid token, and says nothing of the recipient", async () => {
    for (const token of [null, "rc1.x.y"]) {
      const response = await post(body("rcpt", [`alice@${DOMAIN}`]), { token });
      expect(response.status).toBe(401);
      expect(await response.text()).not.toContain("alice");
    }
    const token = mint(claimsOf("publish", [DOMAIN]));
    expect((await post(body("rcpt", [`alice@${DOMAIN}`]), { token })).status).toBe(403);
  });

  const known = answer("x@hooks.example", "unknown");
  it.each<[string, Partial<Answer>]>([
    ["a refusal with a temporary code", { reply: "450 4.2.0 later" }],
    ["a deferral with a permanent code", { action: "defer" }],
    ["a code without a text", { reply: "550 5.1.1" }],
    ["codes of two kinds", { reply: "550 4.1.1 no" }],
    ["a success", { reply: "250 2.1.5 ok" }],
    ["two lines", { reply: "550 5.1.1 no\r\n250 2.1.5 ok" }],
    ["nothing", { reply: "" }],
    ["an action of a later release", { action: "greylist" as Answer["action"] }],
  ])("defers if the reply does not fit the action: %s", (_, change) => {
    expect(hookAnswer(DIALECTS[spoken.name], { ...known, ...change })).toEqual(
      deferred("cannot be checked now"),
    );
  });
});

describe("a request whose dialect cannot be told", () => {
  /** A deferral for clients of both dialects: neither finds nothing of its own, which could mean an accept. */
  const bothDefer = (why: string) => {
    const text = expect.stringContaining(why);
    return { ...STALWART.rejected(451, "4.3.0", text), ...DRAFT.rejected(451, "4.3.0", text) };
  };

  it.each<[string, string, string]>([
    ["nothing", "", "not JSON"],
    ["JSON that is cut off", hookBody("rcpt", [`alice@${DOMAIN}`]).slice(0, -1), "not JSON"],
    ["a list", "[]", "dialect cannot be told"],
    ["null", "null", "dialect cannot be told"],
    ["a text", '"context"', "dialect cannot be told"],
    ["neither stage nor context", "{}", "dialect cannot be told"],
    ["a deep nest", `${"[".repeat(60_000)}${"]".repeat(60_000)}`, "dialect cannot be told"],
    [
      "both stage and context",
      JSON.stringify({ ...JSON.parse(hookBody("rcpt", [`alice@${DOMAIN}`])), stage: "rcpt" }),
      "dialect cannot be told",
    ],
  ])("is deferred in both: %s", async (_, body, why) => {
    expect(await askWith(body)).toEqual(bothDefer(why));
  });

  it("is deferred in the draft's if its header came along", async () => {
    const deferred = (why: string) => DRAFT.rejected(451, "4.3.0", expect.stringContaining(why));
    for (const body of ["", "{", DRAFT.body("rcpt", [`alice@${DOMAIN}`]).slice(0, -1)]) {
      expect(await askWith(body, { headers: DRAFT_HEADERS })).toEqual(deferred("not JSON"));
    }
    expect(await askWith("{}", { headers: DRAFT_HEADERS })).toEqual(deferred("stage is missing"));
    const stalwarts = hookBody("rcpt", [`alice@${DOMAIN}`]);
    expect(await askWith(stalwarts, { headers: DRAFT_HEADERS })).toEqual(bothDefer("dialect cannot be told"));
  });

  it("is deferred if it is longer than the limit, whether it tells its length or not", async () => {
    const recipients = Array.from({ length: 6_000 }, (_, i) => `recipient-number-${i}@${DOMAIN}`);
    for (const { body } of [STALWART, DRAFT]) {
      const long = body("rcpt", recipients);
      expect(long.length).toBeGreaterThan(MAX_HOOK_BODY);
      expect(await askWith(long, { headers: { "Content-Length": String(long.length) } })).toEqual(
        bothDefer("octets"),
      );
      expect(await askWith(new Blob([long]).stream())).toEqual(bothDefer("octets"));
      expect(await askWith(new Blob([long]).stream(), { headers: DRAFT_HEADERS })).toEqual(
        DRAFT.rejected(451, "4.3.0", expect.stringContaining("octets")),
      );
    }
  });
});
