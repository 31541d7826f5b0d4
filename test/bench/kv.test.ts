import { beforeEach, describe, expect, it } from "vitest";
import type { KvCounts } from "../../bench/rig/kv.ts";
import kv from "../../bench/rig/kv-worker.js";

const ask = (method: string, path: string, body?: string | Uint8Array<ArrayBuffer>): Promise<Response> =>
  kv.fetch(new Request(`http://kv${path}`, { method, ...(body === undefined ? {} : { body }) }));

const counts = async (): Promise<KvCounts> => (await (await ask("GET", "/bench/counts")).json()) as KvCounts;

describe("KV of the benchmark", () => {
  beforeEach(async () => {
    await ask("DELETE", "/domain%2Fa.example");
    await ask("DELETE", "/roster%2F0");
    await ask("GET", "/bench/reset");
  });

  it("returns what was put, and 404 for other keys", async () => {
    await ask("PUT", "/domain%2Fa.example?expiration=1", new Uint8Array([1, 2, 255]));
    const found = await ask("GET", "/domain%2Fa.example?cache_ttl=30");
    expect(new Uint8Array(await found.arrayBuffer())).toEqual(new Uint8Array([1, 2, 255]));
    expect((await ask("GET", "/domain%2Fb.example")).status).toBe(404);
    await ask("DELETE", "/domain%2Fa.example");
    expect((await ask("GET", "/domain%2Fa.example")).status).toBe(404);
  });

  it("reads many keys at once, null for missing ones", async () => {
    await ask("PUT", "/roster%2F0", "here");
    const found = await ask("POST", "/bulk/get", JSON.stringify({ keys: ["roster/0", "roster/1"] }));
    expect(await found.json()).toEqual({ "roster/0": "here", "roster/1": null });
  });

  it("counts reads, writes and stored keys by kind; a bulk read counts each key", async () => {
    await ask("PUT", "/domain%2Fa.example", "12345");
    await ask("GET", "/domain%2Fa.example");
    await ask("GET", "/shard%2Fa.example%2Fabc");
    await ask("POST", "/bulk/get", JSON.stringify({ keys: ["roster/0", "roster/1"] }));
    const { reads, answered, writes, deletes, keys, bytes } = await counts();
    expect(reads).toEqual({ domain: 1, shard: 1, roster: 2 });
    expect(answered).toEqual(reads);
    expect({ writes, deletes, keys, bytes }).toEqual({
      writes: { domain: 1 },
      deletes: {},
      keys: { domain: 1 },
      bytes: { domain: 5 },
    });
  });
});
