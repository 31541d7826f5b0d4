/** KV reads that strangers can cause: a million names on no list, at an isolate that remembers nothing. */
import { randomInt } from "node:crypto";
import { atMost, type Suite } from "../report/measurement.ts";
import { registryCalls } from "../rig/inspector.ts";
import { figures, Kv, total } from "../rig/kv.ts";
import { DOMAIN, MILLION, UNKNOWN, UNKNOWN_NAMES } from "../rig/lists.ts";
import { servePeerWithKv } from "../rig/workerd.ts";
import { publishedWorld } from "../rig/world.ts";
import { ask, BATCH } from "./loads.ts";

const AT_ONCE = 4;
/** Enough to touch every shard. */
const QUICK_NAMES = 100_000;
/** Names asked of the peer, which reads the same for each. */
const PEER_NAMES = 20_000;
/** About 130: 128 shards, the manifest, two rosters, and one of these again each minute. */
const BAR = 135;

export const reads: Suite = {
  name: "reads",
  async run({ isQuick }, tell) {
    const { world, token } = await publishedWorld(MILLION, tell);
    await using edge = await world.serve({ registryDelay: 0 });
    const names = isQuick ? QUICK_NAMES : MILLION;
    tell(`${names} unknown names`);
    await world.kv.reset();
    await askUnknown(edge.origin, token, names);
    const ours = (await world.kv.counts()).reads;
    await using peer = await servePeerWithKv("key-per-mailbox.js", { TOKEN: token });
    await askUnknown(peer.origin, token, PEER_NAMES);
    const theirs = total((await new Kv(peer.origins[1] as string).counts()).reads);
    return [
      {
        id: "reads.unknown-names.1m",
        what: `KV reads for ${names.toLocaleString("en")} random unknown names, from cold`,
        value: total(ours),
        unit: "count",
        bar: atMost(BAR),
        detail: { ...figures("reads", ours), "Registry calls": await registryCalls(edge.origin, "started") },
      },
      {
        id: "reads.key-per-mailbox.1m",
        what: `KV reads for a million with one KV key a mailbox, from ${PEER_NAMES.toLocaleString("en")} names`,
        value: (theirs * MILLION) / PEER_NAMES,
        unit: "count",
        detail: { "KV reads": theirs, names: PEER_NAMES },
      },
    ];
  },
};

/** Asks about random unknown names, in batches; each must be refused, and by name. */
async function askUnknown(origin: string, token: string, count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= BATCH;
      const names = Array.from({ length: BATCH }, () => `${UNKNOWN}${randomInt(UNKNOWN_NAMES)}@${DOMAIN}`);
      const results = await ask(origin, token, names);
      const wrong = names.findIndex(
        (name, i) => results[i]?.recipient !== name || results[i]?.verdict !== "unknown",
      );
      if (wrong >= 0) throw new Error(`${names[wrong]} was answered ${JSON.stringify(results[wrong])}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
