import { randomInt } from "node:crypto";
import type { Measurement, Suite } from "../report/measurement.ts";
import { figures, Kv, total } from "../rig/kv.ts";
import { DOMAIN, UNKNOWN, UNKNOWN_NAMES } from "../rig/lists.ts";
import { registryCalls } from "../rig/registry.ts";
import { servePeerWithKv } from "../rig/workerd.ts";
import { publishedWorld } from "../rig/world.ts";
import { MILLION } from "./checks.ts";
import { ask } from "./loads.ts";

const BATCH = 1_000;
const AT_ONCE = 4;
/** Enough to touch every shard. */
const QUICK_NAMES = 100_000;
/** Names asked of the peer, which reads the same for each. */
const PEER_NAMES = 20_000;
/** About 130: 128 shards, the manifest, two rosters, and one of these again each minute. */
const BAR = 135;

/** KV reads that strangers can cause: a million names that nobody has, at an isolate that remembers nothing. */
export const reads: Suite = {
  name: "reads",
  lacks: () => [],
  async run(extent, tell) {
    const { world, token } = await publishedWorld(MILLION, tell);
    const edge = await world.serve({ registryDelay: 0 });
    try {
      const names = extent.isQuick ? QUICK_NAMES : MILLION;
      tell(`${names} unknown names`);
      await world.kv.reset();
      await askUnknown(edge.origin, token, names);
      const counted = (await world.kv.counts()).reads;
      const ours: Measurement = {
        id: "reads.unknown-names.1m",
        what: `KV reads for ${names.toLocaleString("en")} random unknown names, from cold`,
        value: total(counted),
        unit: "count",
        bar: { kind: "at most", value: BAR },
        detail: { ...figures("reads", counted), "Registry calls": await registryCalls(edge.origin, "begun") },
      };
      return [ours, await peerReads(token)];
    } finally {
      await edge.stop();
    }
  },
};

async function peerReads(token: string): Promise<Measurement> {
  const peer = await servePeerWithKv("key-per-mailbox.js", { TOKEN: token });
  try {
    await askUnknown(peer.origin, token, PEER_NAMES);
    const counted = total((await new Kv(peer.kv).counts()).reads);
    return {
      id: "reads.key-per-mailbox.1m",
      what: `KV reads for a million with one KV key a mailbox, from ${PEER_NAMES.toLocaleString("en")} names`,
      value: (counted * MILLION) / PEER_NAMES,
      unit: "count",
      detail: { "KV reads": counted, names: PEER_NAMES },
    };
  } finally {
    await peer.stop();
  }
}

/** Asks about random unknown names, in batches; each must be refused, and by name. */
async function askUnknown(origin: string, token: string, count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= BATCH;
      const names = Array.from({ length: BATCH }, () => `${UNKNOWN}${randomInt(UNKNOWN_NAMES)}@${DOMAIN}`);
      const { results } = await ask(origin, token, names);
      const wrong = names.findIndex(
        (name, i) => results[i]?.recipient !== name || results[i]?.verdict !== "unknown",
      );
      if (wrong >= 0) throw new Error(`${names[wrong]} was answered ${JSON.stringify(results[wrong])}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
