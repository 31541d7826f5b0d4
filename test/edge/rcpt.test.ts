import { describe, expect, it } from "vitest";
import type { Answer } from "../../src/directory/index.ts";
import { callJson, freshEnv, publish } from "./support/edge.ts";

describe("a check", () => {
  it("answers at once from the isolate that took the list", async () => {
    const env = freshEnv();
    const generation = await publish(env, "example.com", ["alice", ["bob", "disabled"]]);
    const ask = (recipient: string) => callJson<Answer>(env, "/v1/rcpt", { json: { recipient } });
    expect(await ask("Alice@Example.COM")).toEqual({
      recipient: "Alice@Example.COM",
      verdict: "deliverable",
      action: "accept",
      reply: "250 2.1.5 <Alice@Example.COM>: recipient ok",
      matched: "mailbox",
      domain: "example.com",
      generation,
      origin: "registry",
      mode: "enforce",
      confirmed_age: expect.any(Number),
      max_age: expect.any(Number),
    });
    expect(await ask("bob@example.com")).toMatchObject({ verdict: "disabled", action: "reject" });
    expect(await ask("nobody@example.com")).toMatchObject({ verdict: "unknown", action: "reject" });
    expect(await ask("x@elsewhere.example")).toMatchObject({ verdict: "not-served", action: "reject" });
  });
});
