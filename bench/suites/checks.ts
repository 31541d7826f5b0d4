/** Single checks of one big list beside a Worker that answers a constant, and what an isolate holds. */
import {
  atLeast,
  atMost,
  type Bar,
  type Extent,
  type Measurement,
  type Suite,
  type Tell,
} from "../report/measurement.ts";
import { isolateBytes } from "../rig/inspector.ts";
import { DOMAIN, MILLION } from "../rig/lists.ts";
import { servePeer } from "../rig/workerd.ts";
import { type Published, publishedWorld } from "../rig/world.ts";
import { type Load, lacksWrk } from "../rig/wrk.ts";
import { compareUnder, NAMES_IN_WORDS, type NameKind, namesOf, post, touchAllShards } from "./loads.ts";

/** At a million mailboxes. */
export const checks: Suite = {
  name: "checks",
  lacks: lacksWrk,
  run: async (extent, tell) =>
    againstBare(await publishedWorld(MILLION, tell), "checks", atLeast(0.85, 0.92), extent, tell),
};

/** At ten million mailboxes in one domain, all resident in one isolate; a million if it is quick. */
export const resident: Suite = {
  name: "resident",
  lacks: lacksWrk,
  async run(extent, tell) {
    const published = await publishedWorld(extent.isQuick ? MILLION : 10 * MILLION, tell);
    const held = await heldByIsolate(published);
    // At a million this is what `checks` measures.
    if (extent.isQuick) return [held];
    return [...(await againstBare(published, "resident", atLeast(0.78, 0.88), extent, tell)), held];
  },
};

/** Every kind of names, by POST and by GET. @param group first part of the measurements' ids */
async function againstBare(
  { world, token, mailboxes }: Published,
  group: string,
  bar: Bar,
  extent: Extent,
  tell: Tell,
): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  const kinds = namesOf(mailboxes);
  await using edge = await world.serve();
  await touchAllShards(edge.origin, token, mailboxes);
  for (const kind of Object.keys(kinds) as NameKind[]) {
    const sample = await post(edge.origin, token, { recipient: `${kinds[kind].prefix}12345@${DOMAIN}` });
    await using bare = await servePeer("bare.js", { TOKEN: token, ANSWER: sample });
    for (const method of ["POST", "GET"] as const) {
      const load: Load = { token, method, ...kinds[kind] };
      const what = `${method}, ${NAMES_IN_WORDS[kind]}, ${mailboxes / 1e6} M mailboxes, against bare`;
      tell(what);
      const { ratio, ours, theirs } = await compareUnder(load, edge.origin, bare.origin, extent);
      const rates = { "checks a second": ours.value, "bare a second": theirs.value };
      const id = `${group}.${method.toLowerCase()}.${kind}`;
      measured.push({ id, what, ...ratio, unit: "x", bar, detail: { ...rates, mailboxes } });
    }
  }
  return measured;
}

/** What an isolate holds once every shard was asked for. */
async function heldByIsolate({ world, token, mailboxes }: Published): Promise<Measurement> {
  await using edge = await world.serve({ isInspected: true });
  const before = await isolateBytes(edge);
  await world.kv.reset();
  await touchAllShards(edge.origin, token, mailboxes);
  const { heap, buffers, resident } = await isolateBytes(edge);
  const { keys, reads } = await world.kv.counts();
  if (reads.shard !== keys.shard) {
    throw new Error(
      `${reads.shard} of ${keys.shard} shards were read: some are not resident, or were read twice`,
    );
  }
  return {
    id: "resident.isolate-bytes",
    what: `held by the isolate, all shards of ${mailboxes / 1e6} M mailboxes resident`,
    value: heap + buffers,
    unit: "bytes",
    bar: atMost(64 * 1024 * 1024),
    detail: {
      "heap bytes": heap,
      "buffer bytes": buffers,
      "heap bytes before": before.heap,
      "growth of the process": resident - before.resident,
      mailboxes,
      shards: keys.shard ?? 0,
    },
  };
}
