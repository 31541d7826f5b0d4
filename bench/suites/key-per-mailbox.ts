import type { Measurement, Suite } from "../report/measurement.ts";
import { Kv } from "../rig/kv.ts";
import { DOMAIN } from "../rig/lists.ts";
import { interleave } from "../rig/rounds.ts";
import { servePeerWithKv } from "../rig/workerd.ts";
import { publishedWorld } from "../rig/world.ts";
import { drive, lacksWrk } from "../rig/wrk.ts";
import { MILLION } from "./checks.ts";
import { NAMES_IN_WORDS, namesOf, touchAllShards, warmUp } from "./loads.ts";

/** Single checks beside the obvious design: one KV key a mailbox, one KV read a check. */
export const keyPerMailbox: Suite = {
  name: "key-per-mailbox",
  lacks: lacksWrk,
  async run(extent, tell) {
    const { world, token } = await publishedWorld(MILLION, tell);
    const peer = await servePeerWithKv("key-per-mailbox.js", { TOKEN: token });
    await new Kv(peer.kv).fill(MILLION, DOMAIN);
    const edge = await world.serve();
    try {
      await touchAllShards(edge.origin, token, MILLION);
      const measured: Measurement[] = [];
      for (const kind of ["known", "unknown"] as const) {
        const load = { token, method: "POST", ...namesOf(MILLION)[kind] } as const;
        const what = `POST, ${NAMES_IN_WORDS[kind]}, against a KV key a mailbox`;
        tell(what);
        const rate = async (origin: string): Promise<number> =>
          (await drive(origin, load, extent.seconds)).rate;
        for (const { origin } of [peer, edge]) await warmUp(origin, load, extent);
        const compared = await interleave(
          extent.rounds,
          () => rate(peer.origin),
          () => rate(edge.origin),
        );
        measured.push({
          id: `key-per-mailbox.post.${kind}`,
          what,
          value: compared.ratio.median,
          unit: "x",
          lowest: compared.ratio.lowest,
          highest: compared.ratio.highest,
          bar: { kind: "at least", value: 1.7 },
          detail: {
            "checks a second": compared.ours.median,
            "peer's checks a second": compared.theirs.median,
            mailboxes: MILLION,
          },
        });
      }
      return measured;
    } finally {
      await edge.stop();
      await peer.stop();
    }
  },
};
