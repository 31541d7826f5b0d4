import { beforeAll, describe, expect, it } from "vitest";
import { inTime } from "../mta/support/waiting.ts";
import { answerOf } from "./support/answers.ts";
import {
  type Behaviour,
  type BridgeProcess,
  json,
  type LoopbackEdge,
  refusing,
  startBoth,
  startBridge,
  working,
} from "./support/bridge-process.ts";
import { type Act, WAY_NAMES } from "./support/ways.ts";

const SLOW = 180_000;
/** The timeout of mail servers that an answer has to keep, ms. */
const MTA_TIMEOUT = 5_000;

/** Each way in which the server at the edge's URL can fail a question. */
const FAULTS: Readonly<Record<string, Behaviour>> = {
  "hangs before its answer": () => undefined,
  "hangs within its answer": (recipient, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write(JSON.stringify(answerOf(recipient, "unknown")).slice(0, 60));
  },
  "resets the connection": (_, response) => void response.socket?.resetAndDestroy(),
  "closes half-way through its answer": (recipient, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "900" });
    response.write(JSON.stringify(answerOf(recipient, "unknown")), () => response.destroy());
  },
  "answers 301": (_, response) => void response.writeHead(301, { location: "/v1/other" }).end(),
  "answers 204": (_, response) => void response.writeHead(204).end(),
  ...Object.fromEntries(
    [401, 403, 404, 429, 500, 502, 503].map((status) => [`answers ${status}`, refusing(status, "whatever")]),
  ),
  ...Object.fromEntries(
    [404, 429, 500, 503].map((status): [string, Behaviour] => [
      `answers ${status} with the body of a refusal`,
      (recipient, response) => json(response, answerOf(recipient, "unknown"), status),
    ]),
  ),
  "answers HTML": (_, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><h1>550 5.1.1</h1>");
  },
  "answers half a JSON": (recipient, response) => {
    const text = JSON.stringify(answerOf(recipient, "unknown"));
    response.writeHead(200, { "content-type": "application/json" }).end(text.slice(0, -10));
  },
  "answers an unknown verdict": (recipient, response) =>
    json(response, { ...answerOf(recipient, "unknown"), verdict: "vanished" }),
  "answers an unknown action": (recipient, response) =>
    json(response, { ...answerOf(recipient, "unknown"), action: "discard" }),
  "answers about another recipient": (_, response) => json(response, answerOf("bob@example.com", "unknown")),
  "answers a list": (recipient, response) => json(response, { results: [answerOf(recipient, "unknown")] }),
  "answers without end": (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = (): void => {
      if (!response.destroyed) response.write(" ".repeat(65_536), () => setImmediate(more));
    };
    more();
  },
  "answers nothing": (_, response) => void response.writeHead(200).end(),
};

describe("while the edge fails", { timeout: SLOW }, () => {
  let edge: LoopbackEdge;
  let bridge: BridgeProcess;
  let next = 0;

  beforeAll(async () => {
    ({ edge, bridge } = await startBoth());
    expect(await bridge.act("line", "user-known@example.com")).toBe("accept");
  }, SLOW);

  const expectEach = async (act: Act, recipient: () => string): Promise<void> => {
    for (const way of WAY_NAMES) expect([way, await bridge.act(way, recipient())]).toEqual([way, act]);
  };
  const newUser = (): string => `user${next++}@example.com`;

  /** New recipients are deferred in time, and one that was accepted before is accepted. */
  async function expectDeferrals(): Promise<void> {
    await inTime(MTA_TIMEOUT, async () => {
      const began = performance.now();
      const acts = await Promise.all(WAY_NAMES.map((way) => bridge.act(way, newUser())));
      expect(acts).toEqual(WAY_NAMES.map(() => "defer"));
      await expectEach("accept", () => "user-known@example.com");
      return { ms: performance.now() - began };
    });
  }

  async function expectRecovery(): Promise<void> {
    await expectEach("accept", newUser);
    await expectEach("refuse", () => `nobody${next++}@example.com`);
  }

  it.each(Object.entries(FAULTS))(
    "and %s: deferrals in time, and the truth afterwards",
    async (_, behave) => {
      edge.behave = behave;
      await expectDeferrals();
      edge.behave = working;
      await expectRecovery();
    },
  );

  it("and is down: deferrals in time, and the truth afterwards", async () => {
    await edge.stop();
    await expectDeferrals();
    await edge.start();
    await expectRecovery();
  });

  it("a refusal is still given while it may be", async () => {
    expect(await bridge.act("line", "stranger@example.com")).toBe("refuse");
    edge.behave = refusing(500, "internal");
    await expectEach("refuse", () => "stranger@example.com");
    edge.behave = working;
  });

  it("a name that does not resolve is a deferral in time", async () => {
    const lost = await startBridge("https://edge.invalid");
    await inTime(MTA_TIMEOUT, async () => {
      const began = performance.now();
      for (const way of WAY_NAMES) expect(await lost.act(way, "user@example.com")).toBe("defer");
      return { ms: (performance.now() - began) / WAY_NAMES.length };
    });
    expect(await lost.running.stop()).toMatchObject({ code: 0 });
  });
});
