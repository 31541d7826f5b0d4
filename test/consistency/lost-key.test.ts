import { beforeEach, describe, expect, it } from "vitest";
import type { DomainDescription } from "../../src/api/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { HOUR, MINUTE, must, World } from "../../testing/world.ts";

const D = "example.com";

/** A deployment whose master key was lost and replaced. */
describe("after the master key was lost", () => {
  let world: World;
  let first: number;
  let isolate: IsolateHost;

  beforeEach(async () => {
    world = new World();
    first = await world.publish(world.isolate(), D, people(10));
    await world.clock.advance(MINUTE);
    world.settings.masterKey.fill(9);
    isolate = world.isolate();
  });

  it("nothing is refused or accepted from lists made with the other key", async () => {
    for (const local of ["u0", "nobody"]) {
      expect(await isolate.check(`${local}@${D}`)).toMatchObject({ verdict: "unavailable", action: "defer" });
    }
  });

  it("the domain is still shown, with the id of the key that made it", async () => {
    const { body } = await must(isolate.call(`/v1/domains/${D}`));
    expect(body).toMatchObject({ domain: D, generation: first, counts: { active: 10 } });
    expect((body as DomainDescription).key_id).not.toBe(world.keyFor(D).id);
    await must(isolate.call(`/v1/domains/${D}/generations`));
    await must(isolate.call("/v1/domains"));
  });

  it("publishing everything again needs the override, and repairs it", async () => {
    expect(await world.tryPublish(isolate, D, people(10))).toMatchObject({
      status: 422,
      body: { error: { code: "guard" } },
    });
    await world.publish(isolate, D, people(10), { force: true });
    for (const at of [isolate, world.isolate("elsewhere")]) {
      expect(await at.check(`u0@${D}`)).toMatchObject({ verdict: "deliverable" });
      expect(await at.check(`nobody@${D}`)).toMatchObject({ verdict: "departed", action: "defer" });
    }
    await world.clock.advance(HOUR);
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", action: "reject" });
    expect(await world.isolate("later").check(`u1@${D}`)).toMatchObject({ verdict: "deliverable" });
  });

  it("nothing rolls back to a generation that can no longer be read", async () => {
    await world.publish(isolate, D, people(10), { force: true });
    const expectHead = (await must(isolate.call(`/v1/domains/${D}`))).body as DomainDescription;
    const json = { to: first, expect: expectHead.generation };
    expect(await isolate.call(`/v1/domains/${D}/rollback`, { json })).toMatchObject({ status: 400 });
    expect(await isolate.check(`u0@${D}`)).toMatchObject({ verdict: "deliverable" });
  });

  it("the domain can be deleted", async () => {
    await world.remove(isolate, D);
    expect(await isolate.check(`u0@${D}`)).toMatchObject({ verdict: "departed" });
  });
});
