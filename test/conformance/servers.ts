import type { Cleanup } from "../mta/support/cleanup.ts";
import { type Bridge, type Edge, folder, rollcall, startBridge, startEdge } from "../mta/support/command.ts";
import { publishWorld } from "./world.ts";

/** A real edge with the lists of the corpus, which the real command published, and a bridge that asks it. */
export async function startServers(cleanup: Cleanup): Promise<{ edge: Edge; bridge: Bridge }> {
  const edge = await startEdge(cleanup);
  const home = folder(cleanup);
  await publishWorld(home, (args) => rollcall(args, home, { ...edge.administrator() }));
  return { edge, bridge: await startBridge(edge, cleanup) };
}
