import { describe, expect, it } from "vitest";
import { ClientError } from "../../src/client/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { memorySource, PublishError, type PublishPorts, publishLists } from "../../src/publish/index.ts";
import { DOMAIN } from "../support/lists.ts";
import { failed, type Intercept, MemoryEdge } from "../support/memory-edge.ts";

/* A publish while the edge answers with faults, at each of its steps, or while another publisher is at work. */

const portsOf = (edge: MemoryEdge): PublishPorts => ({
  client: edge.client(),
  hashing: stablelibHashing,
  timers: { sleep: async () => undefined },
  recorder: null,
  progress: {},
  confirm: async () => undefined,
});

const listOf = (mark: string): string[] => Array.from({ length: 60 }, (_, i) => `${mark}${i}@${DOMAIN}`);

/** Publishes a list of four shards. */
const publish = (edge: MemoryEdge, mark: string, ports = portsOf(edge)) =>
  publishLists(
    ports,
    [
      {
        domain: DOMAIN,
        source: memorySource("list", listOf(mark)),
        policy: { guard: 1 },
        canaries: [],
        bits: 2,
      },
    ],
    { force: true },
  );

/** Whether the head is exactly this list: publishing it again changes nothing. */
async function isHead(edge: MemoryEdge, mark: string): Promise<boolean> {
  const { planned } = await publishLists(
    portsOf(edge),
    [
      {
        domain: DOMAIN,
        source: memorySource("list", listOf(mark)),
        policy: { guard: 1 },
        canaries: [],
        bits: 2,
      },
    ],
    { dryRun: true },
  );
  return planned[0]?.plan.unchanged === true;
}

const FAULTS: Readonly<Record<string, () => ReturnType<Intercept>>> = {
  "500": () => failed(500, { code: "internal" as "unavailable", message: "fault" }),
  "503": () => failed(503, { code: "unavailable", message: "fault" }),
  "429": () => new Response("slow down", { status: 429 }),
  "an error page of a gateway": () => new Response("<html>", { status: 502 }),
  "nothing, after the step took effect": () => "lose the answer",
};

/** The requests of a publish without faults. */
async function stepsOf(): Promise<number> {
  const edge = new MemoryEdge();
  await publish(edge, "a");
  const before = edge.requests.length;
  await publish(edge, "b");
  return edge.requests.length - before;
}

describe("a publish whose edge has a fault", () => {
  it.each(Object.entries(FAULTS))(
    "ends in the old or the new list, and then in the true one: %s",
    async (_, fault) => {
      const steps = await stepsOf();
      expect(steps).toBeGreaterThan(8);
      const seen = { published: 0, failed: 0 };
      for (const lasts of [1, 1000]) {
        for (let step = 0; step < steps; step++) {
          const edge = new MemoryEdge();
          await publish(edge, "a");
          const from = edge.requests.length + step;
          edge.intercept = () => {
            const at = edge.requests.length - 1;
            return at >= from && at < from + lasts ? fault() : undefined;
          };
          try {
            await publish(edge, "b");
            seen.published++;
          } catch (error) {
            expect(error).toSatisfy((it) => it instanceof ClientError || it instanceof PublishError);
            seen.failed++;
          }
          edge.intercept = () => undefined;
          const [isOld, isNew] = [await isHead(edge, "a"), await isHead(edge, "b")];
          expect([step, lasts, isOld !== isNew]).toEqual([step, lasts, true]);
          await publish(edge, "b");
          expect(await isHead(edge, "b")).toBe(true);
        }
      }
      expect(seen.published + seen.failed).toBe(2 * steps);
      expect(seen.failed).toBeGreaterThan(0);
    },
  );

  it("leaves the list of one publisher, whole, if two publish at the same time", async () => {
    let conflicts = 0;
    for (let lead = 0; lead < 30; lead++) {
      const edge = new MemoryEdge();
      await publish(edge, "a");
      const second = async () => {
        for (let i = 0; i < lead; i++) await Promise.resolve();
        return publish(edge, "c");
      };
      const results = await Promise.allSettled([publish(edge, "b"), second()]);
      for (const result of results) {
        if (result.status === "fulfilled") continue;
        expect(result.reason).toMatchObject({ code: "conflict" });
        conflicts++;
      }
      expect([await isHead(edge, "b"), await isHead(edge, "c")].filter(Boolean)).toHaveLength(1);
    }
    expect(conflicts).toBeGreaterThan(0);
  });
});
