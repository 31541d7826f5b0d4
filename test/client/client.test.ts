import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { ClientError, createClient, type RollcallClient } from "../../src/client/index.ts";
import { answer, unavailable } from "../../src/directory/index.ts";
import { challengePage, type FakeEdge, json, startFakeEdge } from "../support/fake-edge.ts";

const ASKED = "john@example.com";

interface Setup {
  readonly edge: FakeEdge;
  readonly client: RollcallClient;
  /** Pauses between tries, milliseconds. */
  readonly pauses: number[];
}

/** A client of a server on loopback whose pauses take no time; timeouts do not come before `timeoutMs`. */
async function setUp(respond: FakeEdge["respond"], timeoutMs = 30_000): Promise<Setup> {
  const edge = await startFakeEdge(respond);
  const pauses: number[] = [];
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (signal === undefined) {
      pauses.push(ms);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  };
  const client = createClient({
    url: `${edge.url}/`,
    token: "t0ken",
    fetch,
    now: Date.now,
    sleep,
    timeoutMs,
  });
  return { edge, client, pauses };
}

async function failureOf(promise: Promise<unknown>): Promise<ClientError> {
  const error: unknown = await promise.then(
    () => expect.fail("nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

const apiError = (response: ServerResponse, status: number, code: string, more: object = {}): void =>
  json(response, { error: { code, message: `it is ${code}`, ...more } }, status);

const html = (response: ServerResponse, status: number): void => {
  response.writeHead(status, { "content-type": "text/html" }).end("<h1>Hello</h1>");
};

describe("a check", () => {
  it("goes out in a body, with the token, and comes back as the answer", async () => {
    const { edge, client } = await setUp((_, response) => json(response, answer(ASKED, "deliverable")));
    const outcome = await client.check(ASKED, { floor: { "example.com": 4 } });
    expect(outcome).toMatchObject({ kind: "answer", answer: { action: "accept" } });
    expect(edge.requests).toHaveLength(1);
    const [request] = edge.requests;
    expect(request).toMatchObject({ method: "POST", path: "/v1/rcpt" });
    expect(request?.headers.authorization).toBe("Bearer t0ken");
    expect(JSON.parse(request?.body ?? "")).toEqual({ recipient: ASKED, floor: { "example.com": 4 } });
  });

  it("of several comes back in order", async () => {
    const asked = ["a@example.com", "b@example.com"];
    const { client } = await setUp((_, response) =>
      json(response, { results: asked.map((each) => answer(each, "unknown")) }),
    );
    const outcomes = await client.checkMany(asked);
    expect(outcomes.map((outcome) => outcome.kind === "answer" && outcome.answer.recipient)).toEqual(asked);
    expect(await client.checkMany([])).toEqual([]);
    await expect(client.checkMany(new Array(1001).fill("x"))).rejects.toThrow(RangeError);
  });

  it("of several loses only the item that is no answer", async () => {
    const { client } = await setUp((_, response) =>
      json(response, { results: [answer("a@example.com", "unknown"), { recipient: "b@example.com" }] }),
    );
    const outcomes = await client.checkMany(["a@example.com", "b@example.com"]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(["answer", "none"]);
  });

  const refusal = answer(ASKED, "unknown");
  const noVerdict: [string, FakeEdge["respond"], ClientError["kind"]][] = [
    ["a 404 of another site", (_, response) => html(response, 404), "protocol"],
    ["a 404 of the edge", (_, response) => apiError(response, 404, "not_found"), "api"],
    ["a refusal under 404", (_, response) => json(response, refusal, 404), "protocol"],
    ["a refusal under 503", (_, response) => json(response, refusal, 503), "unreachable"],
    ["a refusal under 201", (_, response) => json(response, refusal, 201), "protocol"],
    ["a 401", (_, response) => apiError(response, 401, "unauthorized"), "unauthorized"],
    ["a 403", (_, response) => apiError(response, 403, "forbidden"), "forbidden"],
    ["a challenge", (_, response) => challengePage(response), "challenge"],
    ["a page in HTML", (_, response) => html(response, 200), "protocol"],
    ["a gateway's error", (_, response) => html(response, 502), "unreachable"],
    [
      "an answer about another",
      (_, response) => json(response, answer("x@example.com", "unknown")),
      "protocol",
    ],
    ["a list for one", (_, response) => json(response, { results: [refusal] }), "protocol"],
    ["half a body", (_, response) => void response.end(JSON.stringify(refusal).slice(0, -9)), "protocol"],
    ["a connection that breaks", (_, response) => void response.destroy(), "unreachable"],
    [
      "a body that breaks off",
      (_, response) => {
        response.writeHead(200, { "content-length": 999 });
        response.write(JSON.stringify(refusal), () => response.destroy());
      },
      "unreachable",
    ],
    [
      "a redirection",
      (_, response) => void response.writeHead(307, { location: "https://elsewhere.example/" }).end(),
      "protocol",
    ],
  ];
  it.each(noVerdict)("gives no verdict on %s", async (_, respond, kind) => {
    const { edge, client } = await setUp(respond);
    expect(await client.check(ASKED)).toMatchObject({ kind: "none", recipient: ASKED, why: { kind } });
    const both = await client.checkMany([ASKED, ASKED]);
    expect(both.map((outcome) => outcome.kind)).toEqual(["none", "none"]);
    expect(edge.requests).toHaveLength(2);
  });

  it("takes a deferral under another status for what it is", async () => {
    const { client } = await setUp((_, response) => json(response, unavailable(ASKED, "no registry"), 503));
    expect(await client.check(ASKED)).toMatchObject({ kind: "answer", answer: { verdict: "unavailable" } });
  });

  it("gives no verdict on a list of another length", async () => {
    const { client } = await setUp((_, response) => json(response, { results: [refusal] }));
    expect((await client.checkMany([ASKED, ASKED])).map(({ kind }) => kind)).toEqual(["none", "none"]);
  });

  it.each<[string, FakeEdge["respond"]]>([
    ["before the head", () => undefined],
    ["within the body", (_, response) => void response.writeHead(200).write("{")],
  ])("gives no verdict where the edge goes silent %s", async (_, respond) => {
    const { client } = await setUp(respond, 50);
    expect(await client.check(ASKED)).toMatchObject({ kind: "none", why: { kind: "unreachable" } });
  });

  it("gives no verdict where nobody listens", async () => {
    const sleep = (): Promise<void> => new Promise(() => undefined);
    const client = createClient({
      url: "http://rollcall.invalid",
      token: "t",
      fetch: () => Promise.reject(new TypeError("fetch failed", { cause: new Error("no such host") })),
      now: Date.now,
      sleep: (_, signal) => (signal?.aborted ? Promise.resolve() : Promise.race([sleep(), aborted(signal)])),
    });
    const outcome = await client.check(ASKED);
    expect(outcome).toMatchObject({
      kind: "none",
      why: { kind: "unreachable", message: expect.stringMatching(/no such host/) },
    });
  });
});

const KEY = { domain: "example.com", epoch: 1, key: "AA", key_id: "x", canonicaliser: 1, partition: 0 };
const counts = { active: 1, disabled: 0, full: 0, moved: 0 };
const summary = {
  domain: "a.example",
  generation: 3,
  time: 0,
  age: 0,
  mode: "enforce",
  counts,
  alias: null,
  deleted_until: null,
  epoch: 1,
  key_id: "x",
  key_fits: true,
  patterns: 0,
  brake: { held: 15, since: 1, left: 20, asked: 12 },
  refuses_from: null,
  would_refuse: null,
  open_changes: 0,
  names_per_shard: 1,
  fault: null,
};
const generationLine = (generation: number) => ({
  generation,
  time: 0,
  action: "commit",
  by: "admin",
  forced: false,
  note: null,
  mode: "enforce",
  counts,
  departures: 0,
});

const aborted = (signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal?.addEventListener("abort", () => resolve()));

describe("other calls", () => {
  it("are tried again while the failure is transient, with growing pauses", async () => {
    let count = 0;
    const { edge, client, pauses } = await setUp((_, response) => {
      count++;
      if (count === 1) html(response, 502);
      else if (count === 2) apiError(response, 503, "unavailable");
      else json(response, KEY);
    });
    expect(await client.key("example.com")).toMatchObject({ key_id: "x" });
    expect(edge.requests).toHaveLength(3);
    expect(pauses).toEqual([250, 500]);
  });

  it("wait as long as they are asked to, within reason", async () => {
    let count = 0;
    const { client, pauses } = await setUp((_, response) => {
      if (++count > 2) return json(response, { tokens: [] });
      response.writeHead(429, { "retry-after": count === 1 ? "2" : "3600" }).end();
    });
    expect(await client.tokens()).toEqual([]);
    expect(pauses).toEqual([2000, 8000]);
  });

  it("do not wait for a timeout that is still running when the answer arrives", async () => {
    const edge = await startFakeEdge((_, response) => json(response, { tokens: [] }));
    const sleep = (): Promise<void> => new Promise(() => undefined);
    const client = createClient({ url: edge.url, token: "t", fetch, now: Date.now, sleep });
    expect(await client.tokens()).toEqual([]);
  });

  it("give up at last", async () => {
    const { edge, client } = await setUp((_, response) => html(response, 500));
    expect(await failureOf(client.domains())).toMatchObject({ kind: "unreachable", status: 500 });
    expect(edge.requests).toHaveLength(4);
  });

  it.each<[string, (client: RollcallClient) => Promise<unknown>]>([
    ["a commit", (client) => client.commit({ domains: [] })],
    ["a rollback", (client) => client.rollback("example.com", { to: 1, expect: 2 })],
    ["a deletion", (client) => client.deleteDomain("example.com", 2)],
    ["a new token", (client) => client.createToken({ role: "check", domains: null })],
  ])("that change something are sent once: %s", async (_, call) => {
    const { edge, client } = await setUp((_request, response) => html(response, 502));
    expect(await failureOf(call(client))).toMatchObject({ kind: "unreachable" });
    expect(edge.requests).toHaveLength(1);
  });

  const DONE = { generations: {}, unchanged: [] };

  it("that change something are sent again if the edge says that it did nothing, with when to come again", async () => {
    let count = 0;
    const { edge, client, pauses } = await setUp((_, response) => {
      if (++count === 2) return json(response, DONE);
      response.setHeader("retry-after", "5");
      apiError(response, 503, "unavailable");
    });
    expect(await client.commit({ domains: [] })).toEqual(DONE);
    expect([edge.requests.length, pauses]).toEqual([2, [5000]]);
  });

  it.each<[string, (response: ServerResponse) => unknown]>([
    ["from an edge without it", (response) => apiError(response, 503, "unavailable")],
    ["from somebody else with it", (response) => html(response.setHeader("retry-after", "5"), 503)],
  ])("that change something are sent once at a 503 %s", async (_, answer) => {
    const { edge, client } = await setUp((_request, response) => answer(response));
    expect(await failureOf(client.commit({ domains: [] }))).toMatchObject({ status: 503 });
    expect(edge.requests).toHaveLength(1);
  });

  it("keep the edge's words: code, message and particulars", async () => {
    const { client } = await setUp((_, response) =>
      apiError(response, 422, "guard", { refusals: { "example.com": "too many" } }),
    );
    const error = await failureOf(client.commit({ domains: [] }));
    expect(error).toMatchObject({ kind: "api", code: "guard", status: 422, message: "it is guard" });
    expect(error.body?.refusals).toEqual({ "example.com": "too many" });
  });

  it.each(["not_found", "uninitialised"])("know a domain without a head: %s", async (code) => {
    const { client } = await setUp((_, response) =>
      apiError(response, code === "not_found" ? 404 : 503, code),
    );
    expect(await client.domain("example.com")).toBeNull();
  });

  it("do not take a stranger's 404 for a domain without a head", async () => {
    const { client } = await setUp((_, response) => html(response, 404));
    expect(await failureOf(client.domain("example.com"))).toMatchObject({ kind: "protocol" });
  });

  it("do not take a stranger's JSON for an answer", async () => {
    const { client } = await setUp((_, response) => json(response, { ok: true }));
    for (const call of [client.domains(), client.key("a.example"), client.tokens(), client.health()]) {
      expect(await failureOf(call)).toMatchObject({ kind: "protocol" });
    }
  });

  it("ask for a listing page by page", async () => {
    const paths: string[] = [];
    const { client } = await setUp(({ path: url }, response) => {
      paths.push(url);
      const after = Number(/after=(\d+)/.exec(url)?.[1] ?? 9);
      const generations = [generationLine(after - 1), generationLine(after - 2)];
      json(response, { domain: "a.example", generations, next: after === 5 ? null : after - 2 });
    });
    const numbers = (await client.generations("a.example")).map(({ generation }) => generation);
    expect(numbers).toEqual([8, 7, 6, 5, 4, 3]);
    const path = "/v1/domains/a.example/generations?limit=1000";
    expect(paths).toEqual([path, `${path}&after=7`, `${path}&after=5`]);
    paths.length = 0;
    expect((await client.generations("a.example", 5)).map(({ generation }) => generation)).toEqual([8, 7, 6]);
    expect(paths).toEqual([path, `${path}&after=7`]);
  });

  it("take an answer by its schema: another release's members and words, and null for what it lacks", async () => {
    const { alias, patterns, brake, refuses_from, would_refuse, names_per_shard, fault, ...lacking } =
      summary;
    const sent = [{ ...lacking, mode: "rehearse", news: { at: 1 } }];
    const { client } = await setUp((_, response) => json(response, { domains: sent, next: null }));
    const missing = {
      alias: null,
      patterns: null,
      brake: null,
      refuses_from: null,
      would_refuse: null,
      names_per_shard: null,
      fault: null,
    };
    expect(await client.domains()).toEqual([{ ...lacking, mode: "rehearse", ...missing }]);
  });

  it.each<[string, unknown, string]>([
    ["a number as text", { ...summary, generation: "3" }, "domains[1].generation must be a whole number"],
    ["no name", { ...summary, domain: undefined }, "domains[1].domain is missing"],
    [
      "counts of text",
      { ...summary, counts: { ...counts, full: "1" } },
      "domains[1].counts.full must be a whole",
    ],
    ["a list", [], "domains[1] must be an object"],
  ])("say what is wrong with an answer, and where: %s", async (_, line, why) => {
    const { client } = await setUp((_request, response) => json(response, { domains: [summary, line] }));
    const error = await failureOf(client.domains());
    expect(error).toMatchObject({ kind: "protocol" });
    expect(error.message).toContain(why);
  });

  it.each([
    ["leads back to itself", { domains: [summary], next: "a.example" }],
    ["is empty and leads on", { domains: [], next: "a.example" }],
    ["leads to what is no line", { domains: [summary], next: {} }],
  ])("do not ask without end for pages, where one %s", async (_, page) => {
    const { client, edge } = await setUp((_request, response) => json(response, page));
    expect(await failureOf(client.domains())).toMatchObject({ kind: "protocol" });
    expect(edge.requests.length).toBeLessThanOrEqual(2);
  });

  describe.each<[string, (client: RollcallClient) => Promise<unknown>]>([
    ["a rollback", (client) => client.rollback("example.com", { to: 1, expect: 2 })],
    ["a deletion", (client) => client.deleteDomain("Example.COM", 2)],
  ])("that make a new head: %s", (_, call) => {
    it("give its domain and number", async () => {
      const result = { domain: "example.com", generation: 3 };
      const { client } = await setUp((_request, response) => json(response, result));
      expect(await call(client)).toEqual(result);
    });

    it.each<[string, unknown]>([
      ["a stranger's JSON", { generation: 3 }],
      ["a list", [{ domain: "example.com", generation: 3 }]],
      ["no number", { domain: "example.com" }],
      ["a number as text", { domain: "example.com", generation: "3" }],
      ["half a number", { domain: "example.com", generation: 2.5 }],
      ["null", { domain: "example.com", generation: null }],
      ["another domain", { domain: "example.org", generation: 3 }],
    ])("do not take %s for it, and say that the change may have been made", async (_what, body) => {
      const { edge, client } = await setUp((_request, response) => json(response, body));
      const error = await failureOf(call(client));
      expect(error).toMatchObject({ kind: "protocol" });
      expect(error.message).toMatch(/example\.com.*may have been made/i);
      expect(edge.requests).toHaveLength(1);
    });
  });

  it("read no more than a shard may have", async () => {
    const { client } = await setUp((_, response) => void response.end(Buffer.alloc(1024 * 1024 + 1)));
    expect(await failureOf(client.blob("example.com", "00"))).toMatchObject({ kind: "protocol" });
  });

  it("carry a shard's bytes there and back", async () => {
    const { edge, client } = await setUp((_, response) => void response.end(Buffer.from([1, 2, 255])));
    expect(await client.blob("example.com", "ab")).toEqual(new Uint8Array([1, 2, 255]));
    await client.putShard("example.com", "ab", new Uint8Array([7]));
    expect(edge.requests[1]).toMatchObject({
      method: "PUT",
      path: "/v1/domains/example.com/shards/ab",
      headers: { "content-type": "application/octet-stream", "content-length": "1" },
    });
  });

  it("show the health of a deployment without its secrets", async () => {
    const faults = ["ROLLCALL_MASTER_KEY is missing"];
    const { client } = await setUp((_, response) =>
      json(response, { status: "unconfigured", version: "0.1.0", faults }, 503),
    );
    expect(await client.health()).toMatchObject({ status: "unconfigured", faults });
  });
});
