/* What a replica reads beside changes: manifests, blobs and keys of its domains, and nothing of others. */
import { beforeAll, describe, expect, it } from "vitest";
import {
  type DomainKeyBody,
  type ErrorBody,
  MAX_MANIFEST,
  MAX_SHARD_BODY,
  type TokenRequest,
} from "../../src/api/index.ts";
import { blobIds, openManifest, toBase64Url, toHex } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { call, callJson, freshEnv, publish, tryPublish } from "./support/edge.ts";
import { RIGHTS, type Right } from "./support/matrix.ts";
import { keyFor } from "./support/tokens.ts";

const env = freshEnv();
const OWN = "own.example";
const FOREIGN = "foreign.example";
const NOWHERE = "nowhere.example";
const tokens: Record<string, string> = {};
let shardId = "";

const people = (count: number): string[] => Array.from({ length: count }, (_, i) => `u${i}`);
const get = (path: string, token = tokens.replica): Promise<Response> =>
  call(env, path, { token: token ?? null });
const key = (query: string, token = tokens.replica): Promise<DomainKeyBody> =>
  callJson<DomainKeyBody>(env, `/v1/domains/${OWN}/key${query}`, { token: token ?? null });

beforeAll(async () => {
  const first = await publish(env, OWN, people(9_000), { bits: 1 });
  await publish(env, OWN, people(9_001), { expect: first, bits: 1 });
  await publish(env, FOREIGN, people(9_000), { bits: 1 });
  const issue = async (request: TokenRequest): Promise<string> =>
    (await callJson<{ token: string }>(env, "/v1/tokens", { json: request })).token;
  tokens.replica = await issue({ role: "replica", domains: [OWN] });
  tokens.publish = await issue({ role: "publish", domains: [OWN] });
  tokens.check = await issue({ role: "check", domains: [OWN] });
  tokens.other = await issue({ role: "replica", domains: [FOREIGN] });
});

