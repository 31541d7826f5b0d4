/** Single checks of one big list beside the bare Worker; shared by the suites `checks` and `resident`. */
import type { Bar, Extent, Measurement } from "../report/measurement.ts";
import { isolateBytes } from "../rig/inspector.ts";
import { DOMAIN } from "../rig/lists.ts";
import { memoryOf } from "../rig/processes.ts";
import { interleave } from "../rig/rounds.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { servePeer } from "../rig/workerd.ts";
import type { Published } from "../rig/world.ts";
import { drive, type Load } from "../rig/wrk.ts";
import { answerOf, NAMES_IN_WORDS, type NameKind, namesOf, touchAllShards, warmUp } from "./loads.ts";

/**
 * Every kind of names, by POST and by GET.
 * @param group first part of the measurements' ids
 */
export async function measureAgainstBare(
  edge: ServedEdge,
  { token, mailboxes }: Published,
  group: string,
  bar: Bar,
  extent: Extent,
  tell: (line: string) => void,
): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  const kinds = namesOf(mailboxes);
  await touchAllShards(edge.origin, token, mailboxes);
  for (const kind of ["hot", "unknown", "known"] satisfies NameKind[]) {
    const sample = await answerOf(edge.origin, token, `${kinds[kind].prefix}12345@${DOMAIN}`);
    const bare = await servePeer("bare.js", { TOKEN: token, ANSWER: sample });
    try {
      for (const method of ["POST", "GET"] as const) {
        const load: Load = { token, method, ...kinds[kind] };
        const what = `${method}, ${NAMES_IN_WORDS[kind]}, ${mailboxes / 1e6} M mailboxes, against bare`;
        tell(what);
        const rate = async (origin: string): Promise<number> =>
          (await drive(origin, load, extent.seconds)).rate;
        if (method === "POST") await warmUp(bare.origin, load, extent);
        await warmUp(edge.origin, load, extent);
        const compared = await interleave(
          extent.rounds,
          () => rate(bare.origin),
          () => rate(edge.origin),
        );
        measured.push({
          id: `${group}.${method.toLowerCase()}.${kind}`,
          what,
          value: compared.ratio.median,
          unit: "x",
          lowest: compared.ratio.lowest,
          highest: compared.ratio.highest,
          bar,
          detail: {
            "checks a second": compared.ours.median,
            "bare a second": compared.theirs.median,
            mailboxes,
          },
        });
      }
    } finally {
      await bare.stop();
    }
  }
  return measured;
}

/**
 * What an isolate holds once every shard was asked for.
 * @param group first part of the measurement's id
 */
export async function measureResident(published: Published, group: string): Promise<Measurement> {
  const { world, token, mailboxes } = published;
  const edge = await world.serve({ isInspected: true });
  try {
    const before = await lookInto(edge);
    await world.kv.reset();
    await touchAllShards(edge.origin, token, mailboxes);
    const after = await lookInto(edge);
    const { keys, reads } = await world.kv.counts();
    if (reads.shard !== keys.shard) {
      throw new Error(
        `${reads.shard} of ${keys.shard} shards were read: not all are resident, or some came twice`,
      );
    }
    return {
      id: `${group}.isolate-bytes`,
      what: `held by the isolate, all shards of ${mailboxes / 1e6} M mailboxes resident`,
      value: after.heap + after.buffers,
      unit: "bytes",
      bar: { kind: "at most", value: 64 * 1024 * 1024 },
      detail: {
        "heap bytes": after.heap,
        "buffer bytes": after.buffers,
        "heap bytes before": before.heap,
        "growth of the process": after.resident - before.resident,
        mailboxes,
        shards: keys.shard ?? 0,
      },
    };
  } finally {
    await edge.stop();
  }
}

async function lookInto(edge: ServedEdge): Promise<{ heap: number; buffers: number; resident: number }> {
  const bytes = await isolateBytes(edge);
  return { ...bytes, resident: memoryOf(edge.pid, "VmRSS") ?? 0 };
}
