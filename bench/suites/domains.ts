/** Many small domains, asked about at random: more than fit the isolate's memory. */
import type { Suite } from "../report/measurement.ts";
import { isolateBytes } from "../rig/inspector.ts";
import { figures, total } from "../rig/kv.ts";
import { KNOWN } from "../rig/lists.ts";
import { publishMany } from "../rig/publisher.ts";
import { spreadOf } from "../rig/rounds.ts";
import { World } from "../rig/world.ts";
import { drive, lacksWrk } from "../rig/wrk.ts";
import { warmUp } from "./loads.ts";

const DOMAINS = 100_000;
const QUICK_DOMAINS = 1_000;
const MAILBOXES = 10;
/** A single Registry copies so many domains to KV one after the other, which would take longer than all the rest. */
const PARTITIONS = 8;

export const domains: Suite = {
  name: "domains",
  lacks: lacksWrk,
  async run(extent, tell) {
    const count = extent.isQuick ? QUICK_DOMAINS : DOMAINS;
    await using world = await World.make({ ROLLCALL_PARTITIONS: String(PARTITIONS) });
    const token = await publishAll(world, count, tell);
    await using edge = await world.serve({ isInspected: true });
    tell("random domains");
    const load = {
      token,
      method: "POST",
      prefix: KNOWN,
      names: MAILBOXES,
      domain: "d%.example",
      domains: count,
      expects: [`"recipient":"${KNOWN}`, '"verdict":"deliverable","action":"accept"'],
    } as const;
    await warmUp(edge.origin, load, extent);
    await world.kv.reset();
    const rates: number[] = [];
    let checks = 0;
    for (let round = 0; round < extent.rounds; round++) {
      const { rate, requests } = await drive(edge.origin, load, extent.seconds);
      rates.push(rate);
      checks += requests;
    }
    const { reads } = await world.kv.counts();
    const { heap, buffers } = await isolateBytes(edge);
    const what = `${count.toLocaleString("en")} domains of ${MAILBOXES} mailboxes, random domains`;
    return [
      {
        id: "domains.rate",
        what: `${what}: checks a second`,
        ...spreadOf(rates),
        unit: "/s",
        detail: { domains: count, mailboxes: count * MAILBOXES },
      },
      {
        id: "domains.kv-reads",
        what: `${what}: KV reads a check`,
        value: total(reads) / checks,
        unit: "count",
        detail: { ...figures("reads", reads), checks },
      },
      {
        id: "domains.isolate-bytes",
        what: `${what}: held by the isolate`,
        value: heap + buffers,
        unit: "bytes",
        detail: { "heap bytes": heap, "buffer bytes": buffers },
      },
    ];
  },
};

/** @returns a token for checks */
async function publishAll(world: World, count: number, tell: (line: string) => void): Promise<string> {
  await using edge = await world.serve();
  tell(`publishing ${count} domains`);
  const names = Array.from({ length: MAILBOXES }, (_, i) => `${KNOWN}${i}`);
  const all = Array.from({ length: count }, (_, i) => `d${i}.example`);
  await publishMany(world, edge, all, names, PARTITIONS, tell);
  tell("waiting for KV");
  await world.untilCopied(edge);
  return await world.checkToken(edge);
}