describe("a replica", () => {
  it("reads its manifest and every blob of it, as bytes that no cache keeps, within the client's limits", async () => {
    const response = await get(`/v1/domains/${OWN}/manifest`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const manifest = openManifest(bytes, OWN, keyFor);
    const ids = [...blobIds(manifest.shards), ...blobIds(manifest.departures)];
    expect(ids.length).toBeGreaterThanOrEqual(2);
    const answers = [[response, bytes, MAX_MANIFEST] as const];
    for (const id of ids) {
      const blob = await get(`/v1/domains/${OWN}/shards/${id}`);
      const content = new Uint8Array(await blob.arrayBuffer());
      expect(toHex(stablelibHashing.sha256(content))).toBe(id);
      answers.push([blob, content, MAX_SHARD_BODY]);
    }
    for (const [{ status, headers }, { length }, limit] of answers) {
      expect([status, headers.get("Content-Type"), headers.get("Cache-Control")]).toEqual([
        200,
        "application/octet-stream",
        "private, no-store",
      ]);
      expect(length).toBeLessThanOrEqual(limit);
    }
    shardId = ids[0] as string;
  });

  it("gets the key of each epoch that the list has reached, and of no later one", async () => {
    expect(await key("")).toEqual(await key("?epoch=1"));
    const later = (): Promise<Response> => get(`/v1/domains/${OWN}/key?epoch=2`);
    expect((await later()).status).toBe(404);
    // Nor does a publisher, which is given a later one of its own to publish under it.
    expect((await get(`/v1/domains/${OWN}/key?epoch=2`, tokens.publish)).status).toBe(404);
    const { epoch, commit } = await rotate();
    expect(commit.status).toBe(200);
    expect(epoch).toBe(2);
    for (const role of ["replica", "publish"] as const) {
      for (const asked of [1, 2]) {
        const body = await key(`?epoch=${asked}`, tokens[role]);
        const { id, secret } = keyFor(OWN, asked);
        expect(body).toMatchObject({ domain: OWN, epoch: asked, key: toBase64Url(secret), key_id: id });
      }
      expect(await key("", tokens[role])).toEqual(await key("?epoch=2", tokens[role]));
      const tooFar = 3;
      const response = await get(`/v1/domains/${OWN}/key?epoch=${tooFar}`, tokens[role]);
      expect(response.status).toBe(404);
      expect(((await response.json()) as ErrorBody).error).toMatchObject({
        code: "not_found",
        message: `${OWN} has no key of epoch ${tooFar} yet: its newest epoch is 2`,
      });
    }
  });

  it.each(["0", "-1", "1.5", "", "one", "1e3", "9".repeat(16), "1&epoch=1", "1&limit=1"])(
    "gets no key of epoch %s",
    async (epoch) => {
      const response = await get(`/v1/domains/${OWN}/key?epoch=${epoch}`);
      expect(response.status).toBe(400);
    },
  );

  it("checks recipients of its domains", async () => {
    const json = { recipients: [`u1@${OWN}`, `u1@${FOREIGN}`] };
    const { results } = await callJson<{ results: { verdict: string }[] }>(env, "/v1/rcpt", {
      json,
      token: tokens.replica as string,
    });
    expect(results.map(({ verdict }) => verdict)).toEqual(["deliverable", "unavailable"]);
  });

  /** Makes the list again under the next key. */
  async function rotate() {
    const head = await callJson<{ generation: number }>(env, `/v1/domains/${OWN}`);
    const commit = await tryPublish(env, OWN, people(9_001), {
      expect: head.generation,
      bits: 1,
      force: true,
      epoch: 2,
    });
    const { epoch } = await callJson<{ epoch: number }>(env, `/v1/domains/${OWN}`);
    return { commit, epoch };
  }
});

/** The whole of an answer, with the domain that was asked for replaced. */
async function told(path: string, domain: string, token: string, options: object): Promise<string> {
  const response = await call(env, path, { ...options, token });
  const body = (await response.text()).replaceAll(domain, "DOMAIN");
  const headers = [...response.headers].sort().map((line) => line.join(": "));
  return [response.status, ...headers, body].join("\n").replace(/content-length: \d+/, "");
}

describe("a token of another domain, and a token of another role", () => {
  const ofDomains = Object.entries(RIGHTS).filter(([, { bound }]) => bound !== "none") as [string, Right][];

  it.each(ofDomains)("learns nothing from %s, not even whether the domain exists", async (_, right) => {
    for (const [name, token] of Object.entries(tokens)) {
      const own = name === "other" ? FOREIGN : OWN;
      const foreign = name === "other" ? OWN : FOREIGN;
      const answers: string[] = [];
      for (const domain of [foreign, NOWHERE]) {
        const { path, options = {} } = right.request(domain);
        answers.push(await told(path, domain, token, options));
      }
      expect(answers[0]).toBe(answers[1]);
      expect(answers[0]).not.toContain(own);
      // A hook's deferral has status 200.
      const deferred = right.deferral === undefined ? /^503\n/ : /^200\n[\s\S]*451/;
      expect(answers[0]).toMatch(right.bound === "recipients" && name !== "publish" ? deferred : /^403\n/);
    }
  });

  it("gets no blob of a foreign domain by its id, nor through its own domain", async () => {
    for (const token of [tokens.other, tokens.check]) {
      expect((await get(`/v1/domains/${OWN}/shards/${shardId}`, token)).status).toBe(403);
    }
    const through = await get(`/v1/domains/${FOREIGN}/shards/${shardId}`, tokens.other);
    expect(through.status).toBe(404);
    const none = await get(`/v1/domains/${FOREIGN}/shards/${"0".repeat(64)}`, tokens.other);
    expect((await through.text()).replace(shardId, "ID")).toBe(
      (await none.text()).replace("0".repeat(64), "ID"),
    );
  });
});
