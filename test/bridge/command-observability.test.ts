import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/processes.ts";
import { answerOf } from "./support/answers.ts";
import {
  type Behaviour,
  EVERY_LISTENER,
  json,
  refusing,
  startBoth,
  working,
} from "./support/bridge-process.ts";

const SLOW = 180_000;

/** Every recipient is unknown, and accepted in observe mode. */
const observing: Behaviour = (recipient, response) =>
  json(response, answerOf(recipient, "unknown", { mode: "observe" }));

describe("logs and metrics", { timeout: SLOW }, () => {
  it("count lookups by protocol, verdict and source, and contain no address", async () => {
    const { edge, bridge } = await startBoth(working, [...EVERY_LISTENER, "--log-level", "debug"]);
    await bridge.act("line", "user@example.com");
    await bridge.act("recipients", "user@example.com");
    await bridge.act("line", "nobody@example.com");
    await bridge.act("line", "no address");
    edge.behave = (recipient, response) =>
      json(response, { error: { code: "bad_request", message: `what is ${recipient}?` } }, 400);
    await bridge.act("line", "secret@example.com");
    edge.behave = (recipient, response) => {
      response.writeHead(301, { location: `https://elsewhere.example/${recipient}` }).end();
    };
    await bridge.act("line", "secret2@example.com");
    await bridge.send("socketmap", "secret3@example.com");
    const text = await bridge.metrics();
    for (const line of [
      'lookups_total{protocol="line",verdict="deliverable",action="accept",mode="enforce",source="edge"} 1',
      'lookups_total{protocol="socketmap",verdict="deliverable",action="accept",mode="enforce",source="cache"} 1',
      'lookups_total{protocol="line",verdict="unknown",action="reject",mode="enforce",source="edge"} 1',
      'lookups_total{protocol="line",verdict="malformed",action="reject",mode="none",source="local"} 1',
      'lookups_total{protocol="line",verdict="unavailable",action="defer",mode="none",source="none"} 2',
      'lookup_seconds_count{protocol="line"} 5',
      'edge_seconds_count{result="answer"} 2',
      'edge_seconds_count{result="api"} 1',
      'edge_seconds_count{result="protocol"} 1',
      'refusals_total{reason="unknown"} 1',
      'refusals_total{reason="malformed"} 1',
      'deferrals_total{reason="api"} 1',
      'deferrals_total{reason="protocol"} 1',
      "edge_requests_total 4",
      'bad_questions_total{protocol="socketmap"} 1',
      "cache_entries 2",
      "breaker_state 0",
      'connections{protocol="socketmap"} 0',
    ]) {
      expect(text).toContain(`rollcall_bridge_${line}\n`);
    }
    const { stdout, stderr } = await bridge.running.stop();
    const lines = stderr.trim().split("\n");
    const events = lines.map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events).toEqual(["started", "no-answer", "no-answer", "bad-question", "stopping", "stopped"]);
    expect(stdout + stderr + text).not.toMatch(/@|secret|nobody|example\.com|a-token/);
  });

  it("count what observe mode accepted apart, and name no recipient by default", async () => {
    const { bridge } = await startBoth(observing, [...EVERY_LISTENER, "--log-level", "debug"]);
    expect(await bridge.act("line", "nobody@example.com")).toBe("accept");
    expect(await bridge.metrics()).toContain(
      'rollcall_bridge_lookups_total{protocol="line",verdict="unknown",action="accept",mode="observe",source="edge"} 1\n',
    );
    const { stdout, stderr } = await bridge.running.stop();
    expect(stdout + stderr).not.toMatch(/nobody/);
  });

  it.each([
    ["a flag", ["--log-observed"], ""],
    ["a setting", [], "[bridge]\nlog_observed = true\n"],
  ])(
    "name each recipient that observe mode accepts and enforce mode would not, by %s",
    async (_, flags, toml) => {
      const home = temporaryFolder();
      writeFileSync(join(home, "rollcall.toml"), toml);
      const { edge, bridge } = await startBoth(observing, [...EVERY_LISTENER, ...flags], { home });
      for (const way of ["line", "policy"]) await bridge.act(way, "nobody@example.com");
      edge.behave = working;
      await bridge.act("line", "user@example.com");
      await bridge.act("line", "nobody2@example.com");
      const { stderr } = await bridge.running.stop();
      const lines = stderr.split("\n").filter((line) => line.includes('"observed"'));
      expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
        ["line", "policy"].map((protocol) => ({
          level: "info",
          time: expect.any(String),
          name: "rollcall-bridge",
          event: "observed",
          protocol,
          recipient: "nobody@example.com",
          verdict: "unknown",
          would: "550 5.1.1 <nobody@example.com>: no such mailbox here",
          generation: 7,
          msg: "accepted in observe mode",
        })),
      );
    },
  );

  it("say that the token expired, and that the bridge is not ready", async () => {
    const expires = Date.UTC(2026, 0, 2);
    const claims = { id: "0".repeat(16), role: "check", domains: null, expires };
    const token = `rc1.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.bWFj`;
    const { bridge } = await startBoth(refusing(401, "unauthorized"), EVERY_LISTENER, { token });
    const ready = await bridge.get("/readyz");
    expect(ready.status).toBe(503);
    expect(await ready.text()).toMatch(
      /^the token expired on 2026-01-02T00:00:00\.000Z: create another of the same role with/,
    );
    expect((await bridge.get("/healthz")).status).toBe(200);
    expect(await bridge.act("line", "user@example.com")).toBe("defer");
    const text = await bridge.metrics();
    expect(text).toContain(`rollcall_bridge_token_expires_timestamp_seconds ${expires / 1000}\n`);
    expect(text).toContain("rollcall_bridge_ready 0\n");
    expect(text).toContain('rollcall_bridge_edge_seconds_count{result="unauthorized"} 1\n');
    const { stderr } = await bridge.running.stop();
    expect(stderr).toMatch(/"level":"error".*"event":"token".*the token expired on 2026-01-02/);
    expect(stderr).toMatch(/"event":"no-answer","fault":"unauthorized".*the token expired on 2026-01-02/);
    expect(stderr).not.toContain(token);
  });

  it("say what 401 and 403 mean; the bridge is not ready while the edge refuses its token", async () => {
    const { edge, bridge } = await startBoth();
    const statusAfter = async (behave: Behaviour): Promise<number> => {
      edge.behave = behave;
      await bridge.act("line", "user@example.com");
      return (await bridge.get("/readyz")).status;
    };
    expect((await bridge.get("/readyz")).status).toBe(200);
    expect(await statusAfter(refusing(401, "unauthorized"))).toBe(503);
    expect(await statusAfter(refusing(403, "forbidden"))).toBe(200);
    expect(await statusAfter(working)).toBe(200);
    const { stderr } = await bridge.running.stop();
    expect(stderr).toMatch(/"fault":"unauthorized","status":401,"why":"the edge refuses the token \(401\)/);
    expect(stderr).toMatch(/"fault":"forbidden","status":403,"why":"the token's role or domains/);
  });
});
