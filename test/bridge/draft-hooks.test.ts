/* MTA Hooks on a listener of the bridge, as the source of a client of draft-degennaro-mta-hooks-01 writes them. It was not run. */
import { describe, expect, it } from "vitest";
import { draftBody } from "../../integrations/mta-hooks/hook-message.ts";
import { MAX_HOOK_BODY } from "../../src/api/index.ts";
import type { answerOf } from "./support/answers.ts";
import { ask, post, says } from "./support/hooks.ts";
import { startServer } from "./support/server.ts";

const USER = "user@example.com";

describe("a hook of the draft", () => {
  const reject = (code: number, enhancedCode: string, why: string) => ({
    set: [
      { path: "/action", value: "reject" },
      { path: "/response", value: { code, enhancedCode, message: expect.stringContaining(why) } },
    ],
  });
  const HEADERS = { "X-MTA-Hooks-Registration": "bridge", "X-MTA-Hooks-Request-Id": "a-b-1" };

  it.each<[Parameters<typeof answerOf>[1], unknown]>([
    ["deliverable", { set: [] }],
    ["unknown", reject(550, "5.1.1", "no such mailbox")],
    ["full", reject(452, "4.2.2", "full")],
    ["unavailable", reject(451, "4.3.0", "cannot be checked now")],
  ])("gets the answer of the verdict: %s", async (verdict, expected) => {
    const { listen } = startServer({ resolve: says(verdict) });
    expect(await ask(await listen("hooks"), draftBody("rcpt", ["other@example.com", USER]))).toEqual(
      expected,
    );
  });

  it.each(["connect", "ehlo", "mail", "data"] as const)("changes nothing at the stage %s", async (stage) => {
    const { listen } = startServer({
      resolve: () => {
        throw new Error("nobody may be asked about");
      },
    });
    expect(await ask(await listen("hooks"), draftBody(stage, [USER]))).toEqual({ set: [] });
  });

  it.each<[string, string, string]>([
    ["no JSON", "{", "not JSON"],
    ["no recipient", draftBody("rcpt", []), "no recipient"],
    ["an unknown stage", '{"stage":"routes"}', "not known"],
    ["50 MB", "x".repeat(50_000_000), `more than ${MAX_HOOK_BODY} octets`],
  ])("is deferred in its own dialect if it cannot be understood: %s", async (_, body, why) => {
    const { listen } = startServer();
    const address = await listen("hooks");
    expect(await ask(address, body, { headers: HEADERS })).toEqual(reject(451, "4.3.0", why));
  });

  it("is deferred in its own dialect if resolving it fails", async () => {
    const { listen } = startServer({
      resolve: () => Promise.reject(new Error("broken")),
      fault: () => undefined,
    });
    expect(await ask(await listen("hooks"), draftBody("rcpt", [USER]))).toEqual(
      reject(451, "4.3.0", "internal error"),
    );
  });

  it("is preceded by discovery and registration, which need nothing stored", async () => {
    const { listen } = startServer();
    const address = await listen("hooks");
    const get = { method: "GET" };
    const discovery = await post(address, "", { ...get, path: "/.well-known/mta-hooks" });
    expect([discovery.status, JSON.parse(discovery.body)]).toMatchObject([
      200,
      { endpoints: { registration: "/v1/hooks/registrations" }, serialization: ["json"] },
    ]);
    const path = "/v1/hooks/registrations";
    const inbound = { stages: ["rcpt"], properties: null };
    const registered = await post(address, JSON.stringify({ serialization: "json", inbound }), { path });
    expect([registered.status, JSON.parse(registered.body)]).toMatchObject([
      201,
      { hookEndpoint: "/v1/hooks/mta" },
    ]);
    const { endpoints } = JSON.parse(registered.body) as { endpoints: { status: string } };
    for (const method of ["GET", "DELETE"]) {
      expect((await post(address, "", { method, path: endpoints.status })).status).toBe(200);
    }
    for (const wrong of ["", "{", "{}", "[]", JSON.stringify({ serialization: "cbor", inbound })]) {
      expect((await post(address, wrong, { path })).status, wrong).toBe(400);
    }
    expect((await post(address, "x".repeat(MAX_HOOK_BODY + 1), { path })).status).toBe(400);
  });
});
