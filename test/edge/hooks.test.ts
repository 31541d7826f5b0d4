/* MTA Hooks: requests as Stalwart's source writes them. Stalwart itself was not run. */
import { beforeAll, describe, expect, it } from "vitest";
import { hookBody, type Stage } from "../../integrations/stalwart/hook-message.ts";
import { type ErrorBody, type HookAnswer, hookAnswer, MAX_HOOK_BODY } from "../../src/api/index.ts";
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

async function ask(body: BodyInit, more: CallOptions = {}): Promise<HookAnswer> {
  const response = await post(body, more);
  expect(response.headers.get("Content-Type")).toBe("application/json");
  expect(response.status).toBe(200);
  return response.json();
}

const rcpt = (...recipients: string[]): Promise<HookAnswer> => ask(hookBody("rcpt", recipients));

const rejected = (status: number, enhanced: string, message: unknown) => ({
  action: "reject",
  response: { status, enhanced_status: enhanced, enhancedStatus: enhanced, message, disconnect: false },
});
const deferred = (why: string) => rejected(451, "4.3.0", expect.stringContaining(why));
const ACCEPT = { action: "accept" };

describe("an MTA hook at RCPT", () => {
  it.each<[string, unknown]>([
    ["alice", ACCEPT],
    ["postmaster", ACCEPT],
    ["nobody", rejected(550, "5.1.1", `<nobody@${DOMAIN}>: no such mailbox here`)],
    ["bob", rejected(550, "5.2.1", `<bob@${DOMAIN}>: mailbox is disabled`)],
    ["mary", rejected(550, "5.1.6", `<mary@${DOMAIN}>: mailbox has moved, no forwarding address`)],
    ["fred", rejected(452, "4.2.2", `<fred@${DOMAIN}>: mailbox is full`)],
    ["a..b", rejected(501, "5.1.3", `<a..b@${DOMAIN}>: bad recipient address syntax`)],
  ])("gets the action and the SMTP reply of the verdict: %s", async (local, expected) => {
    expect(await rcpt(`${local}@${DOMAIN}`)).toEqual(expected);
  });

  it("judges the last recipient, whatever stands before it", async () => {
    expect(await rcpt(`nobody@${DOMAIN}`, `alice@${DOMAIN}`)).toEqual(ACCEPT);
    expect(await rcpt(`alice@${DOMAIN}`, `nobody@${DOMAIN}`)).toMatchObject({ response: { status: 550 } });
  });

  it("accepts in observe mode what would be refused", async () => {
    expect(await rcpt("nobody@watched.example")).toEqual(ACCEPT);
  });

  it("needs no Content-Type, and takes the stage in any case", async () => {
    const body = hookBody("rcpt", [`nobody@${DOMAIN}`]).replace('"rcpt"', '"RCPT"');
    expect(await ask(body, { headers: {} })).toMatchObject({ response: { status: 550 } });
    expect(
      await ask(body, { headers: { "Content-Type": "text/plain", Accept: "text/plain" } }),
    ).toMatchObject({
      response: { status: 550 },
    });
  });

  it("is deferred for a domain that the token does not cover, whether it is served or not", async () => {
    const token = mint(claimsOf("check", ["other.example"]));
    for (const recipient of [`alice@${DOMAIN}`, "alice@nowhere.example"]) {
      expect(await ask(hookBody("rcpt", [recipient]), { token })).toEqual(deferred("cannot be checked now"));
    }
  });

  it("is deferred if the Registry does not answer", async () => {
    const REGISTRY = new Proxy(env.REGISTRY, {
      get() {
        throw new Error("the Registry is away");
      },
    });
    const broken = freshEnv({ REGISTRY });
    const response = await call(broken, "/v1/hooks/mta", { body: hookBody("rcpt", ["x@unseen.example"]) });
    expect([response.status, await response.json()]).toEqual([200, deferred("cannot be checked now")]);
  });
});

