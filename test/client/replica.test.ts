/* What a replica reads, from servers that answer wrongly, without end, or not at all; over real sockets. */
import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { type ChangesAnswer, MAX_HEADS, MAX_MANIFEST, MAX_SHARD_BODY } from "../../src/api/index.ts";
import { HttpPool } from "../../src/cli/http.ts";
import {
  type ChangesQuestion,
  ClientError,
  createClient,
  type RollcallClient,
} from "../../src/client/index.ts";
import { type FakeEdge, json, startFakeEdge } from "../support/fake-edge.ts";

const MIB = 1024 * 1024;
const D = "example.com";
const since = { incarnation: 7, number: 40 };
const QUESTION: ChangesQuestion = { partition: 0, since, nonce: "n-1", domains: new Set([D, "b.example"]) };

const answerOf = (members: object = {}): ChangesAnswer => ({
  nonce: "n-1",
  partition: 0,
  partitions: 1,
  window: 30,
  time: 1_764_000_000_000,
  incarnation: 7,
  as_of: 42,
  full: false,
  heads: [[D, 41]],
  pruned: 0,
  next: null,
  ...members,
});

const pool = new HttpPool({ connections: 4, ca: null, proxy: null });
afterAll(() => pool.close());

const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, signal === undefined ? 0 : ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** Writes blocks until the client goes away or `total` octets are written. @returns what the client let through */
function pour(response: ServerResponse, block: Buffer, total: number): Promise<number> {
  let written = 0;
  response.on("error", () => undefined);
  return new Promise((resolve) => {
    response.on("close", () => resolve(written));
    const more = (): void => {
      while (written < total && !response.destroyed) {
        written += block.length;
        if (!response.write(block)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });
}

async function failureOf(promise: Promise<unknown>): Promise<ClientError> {
  const error: unknown = await promise.then(
    () => expect.fail("nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

describe.each([
  ["fetch", {}],
  ["the bridge's connections", { send: pool.send }],
])("over %s", (_, transport) => {
  async function setUp(
    respond: FakeEdge["respond"],
    timeoutMs = 30_000,
  ): Promise<{ edge: FakeEdge; client: RollcallClient }> {
    const edge = await startFakeEdge(respond);
    const options = { url: edge.url, token: "t0ken", fetch, now: Date.now, sleep, timeoutMs };
    return { edge, client: createClient({ ...options, ...transport }) };
  }
  const changes = async (respond: FakeEdge["respond"], question = QUESTION, timeoutMs?: number) =>
    (await setUp(respond, timeoutMs)).client.changes(question);

  describe("changes", () => {
    it("come as what a log view applies", async () => {
      const { edge, client } = await setUp((_, response) => json(response, answerOf({ more: 1 })));
      const counts = [[D, "enforce", "unknown", 3]] as const;
      expect(await client.changes({ ...QUESTION, counts })).toEqual({
        partition: 0,
        partitions: 1,
        window: 30_000,
        time: 1_764_000_000_000,
        answer: { incarnation: 7, asOf: 42, full: false, heads: [[D, 41]], revoked: [], wanted: null },
      });
      expect(edge.requests).toMatchObject([{ method: "POST", path: "/v1/changes" }]);
      const body = JSON.parse(edge.requests[0]?.body ?? "") as object;
      expect(body).toEqual({ partition: 0, since, nonce: "n-1", counts });
    });

    it("are joined from pages; counts are sent once, and the first clock counts", async () => {
      const { edge, client } = await setUp(({ body }, response) => {
        const { after = null } = JSON.parse(body) as { after?: number };
        const page = { full: true, time: 5 + (after ?? 0) };
        if (after === null) return json(response, answerOf({ ...page, as_of: 3, heads: [[D, 1]], next: 1 }));
        const heads = [
          ["b.example", 3],
          [D, 4],
        ];
        return json(response, answerOf({ ...page, as_of: 4, heads }));
      });
      const counts = [[D, "enforce", "unknown", 3]] as const;
      const { answer, time } = await client.changes({ ...QUESTION, since: null, counts });
      expect(time).toBe(5);
      expect(answer).toMatchObject({ full: true, asOf: 4 });
      expect(Object.fromEntries(answer.heads)).toEqual({ [D]: 4, "b.example": 3 });
      expect(edge.requests.map(({ body }) => JSON.parse(body) as object)).toEqual([
        { partition: 0, since: null, nonce: "n-1", counts },
        { partition: 0, since: null, nonce: "n-1", after: 1 },
      ]);
    });

    const withoutMember = (name: string) => {
      const { [name as "full"]: __, ...rest } = answerOf();
      return rest;
    };

    it.each<[string, unknown, RegExp]>([
      ["another nonce", answerOf({ nonce: "n-2" }), /another question/],
      ["no nonce", withoutMember("nonce"), /nonce is missing/],
      ["another partition", answerOf({ partition: 1, partitions: 2 }), /another partition/],
      ["no such partition", answerOf({ partitions: 0 }), /another partition/],
      ["no window", answerOf({ window: 0 }), /window/],
      ["a window of a year", answerOf({ window: 31_536_000 }), /window/],
      ["a window of a half", answerOf({ window: 0.5 }), /window/],
      ["a time before 1970", answerOf({ time: -1 }), /time/],
      ["a foreign domain", answerOf({ heads: [["foreign.example", 41]] }), /outside the scope/],
      ["a domain in capitals", answerOf({ heads: [["EXAMPLE.com", 41]] }), /heads\[0\]/],
      ["a domain that is none", answerOf({ heads: [["*", 41]] }), /heads\[0\]/],
      ["a head with more", answerOf({ heads: [[D, 41, 1]] }), /heads\[0\]/],
      ["a head without a number", answerOf({ heads: [[D]] }), /heads\[0\]/],
      ["heads by name", answerOf({ heads: { [D]: 41 } }), /heads/],
      ["a head that is not new", answerOf({ heads: [[D, 40]] }), /number of example.com/],
      ["a head that is newer than the answer", answerOf({ heads: [[D, 43]] }), /number of example.com/],
      ["a difference of another log", answerOf({ incarnation: 8 }), /position that was not given/],
      ["a difference of an older log", answerOf({ incarnation: 6 }), /position that was not given/],
      ["a page that does not advance", answerOf({ next: 40 }), /no end/],
      ["a page past its end", answerOf({ next: 43 }), /no end/],
      ["no full", withoutMember("full"), /full is missing/],
      ["an answer about a recipient", { recipient: "a@b.example", verdict: "unknown" }, /nonce is missing/],
      ["a list", [], /must be an object/],
      ["null", null, /must be an object/],
    ])("are no answer: %s", async (_, value, message) => {
      const error = await failureOf(changes((_, response) => json(response, value)));
      expect(error).toMatchObject({ kind: "protocol", message: expect.stringMatching(message) });
    });

    it("are no answer if they are a difference and nothing was known", async () => {
      const question = { ...QUESTION, since: null };
      const error = await failureOf(changes((_, response) => json(response, answerOf()), question));
      expect(error).toMatchObject({ kind: "protocol", message: expect.stringMatching(/not given/) });
    });

    it.each<[string, string]>([
      ["text that is no JSON", "<h1>Hello</h1>"],
      ["nothing", ""],
      ["JSON cut short", JSON.stringify(answerOf()).slice(0, -9)],
      ["a list 100,000 deep", "[".repeat(100_000)],
      ["heads 100,000 deep", `{"heads":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ])("are no answer if they are %s", async (_, text) => {
      const error = await failureOf(changes((_, response) => void response.end(text)));
      expect(error.kind).toBe("protocol");
    });

    it.each<[string, number, string, ClientError["kind"]]>([
      ["401", 401, "unauthorized", "unauthorized"],
      ["403", 403, "forbidden", "forbidden"],
      ["503 before the first publish", 503, "uninitialised", "api"],
      ["503 of a Registry that is away", 503, "unavailable", "api"],
      ["400", 400, "bad_request", "api"],
      ["201", 201, "", "protocol"],
    ])("are tried once, and fail with what the edge says: %s", async (_, status, code, kind) => {
      const body = code === "" ? answerOf() : { error: { code, message: "why" } };
      const { edge, client } = await setUp((_, response) => json(response, body, status));
      expect(await failureOf(client.changes(QUESTION))).toMatchObject({ kind, status });
      expect(edge.requests).toHaveLength(1);
    });

    it("are unreachable if the connection breaks in the middle", async () => {
      const error = await failureOf(
        changes((_, response) => {
          response.writeHead(200, { "content-length": 999 });
          response.write(JSON.stringify(answerOf()), () => response.destroy());
        }),
      );
      expect(error.kind).toBe("unreachable");
    });

    it("are unreachable if they drip", async () => {
      const error = await failureOf(
        changes(
          (_, response) => {
            const drip = setInterval(() => response.write(" "), 5);
            response.on("close", () => clearInterval(drip));
          },
          QUESTION,
          200,
        ),
      );
      expect(error).toMatchObject({ kind: "unreachable", message: expect.stringMatching(/within 0.2 s/) });
    });

    it("are given up after three tries if every second page is of another log", async () => {
      const { edge, client } = await setUp(({ body }, response) => {
        const isFirst = !("after" in (JSON.parse(body) as object));
        const page = { full: true, as_of: 42, heads: [[D, isFirst ? 1 : 2]] };
        json(response, answerOf(isFirst ? { ...page, next: 1 } : { ...page, incarnation: 8 }));
      });
      expect(await failureOf(client.changes(QUESTION))).toMatchObject({
        kind: "protocol",
        message: "the list of heads changed each time while it was read",
      });
      expect(edge.requests).toHaveLength(6);
    });

    it("are given up past 200,000 domains", async () => {
      const { edge, client } = await setUp(({ body }, response) => {
        const { after = 0 } = JSON.parse(body) as { after?: number };
        const heads = Array.from({ length: MAX_HEADS }, (_, i) => [`d${after + i}.example`, after + i + 1]);
        json(response, answerOf({ full: true, as_of: 1e9, heads, next: after + MAX_HEADS }));
      });
      const error = await failureOf(client.changes({ partition: 0, since: null, nonce: "n-1" }));
      expect(error).toMatchObject({ kind: "protocol", message: expect.stringMatching(/name its domains/) });
      expect(edge.requests).toHaveLength(200_000 / MAX_HEADS + 1);
    });
  });

  describe("an answer without end", () => {
    const endless: [string, (client: RollcallClient) => Promise<unknown>, number][] = [
      ["changes", (client) => client.changes(QUESTION), 1.5 * MIB],
      ["a manifest", (client) => client.manifest(D), MAX_MANIFEST],
      ["a blob", (client) => client.blob(D, "ab"), MAX_SHARD_BODY],
      ["a key", (client) => client.domainKey(D, 1), MIB / 16],
    ];

    it.each(endless)("of 100 MB is cut off: %s", async (_, read, limit) => {
      let poured: Promise<number> | undefined;
      const { client } = await setUp((_, response) => {
        response.writeHead(200, { "content-type": "application/octet-stream" });
        poured = pour(response, Buffer.alloc(65_536, "["), 100 * MIB);
      });
      const error = await failureOf(read(client));
      expect(error).toMatchObject({
        kind: "protocol",
        message: expect.stringMatching(/longer than \d+ octets/),
      });
      // The rest is what sockets hold.
      expect(await poured).toBeLessThan(limit + 12 * MIB);
    });

    it.each(endless)("is cut off when it is unpacked: %s", async (_, read) => {
      const packed = gzipSync(Buffer.alloc(100 * MIB));
      const { client } = await setUp((_, response) => {
        response.writeHead(200, { "content-encoding": "gzip" });
        response.end(packed);
      });
      const before = process.memoryUsage().arrayBuffers;
      const result = await read(client).catch((error: unknown) => error);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * MIB);
      // What is not unpacked is no JSON; as bytes, it has no matching id or MAC.
      if (!(result instanceof Uint8Array)) expect(result).toMatchObject({ kind: "protocol" });
    });
  });

  describe("a key", () => {
    const keyOf = (members: object) => ({
      domain: D,
      epoch: 3,
      key: "AA",
      key_id: "00",
      canonicaliser: 1,
      partition: 0,
      ...members,
    });

    it("is asked for by epoch, and is that of the domain in any spelling", async () => {
      const { edge, client } = await setUp((_, response) => json(response, keyOf({})));
      expect(await client.domainKey(D, 3)).toEqual(keyOf({}));
      expect(await client.domainKey("EXAMPLE.com.", 3)).toEqual(keyOf({}));
      expect(edge.requests[0]).toMatchObject({ method: "GET", path: `/v1/domains/${D}/key?epoch=3` });
    });

    it.each([
      ["another domain", { domain: "b.example" }],
      ["another epoch", { epoch: 2 }],
      ["no key", { key: undefined }],
    ])("is no answer if it is of %s", async (_, members) => {
      const { client } = await setUp((_, response) => json(response, keyOf(members)));
      expect(await failureOf(client.domainKey(D, 3))).toMatchObject({ kind: "protocol" });
    });
  });
});
