/* A key that a stolen token was given is not the one that a list moves to once the token is revoked. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DomainCommit } from "../../src/api/index.ts";
import { DEFAULT_POLICY } from "../../src/directory/index.ts";
import { commitOf, pack, people } from "../../testing/lists.ts";
import { DAY } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

let desk: Desk;
beforeEach(async () => {
  desk = await new Desk().open();
});

const grant = async (by: string): Promise<number> => accepted(await desk.core.grantKey(D, by));

async function listUnder(epoch: number): Promise<DomainCommit> {
  const head = await desk.head();
  const key = desk.world.keyFor(D, epoch);
  const packed = pack(people(10), key, DEFAULT_POLICY);
  return commitOf(packed, key, DEFAULT_POLICY, { expect: head?.generation ?? null });
}
const publishUnder = async (epoch: number, by: string) =>
  desk.core.commit({ domains: [await listUnder(epoch)], force: true }, by, null);

describe("a later key", () => {
  it("is given to one token, which gets the same one until it is used", async () => {
    await desk.publish(people(10));
    expect(await grant("thief")).toBe(2);
    expect(await grant("thief")).toBe(2);
    expect(await grant("owner")).toBe(3);
    expect(await grant("owner")).toBe(3);
    accepted(await publishUnder(3, "owner"));
    expect(await desk.head()).toMatchObject({ epoch: 3 });
    // What was given before is of no use to anybody.
    expect(await grant("owner")).toBe(4);
    expect(await grant("thief")).toBe(5);
  });

  it("is published under by that token only", async () => {
    await desk.publish(people(10));
    const stolen = await grant("thief");
    for (const epoch of [stolen, stolen + 1]) {
      expect(refused(await publishUnder(epoch, "owner"))).toMatchObject({
        code: "bad_request",
        message: expect.stringContaining(`epoch ${epoch} is neither the present one, 1, nor one whose key`),
      });
    }
    accepted(await publishUnder(await grant("owner"), "owner"));
    expect(refused(await publishUnder(stolen, "thief"))).toMatchObject({ code: "bad_request" });
  });

  it("is none that a list had before, also after a rollback to an earlier key", async () => {
    const first = await desk.publish(people(10));
    accepted(await publishUnder(await grant("owner"), "owner"));
    const head = await desk.head();
    accepted(await desk.rollback({ to: first, expect: head?.generation as number }));
    expect(await desk.head()).toMatchObject({ epoch: 1 });
    expect(await grant("owner")).toBe(3);
    expect(refused(await publishUnder(2, "owner"))).toMatchObject({ code: "bad_request" });
  });

  it("is for a domain that has a list, and is recorded", async () => {
    expect(refused(await desk.core.grantKey(D, "owner"))).toMatchObject({ code: "not_found", domain: D });
    await desk.publish(people(10));
    await grant("owner");
    await grant("owner");
    const lines = (await desk.trail()).filter(({ action }) => action === "key");
    expect(lines).toMatchObject([{ by: "owner", subject: D, detail: expect.stringContaining("epoch 2") }]);
    await desk.remove();
    expect(await grant("owner")).toBe(2);
    await desk.world.clock.advance(40 * DAY);
    expect(desk.world.registry().sql("SELECT * FROM key_grants")).toEqual([]);
  });
});
