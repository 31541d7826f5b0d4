/** Single checks beside the obvious design: one KV key a mailbox, one KV read a check. */
import { atLeast, type Measurement, type Suite } from "../report/measurement.ts";
import { Kv } from "../rig/kv.ts";
import { DOMAIN, MILLION } from "../rig/lists.ts";
import { servePeerWithKv } from "../rig/workerd.ts";
import { publishedWorld } from "../rig/world.ts";
import { lacksWrk } from "../rig/wrk.ts";
import { compareUnder, NAMES_IN_WORDS, namesOf, touchAllShards } from "./loads.ts";

export const keyPerMailbox: Suite = {
  name: "key-per-mailbox",
  lacks: lacksWrk,
  async run(extent, tell) {
    const { world, token } = await publishedWorld(MILLION, tell);
    await using peer = await servePeerWithKv("key-per-mailbox.js", { TOKEN: token });
    await new Kv(peer.origins[1] as string).fill(MILLION, DOMAIN);
    await using edge = await world.serve();
    await touchAllShards(edge.origin, token, MILLION);
    const measured: Measurement[] = [];
    for (const kind of ["known", "unknown"] as const) {
      const load = { token, method: "POST", ...namesOf(MILLION)[kind] } as const;
      const what = `POST, ${NAMES_IN_WORDS[kind]}, against a KV key a mailbox`;
      tell(what);
      const { ratio, ours, theirs } = await compareUnder(load, edge.origin, peer.origin, extent);
      measured.push({
        id: `key-per-mailbox.post.${kind}`,
        what,
        ...ratio,
        unit: "x",
        bar: atLeast(1.7),
        detail: { "checks a second": ours.value, "peer's checks a second": theirs.value, mailboxes: MILLION },
      });
    }
    return measured;
  },
};
