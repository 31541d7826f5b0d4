/** The rest of the world, inside the namespace: its DNS, and the servers that messages end in. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import type { Cleanup } from "../support/cleanup.ts";
import { type Arrived, startSink } from "../support/sink.ts";

export interface World {
  /** What arrived for other domains, and for ours: over SMTP, or over LMTP. */
  readonly world: readonly Arrived[];
  readonly mailboxes: readonly Arrived[];
}

export async function startWorld(cleanup: Cleanup): Promise<World> {
  // In a thread of its own, since what waits for a command here would keep that command waiting for names.
  const dns = new Worker(new URL("./dns.ts", import.meta.url));
  cleanup.add(() => dns.terminate());
  await once(dns, "message");
  const { messages } = await startSink(cleanup, () => true, { port: 24, lmtp: true });
  const world = { world: [] as Arrived[], mailboxes: messages };
  const child = spawn(
    "nsenter",
    [
      "--net",
      "--target",
      String(process.env.OUTSIDE),
      process.execPath,
      join(import.meta.dirname, "outside.ts"),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  cleanup.add(() => child.kill());
  await new Promise<void>((resolve) => {
    createInterface(child.stdout).on("line", (line) => {
      if (line === "ready") return resolve();
      const [place, message] = JSON.parse(line) as [keyof World, Arrived];
      world[place].push(message);
    });
  });
  return world;
}