describe("an MTA hook at another stage", () => {
  it.each<Stage>(["connect", "ehlo", "auth", "mail", "data"])(
    "asks about no recipient: %s",
    async (stage) => {
      expect(await ask(hookBody(stage, [`nobody@${DOMAIN}`]))).toEqual(ACCEPT);
    },
  );

  it.each(["route", "", "rcpt ", "toString"])("is deferred if the stage is not known: %j", async (stage) => {
    const body = JSON.stringify({ context: { stage }, envelope: { to: [{ address: `alice@${DOMAIN}` }] } });
    expect(await ask(body)).toEqual(deferred("context.stage is not known"));
  });
});

describe("a hook that cannot be understood", () => {
  const envelope = { to: [{ address: `alice@${DOMAIN}` }] };
  const context = { stage: "rcpt" };
  it.each<[string, string, string]>([
    ["nothing", "", "not JSON"],
    ["JSON that is cut off", hookBody("rcpt", [`alice@${DOMAIN}`]).slice(0, -1), "not JSON"],
    ["a list", "[]", "must be an object"],
    ["null", "null", "must be an object"],
    ["no context", "{}", "context is missing"],
    ["no stage", '{"context":{}}', "context.stage is missing"],
    ["a stage that is no text", '{"context":{"stage":["rcpt"]}}', "context.stage must be text"],
    ["no envelope", JSON.stringify({ context }), "no recipient"],
    ["no recipient", JSON.stringify({ context, envelope: { to: [] } }), "no recipient"],
    ["an empty recipient", JSON.stringify({ context, envelope: { to: [{ address: "" }] } }), "no recipient"],
    ["recipients that are no list", JSON.stringify({ context, envelope: { to: {} } }), "envelope.to must"],
    [
      "an address that is no text",
      JSON.stringify({ context, envelope: { to: [{ address: 1 }] } }),
      "must be text",
    ],
    ["an envelope that is null", JSON.stringify({ context, envelope: null }), "envelope must be an object"],
    ["a deep nest", `${"[".repeat(60_000)}${"]".repeat(60_000)}`, "must be an object"],
    [
      "characters that SMTP cannot carry",
      JSON.stringify({ context: { stage: "é\r\n250 ok" }, envelope }),
      "not known",
    ],
  ])("is deferred with status 200: %s", async (_, body, why) => {
    const answered = await ask(body);
    expect(answered).toEqual(deferred(why));
    expect(answered.response?.message).toMatch(/^[\x20-\x7e]{1,400}$/);
  });

  it("is deferred if it is longer than the limit, whether it tells its length or not", async () => {
    const recipients = Array.from({ length: 6_000 }, (_, i) => `recipient-number-${i}@${DOMAIN}`);
    const body = hookBody("rcpt", recipients);
    expect(body.length).toBeGreaterThan(MAX_HOOK_BODY);
    expect(await ask(body, { headers: { "Content-Length": String(body.length) } })).toEqual(
      deferred("octets"),
    );
    expect(await ask(new Blob([body]).stream())).toEqual(deferred("octets"));
  });

  it("gets an error status in the draft's dialect, whose clients could take the answer for an accept", async () => {
    const response = await post(JSON.stringify({ stage: "rcpt", action: "accept", envelope }));
    expect(response.status).toBe(400);
    expect(((await response.json()) as ErrorBody).error.code).toBe("bad_request");
  });

  it("gets an error status without a valid token, and says nothing of the recipient", async () => {
    for (const token of [null, "rc1.x.y"]) {
      const response = await post(hookBody("rcpt", [`alice@${DOMAIN}`]), { token });
      expect(response.status).toBe(401);
      expect(await response.text()).not.toContain("alice");
    }
    const token = mint(claimsOf("publish", [DOMAIN]));
    expect((await post(hookBody("rcpt", [`alice@${DOMAIN}`]), { token })).status).toBe(403);
  });
});

describe("the answer to a hook", () => {
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
    expect(hookAnswer({ ...known, ...change })).toEqual(deferred("cannot be checked now"));
  });
});
