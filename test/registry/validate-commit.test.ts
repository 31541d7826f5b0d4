/* What the Registry itself checks of a commit, whatever the edge checked before. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DomainCommit } from "../../src/api/index.ts";
import {
  blobId,
  concatBytes,
  fromBase64Url,
  MAX_SHARD_BITS,
  sentinels,
  toBase64Url,
  toHex,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { type List, pack, people } from "../../testing/lists.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const OTHER = "other.example";
const MANY = people(10);
const TWO_SHARDS = { bits: 1 };
const NO_ID = "0".repeat(64);

let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
});

const badRequest = (message: string, domain = D) => ({
  code: "bad_request",
  domain,
  message: expect.stringContaining(message),
});

describe("a commit is refused", () => {
  it.each<[string, { [K in keyof DomainCommit]?: NonNullable<DomainCommit[K]> }, string]>([
    ["in capitals", { domain: "EXAMPLE.com" }, "not a domain in lower-case A-labels"],
    ["under an unknown canonicaliser", { canonicaliser: 2 }, "made under canonicaliser 2, the edge has 1"],
    ["with no sentinels", { sentinels: [] }, "its sentinels differ"],
    ["under another key", { key_id: "0123456789abcdef" }, "made under key 0123456789abcdef"],
    [
      "at an epoch before the first",
      { epoch: 0 },
      "epoch 0 is neither the present one, 1, nor one whose key this token was given",
    ],
    ["at the second epoch of a new domain", { epoch: 2 }, "epoch 2 is neither"],
    ["with a policy that is not one", { policy: { guard: 2 } }, "guard"],
    ["with an inline shard that is not base64url", { shards: { bits: 0, inline: "+" } }, "base64url"],
    ["with an inline shard of no bytes", { shards: { bits: 0, inline: "" } }, "shorter than its header"],
    ["with too many shards", { shards: { bits: MAX_SHARD_BITS + 1, ids: [] } }, "content ids"],
    ["with more ids than shards", { shards: { bits: 0, ids: [NO_ID, NO_ID] } }, "not 2^0 content ids"],
    ["with one id that is none", { shards: { bits: 1, ids: [NO_ID, "x"] } }, "not 2^1 content ids"],
  ])("%s", async (_, changes, message) => {
    const commit: DomainCommit = { ...(await desk.prepare(["alice"])), ...changes };
    expect(await desk.refusal([commit])).toEqual(badRequest(message, commit.domain));
    expect(await desk.head()).toBeNull();
  });

  it("if its table has more than 2^16 shards, and not if it has as many", async () => {
    const commit = await desk.prepare(["alice"]);
    const table = (bits: number) => ({ bits, ids: new Array<string>(2 ** bits).fill(NO_ID) });
    const refused = await desk.refusal([{ ...commit, shards: table(MAX_SHARD_BITS + 1) }]);
    expect(refused).toEqual(badRequest("not 2^17 content ids"));
    expect(await desk.refusal([{ ...commit, shards: table(MAX_SHARD_BITS) }])).toMatchObject({
      code: "missing_shards",
    });
  });

  it("if one of several shards stands alone in it", async () => {
    const commit = await desk.prepare(MANY, TWO_SHARDS);
    const id = "ids" in commit.shards ? (commit.shards.ids[0] as string) : "";
    const bytes = accepted(await desk.core.blob(D, id, false)) as Uint8Array;
    const alone = { ...commit, shards: { bits: 0 as const, inline: toBase64Url(bytes) } };
    expect(await desk.refusal([alone])).toEqual(badRequest("an inline shard must be the only one"));
  });

  it("if its shards are in the wrong order", async () => {
    const commit = await desk.prepare(MANY, TWO_SHARDS);
    const ids = "ids" in commit.shards ? [...commit.shards.ids].reverse() : [];
    expect(await desk.refusal([{ ...commit, shards: { bits: 1, ids } }])).toEqual(
      badRequest("was packed for another place in the table"),
    );
  });

  it("if it goes back an epoch, or skips one, and not if it goes to the next", async () => {
    await desk.publish(["alice"]);
    const next = await desk.prepare(["alice"], { epoch: 2 });
    expect(await desk.refusal([await desk.prepare(["alice"], { epoch: 3 })])).toEqual(
      badRequest("epoch 3 is neither the present one, 1, nor one whose key this token was given"),
    );
    await desk.commit([next], { force: true });
    expect(await desk.refusal([await desk.prepare(["alice"], { epoch: 1 })])).toEqual(
      badRequest("epoch 1 is neither the present one, 2, nor one whose key this token was given"),
    );
    expect(await desk.head()).toMatchObject({ epoch: 2 });
  });

  it("if an alias brings a list, in whatever state its names are", async () => {
    await desk.publish(["alice"], { domain: OTHER });
    const policy = { alias: OTHER };
    const lists: List[] = [
      ...(["active", "disabled", "full", "moved"] as const).map((state): List => [["bob", state]]),
      ["alice", ["bob", "disabled"]],
      ["alice", ["bob", "moved"]],
    ];
    for (const list of lists) {
      const commit = await desk.prepare(list, { policy });
      expect(await desk.refusal([commit])).toEqual(badRequest("an alias has no list of its own"));
    }
    expect(await desk.publish([], { policy })).toBe(2);
  });
});

describe("a commit that was planned against another head", () => {
  it("is a conflict that says both", async () => {
    const early = await desk.prepare(["alice"]);
    const first = await desk.publish(["alice"]);
    expect(await desk.refusal([early])).toEqual({
      code: "conflict",
      message: `${D}: planned against generation none, the head is 1`,
      domain: D,
      head: first,
    });
    const late = { ...(await desk.prepare(["alice", "bob"])), expect: 7 };
    expect(await desk.refusal([late])).toMatchObject({
      message: `${D}: planned against generation 7, the head is 1`,
    });
  });

  it("is a conflict where there is no head", async () => {
    const commit = { ...(await desk.prepare(["alice"])), expect: 1 };
    expect(await desk.refusal([commit])).toEqual({
      code: "conflict",
      message: `${D}: planned against generation 1, the head is none`,
      domain: D,
      head: null,
    });
  });

  it("is a new start behind a deletion, but no other number is", async () => {
    const first = await desk.publish(["alice"]);
    await desk.remove();
    const commit = await desk.prepare(["alice"]);
    expect(await desk.refusal([{ ...commit, expect: first }])).toMatchObject({ code: "conflict", head: 2 });
    expect(await desk.commit([{ ...commit, expect: null }])).toMatchObject({ generations: { [D]: 3 } });
  });
});

describe("shards that are missing", () => {
  it("are named, of all domains that lack some and of no other", async () => {
    const whole = await desk.prepare(["alice"], { domain: OTHER });
    const commit = await desk.prepare(MANY, TWO_SHARDS);
    const ids = "ids" in commit.shards ? commit.shards.ids : [];
    const lacking = { ...commit, shards: { bits: 1, ids: [ids[0] as string, NO_ID] } };
    expect(await desk.refusal([whole, lacking])).toEqual({
      code: "missing_shards",
      message: expect.any(String),
      missing: { [D]: [NO_ID] },
    });
    expect(await desk.commit([whole, commit])).toMatchObject({ generations: { [D]: 1, [OTHER]: 1 } });
  });

  it("are kept only where the bytes fit their name, and are a shard", async () => {
    const { shards } = pack(MANY, desk.world.keyFor(D), (await policyOf()) ?? expect.fail(), TWO_SHARDS);
    const bytes = shards[0] as Uint8Array;
    const id = toHex(stablelibHashing.sha256(bytes));
    const named = {
      code: "bad_request",
      domain: D,
      message: expect.stringContaining("named by its SHA-256"),
    };
    expect(refused(await desk.core.putShard(D, NO_ID, bytes))).toEqual(named);
    expect(refused(await desk.core.putShard(D, id.toUpperCase(), bytes))).toEqual(named);
    expect(refused(await desk.core.putShard(D, id, concatBytes([bytes, bytes])))).toEqual(named);
    const noShard = new Uint8Array(2_000);
    const noShardId = toHex(stablelibHashing.sha256(noShard));
    expect(refused(await desk.core.putShard(D, noShardId, noShard))).toEqual(badRequest("not a shard"));
    expect(accepted(await desk.core.blob(D, noShardId, false))).toBeNull();
  });

  async function policyOf() {
    await desk.publish(["alice"]);
    return (await desk.head())?.policy;
  }
});

describe("the policy and mode after a commit", () => {
  it("are those of the head where the commit says nothing, after a deletion too", async () => {
    await desk.publish(["alice"], { policy: { catchall: true }, mode: "observe" });
    await desk.publish(["alice", "bob"]);
    expect(await desk.head()).toMatchObject({ policy: { catchall: true }, mode: "observe" });
    await desk.publish(["alice", "bob"], { policy: { grace: 60 }, mode: "enforce" });
    expect(await desk.head()).toMatchObject({ policy: { catchall: true, grace: 60 }, mode: "enforce" });
    await desk.remove();
    await desk.publish(["alice"], { mode: "observe" });
    expect(await desk.head()).toMatchObject({ policy: { catchall: true, grace: 60 }, mode: "observe" });
    await desk.remove();
    await desk.publish(["alice"]);
    expect(await desk.head()).toMatchObject({ mode: "observe" });
  });

  it("are what the sentinels are compared under", async () => {
    const commit = await desk.prepare(["alice"]);
    const key = desk.world.keyFor(D);
    const sensitive = { ...commit, policy: { case: "sensitive" as const } };
    expect(await desk.refusal([sensitive])).toEqual(badRequest("its sentinels differ"));
    await desk.publish(["alice"]);
    const policy = { ...((await desk.head())?.policy ?? expect.fail()), case: "sensitive" as const };
    const fitting = { ...sensitive, expect: 1, sentinels: sentinels(key.names, policy) };
    await desk.commit([fitting], { force: true });
    expect(await desk.head()).toMatchObject({ policy: { case: "sensitive" } });
  });
});

describe("an alias", () => {
  const alias = (target: string, domain = D) => desk.prepare([], { domain, policy: { alias: target } });

  it("may not be one of itself", async () => {
    expect(await desk.refusal([await alias(D)])).toEqual(badRequest("is an alias of itself"));
  });

  it("needs a target that is served, or comes with the same commit", async () => {
    const away = badRequest(`is an alias of ${OTHER}, which is not served here`);
    expect(await desk.refusal([await alias(OTHER)])).toEqual(away);
    const both = [await alias(OTHER), await desk.prepare(["alice"], { domain: OTHER })];
    expect(await desk.commit(both)).toMatchObject({ generations: { [D]: 1, [OTHER]: 1 } });
    await desk.remove();
    await desk.remove(OTHER);
    expect(await desk.refusal([await alias(OTHER)])).toEqual(away);
  });

  it("may not lead to another alias, by the head or by the same commit", async () => {
    await desk.publish(["alice"], { domain: "third.example" });
    const middle = await alias("third.example", OTHER);
    const chain = badRequest(`is an alias of ${OTHER}, which is an alias itself`);
    expect(await desk.refusal([await alias(OTHER), middle])).toEqual(chain);
    await desk.commit([middle]);
    expect(await desk.refusal([await alias(OTHER)])).toEqual(chain);
    // The same commit may make the target one that is not an alias any more.
    const list = await desk.prepare(["bob"], { domain: OTHER, policy: { alias: null } });
    expect(await desk.commit([await alias(OTHER), list], { force: true })).toMatchObject({
      generations: { [D]: 3 },
    });
  });

  it("may not be the target of others", async () => {
    await desk.publish(["alice"]);
    await desk.publish(["alice"], { domain: "third.example" });
    await desk.publish([], { domain: OTHER, policy: { alias: D } });
    expect(await desk.refusal([await alias("third.example")])).toEqual(
      badRequest(`answers for ${OTHER} and cannot be an alias`),
    );
    expect(refused(await desk.core.remove(D, 1, "tester"))).toEqual({
      code: "bad_request",
      domain: D,
      message: `${D} answers for ${OTHER}; delete those first`,
    });
  });

  it("has no mailboxes that single changes could change", async () => {
    await desk.publish(["alice"], { domain: OTHER });
    await desk.publish([], { policy: { alias: OTHER } });
    const { keyId, policy } = (await desk.head()) ?? expect.fail("no head");
    const change = {
      ...{ domain: D, keyId, canonicaliser: 1, sentinels: sentinels(desk.world.keyFor(D).names, policy) },
      ...{ changes: [], force: false, atOnce: false, idempotency: null },
    };
    expect(refused(await desk.world.clock.run(desk.core.patch(change, "tester", null)))).toEqual(
      badRequest(`is an alias of ${OTHER}: change the mailboxes of ${OTHER}`),
    );
  });

  it("may be committed again as it is", async () => {
    await desk.publish(["alice"], { domain: OTHER });
    await desk.publish([], { policy: { alias: OTHER } });
    await desk.publish([], { policy: { alias: OTHER }, mode: "observe" });
    expect(await desk.head()).toMatchObject({ generation: 3, mode: "observe", policy: { alias: OTHER } });
  });
});

it("an inline shard is counted by states, and kept as it is", async () => {
  const list = ["a", "b", ["c", "disabled"], ["d", "full"], ["e", "moved"], ["f", "moved"]] as const;
  const commit = await desk.prepare(list);
  await desk.commit([commit]);
  const head = await desk.head();
  expect(head).toMatchObject({ counts: { active: 2, disabled: 1, full: 1, moved: 2 } });
  const inline = "inline" in commit.shards ? commit.shards.inline : "";
  expect(head?.shards).toMatchObject({ bits: 0, ids: new Uint8Array(0) });
  expect(head?.shards.inline).toEqual(fromBase64Url(inline));
});

it("shards beside the manifest are counted by states, and named in order", async () => {
  const commit = await desk.prepare([...MANY, ["x", "full"], ["y", "disabled"], ["z", "moved"]], TWO_SHARDS);
  await desk.commit([commit]);
  const table = (await desk.head())?.shards ?? expect.fail();
  expect(await desk.head()).toMatchObject({
    counts: { active: MANY.length, disabled: 1, full: 1, moved: 1 },
  });
  expect({ bits: table.bits, ids: [blobId(table, 0), blobId(table, 1)] }).toEqual(commit.shards);
  expect(table.inline).toBeNull();
});
