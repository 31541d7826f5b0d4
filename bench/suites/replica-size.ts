/** What a replica of a million and of ten million mailboxes takes: its first sync, a start from disk, and memory. */
import { existsSync } from "node:fs";
import { atMost, type Measurement, type Suite } from "../report/measurement.ts";
import { MILLION } from "../rig/lists.ts";
import { memoryOf, temporaryFolder } from "../rig/processes.ts";
import { questionsOf, replicaToken, serveReplica, spreadNames } from "../rig/replica.ts";
import { lacksCompiler, socketmapLoad } from "../rig/socketmap-load.ts";
import { type Published, publishedWorld } from "../rig/world.ts";

/** Debian's Node, which mail hosts run; the benchmark's is another. */
const DEBIAN = "/usr/bin/node";
const MEGABYTE = 1024 * 1024;
/** Lookups over the whole list, so that every shard is in memory. */
const LOOKUPS = 50_000;

/** A list, and what its replica may take at most. */
interface Size {
  readonly mailboxes: number;
  readonly residentBytes: number;
  readonly startSeconds?: number;
}
const WHOLE: readonly Size[] = [
  { mailboxes: MILLION, residentBytes: 90 * MEGABYTE, startSeconds: 2 },
  { mailboxes: 10 * MILLION, residentBytes: 160 * MEGABYTE },
];
const QUICK: readonly Size[] = [{ mailboxes: 100_000, residentBytes: 90 * MEGABYTE, startSeconds: 2 }];

export const replicaSize: Suite = {
  name: "replica-size",
  lacks: lacksCompiler,
  async run({ isQuick }, tell) {
    const measured: Measurement[] = [];
    for (const size of isQuick ? QUICK : WHOLE) {
      const published = await publishedWorld(size.mailboxes, tell);
      tell(`a replica of ${size.mailboxes.toLocaleString("en")} mailboxes`);
      measured.push(...(await replicaOf(published, size)));
    }
    return measured;
  },
};

async function replicaOf(
  { world }: Published,
  { mailboxes, residentBytes, startSeconds }: Size,
): Promise<Measurement[]> {
  await using edge = await world.serve();
  using folder = temporaryFolder();
  const asking = { origin: edge.origin, token: await replicaToken(world, edge.origin) };
  const setting = existsSync(DEBIAN) ? { node: DEBIAN } : {};
  let since = performance.now();
  const first = await serveReplica(asking, folder, setting);
  const synced = (performance.now() - since) / 1000;
  await first[Symbol.asyncDispose]();
  since = performance.now();
  await using again = await serveReplica(asking, folder, setting);
  const started = (performance.now() - since) / 1000;
  const resident = memoryOf(again.pid, "VmRSS") ?? Number.NaN;
  const names = spreadNames(mailboxes, LOOKUPS);
  const load = socketmapLoad(again.address, questionsOf(names), { connections: 4, atOnce: 32 });
  await load.ask(names.length);
  const size = `${mailboxes / MILLION} M`;
  const group = `replica-size.${size.replace(" ", "").toLowerCase()}`;
  return [
    {
      id: `${group}.memory`,
      what: `resident with ${size} mailboxes, every shard used`,
      value: memoryOf(again.pid, "VmRSS") ?? Number.NaN,
      unit: "bytes",
      bar: atMost(residentBytes),
      detail: {
        "before the first lookup, bytes": resident,
        "peak, bytes": memoryOf(again.pid, "VmHWM") ?? Number.NaN,
      },
    },
    {
      id: `${group}.first-sync`,
      what: `from the first start until ${size} mailboxes are here, edge on the same host`,
      value: synced,
      unit: "s",
    },
    {
      id: `${group}.start`,
      what: `start from disk with ${size} mailboxes, until they are confirmed as the newest`,
      value: started,
      unit: "s",
      ...(startSeconds !== undefined && { bar: atMost(startSeconds) }),
    },
  ];
}
