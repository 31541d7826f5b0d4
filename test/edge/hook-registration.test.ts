/* Discovery and registration of MTA Hooks, as a client of draft-degennaro-mta-hooks-01 does them. It was not run. */
import { describe, expect, it } from "vitest";
import { OFFERED } from "../../integrations/mta-hooks/hook-message.ts";
import type { ErrorBody, HookDiscovery, HookRegistration } from "../../src/api/index.ts";
import { call, callJson, freshEnv } from "./support/edge.ts";
import { claimsOf, mint } from "./support/tokens.ts";

const env = freshEnv();
const DOMAIN = "hooks.example";

describe("the registration of the draft", () => {
  const REGISTRATIONS = "/v1/hooks/registrations";
  const claims = claimsOf("check", [DOMAIN]);
  const token = mint(claims);
  /** As the client of hook-client.ts sends it. */
  const offer = {
    name: "postfix-mta-hooks",
    version: "0.1.0",
    timeoutMs: 20_000,
    serialization: "json",
    inbound: { stages: ["rcpt"], properties: OFFERED },
    outbound: null,
  };
  const register = (json: object): Promise<Response> => call(env, REGISTRATIONS, { json, token });

  it("is found by discovery, without a token", async () => {
    const found = await callJson<HookDiscovery>(env, "/.well-known/mta-hooks", { token: null });
    expect(found.endpoints.registration).toBe(REGISTRATIONS);
    expect(found.serialization).toEqual(["json"]);
    expect(found.capabilities.inbound.stages).toEqual(["rcpt"]);
  });

  it.each<[string, object]>([
    ["an offer of the client", offer],
    ["more stages than are needed", { ...offer, inbound: { ...offer.inbound, stages: ["data", "rcpt"] } }],
    ["every property", { ...offer, inbound: { stages: ["rcpt"], properties: null } }],
    ["no properties named", { ...offer, inbound: { stages: ["rcpt"] } }],
    ["no filter", { ...offer, filter: null }],
    ["an outbound part", { ...offer, outbound: { stages: ["dsn"], properties: null } }],
  ])("agrees on the stage rcpt and on what a check needs: %s", async (_, json) => {
    const response = await register(json);
    expect(response.status).toBe(201);
    const registered = (await response.json()) as HookRegistration;
    expect(registered).toMatchObject({
      registrationId: claims.id,
      status: "active",
      expiresAt: null,
      hookEndpoint: "/v1/hooks/mta",
      negotiated: {
        serialization: "json",
        inbound: { stages: ["rcpt"], properties: ["/stage", "/action", "/envelope"] },
        outbound: null,
      },
    });
    expect(registered.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it.each<[string, object, string]>([
    ["CBOR", { ...offer, serialization: "cbor" }, "serialization must be json"],
    ["no serialization", { ...offer, serialization: undefined }, "serialization is missing"],
    ["other stages only", { ...offer, inbound: { stages: ["data"] } }, "must have rcpt"],
    ["a word for stages", { ...offer, inbound: { stages: "rcpt" } }, "must have rcpt"],
    ["nothing inbound", { ...offer, inbound: null }, "inbound must be an object"],
    ["outbound only", { ...offer, inbound: undefined }, "inbound is missing"],
    [
      "no envelope",
      { ...offer, inbound: { stages: ["rcpt"], properties: ["/stage", "/action"] } },
      "must be null, or have /stage, /action, /envelope",
    ],
    ["a filter", { ...offer, filter: { envelopeTo: "*@a.example" } }, "filters are not supported"],
  ])("is refused, so that the mail server does not start: %s", async (_, json, why) => {
    const response = await register(json);
    expect(response.status).toBe(400);
    expect(((await response.json()) as ErrorBody).error.message).toContain(why);
  });

  it("is answered while the Registry is away: a mail server may start then", async () => {
    const REGISTRY = new Proxy(env.REGISTRY, {
      get() {
        throw new Error("the Registry is away");
      },
    });
    const response = await call(freshEnv({ REGISTRY }), REGISTRATIONS, { json: offer, token });
    expect(response.status).toBe(201);
  });

  it("is shown to its own token only, and can be ended", async () => {
    const { endpoints } = (await (await register(offer)).json()) as HookRegistration;
    expect(await callJson(env, endpoints.status, { token })).toMatchObject({ status: "active" });
    expect(await callJson(env, endpoints.deregistration, { token, method: "DELETE" })).toMatchObject({
      registrationId: claims.id,
      status: "deregistered",
    });
    const other = mint({ ...claims, id: "f".repeat(16) });
    for (const method of ["GET", "DELETE"]) {
      expect((await call(env, endpoints.status, { token: other, method })).status).toBe(404);
    }
  });
});
