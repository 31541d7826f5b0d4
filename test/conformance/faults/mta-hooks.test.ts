/**
 * A client of draft-degennaro-mta-hooks under faults. Its answers through a bridge come from the same place as those of every
 * other way, which the matrix of stalwart.test.ts tries in full.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { draftHooks } from "../../../integrations/mta-hooks/entry.ts";
import { DraftClient } from "../../../integrations/mta-hooks/hook-client.ts";
import { Cleanup } from "../../mta/support/cleanup.ts";
import { startBridge } from "../../mta/support/command.ts";
import { listenersOf } from "../listeners.ts";
import { type EdgeFront, startEdgeFront } from "./edge-front.ts";
import { existsFor, MISBEHAVIOURS } from "./misbehaviour.ts";

const cleanup = new Cleanup();
let front: EdgeFront;
beforeAll(async () => {
  front = await startEdgeFront(cleanup);
});
afterAll(() => cleanup.run());

/** Clients of the draft take this status for an accept, so nothing that stands before the edge may send it. */
const ACCEPTED_BY_THE_DRAFT = "204, nothing";
/** Picks the one above, too. */
const MIXED = "another fault for each request";

describe("a client of the draft that asks the edge", () => {
  const names = Object.keys(MISBEHAVIOURS).filter(
    (name) => existsFor({ name: "hook" }, name) && name !== ACCEPTED_BY_THE_DRAFT && name !== MIXED,
  );

  it.each(names)("gets no verdict, and defers: %s", async (name) => {
    const client = new DraftClient({ url: `${front.url}/v1/hooks/registrations`, ...PATIENT });
    front.misbehaviour = null;
    expect(await client.rcpt("known@example.com")).toMatch(/^250 /);
    expect(await client.rcpt("nobody@example.com")).toMatch(/^550 5\.1\.1 /);
    front.misbehaviour = MISBEHAVIOURS[name] ?? null;
    for (const local of ["known", "nobody"]) {
      expect(await client.rcpt(`${local}@example.com`)).toMatch(/^451 4\.7\.1 /);
    }
  });

  it("accepts on a 204: the draft says so", async () => {
    const client = new DraftClient({ url: `${front.url}/v1/hooks/registrations`, ...PATIENT });
    front.misbehaviour = null;
    await client.register();
    front.misbehaviour = MISBEHAVIOURS[ACCEPTED_BY_THE_DRAFT] ?? null;
    expect(await client.rcpt("nobody@example.com")).toMatch(/^250 /);
  });

  it("does not start if it cannot register", async () => {
    const client = new DraftClient({ url: "http://127.0.0.1:9/v1/hooks/registrations", ...PATIENT });
    await expect(client.register()).rejects.toThrow("ECONNREFUSED");
  });
});

const PATIENT = { authorization: "Bearer of-a-test", timeout: 500, authority: null };

describe("a client of the draft that asks a bridge", () => {
  it("gets a deferral in its own dialect, whatever the edge does", async () => {
    const bridge = await startBridge(front, cleanup);
    const client = await draftHooks.start(listenersOf(bridge, front), ["example.com"]);
    front.misbehaviour = null;
    expect(await client.rcpt("known.1@example.com")).toMatch(/^250 /);
    for (const [i, name] of ["401", "503", "HTML", "204, nothing", "hangs before the answer"].entries()) {
      front.misbehaviour = MISBEHAVIOURS[name] ?? null;
      expect([name, await client.rcpt(`nobody.${i}@example.com`)]).toEqual([
        name,
        expect.stringMatching(/^451 4\.3\.0 /),
      ]);
    }
    front.misbehaviour = null;
    await client.stop();
  });
});
