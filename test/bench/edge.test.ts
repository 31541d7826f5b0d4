import { describe, expect, it } from "vitest";
import { isolateBytes, registryCalls } from "../../bench/rig/inspector.ts";
import { World } from "../../bench/rig/world.ts";
// Builds the bundle that is served.
import "../support/processes.ts";

describe("the benchmark's edge", () => {
  it("is the bundle with its Registry's calls counted and delayed, and its memory in view", async () => {
    await using world = await World.make();
    await using edge = await world.serve({ registryDelay: 100, isInspected: true, hasNeighbour: true });
    await world.api(edge, "/v1/registry", "POST");
    expect(await registryCalls(edge.origin, "started")).toBeGreaterThan(0);
    const { heap, resident } = await isolateBytes(edge);
    expect(heap).toBeGreaterThan(100_000);
    expect(resident).toBeGreaterThan(heap);
    const since = performance.now();
    await world.api({ ...edge, origin: edge.origins[1] as string }, "/v1/registry");
    expect(performance.now() - since).toBeGreaterThan(99);
    expect(await registryCalls(edge.origin, "answered")).toBe(await registryCalls(edge.origin, "started"));
  });
});
