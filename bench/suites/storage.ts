/** Bytes of all values in KV, a mailbox. */
import { atMost, type Measurement, type Suite } from "../report/measurement.ts";
import { figures, total } from "../rig/kv.ts";
import { MILLION } from "../rig/lists.ts";
import { publishedWorld } from "../rig/world.ts";

export const storage: Suite = {
  name: "storage",
  async run({ isQuick }, tell) {
    const measured: Measurement[] = [];
    for (const millions of isQuick ? [1] : [1, 10]) {
      const { world, mailboxes } = await publishedWorld(millions * MILLION, tell);
      const { bytes, keys } = await world.kv.counts();
      measured.push({
        id: `storage.bytes-per-mailbox.${millions}m`,
        what: `bytes a mailbox in KV, ${mailboxes.toLocaleString("en")} mailboxes`,
        value: total(bytes) / mailboxes,
        unit: "bytes",
        bar: atMost(5.3),
        detail: { ...figures("bytes", bytes), ...figures("keys", keys), mailboxes },
      });
    }
    return measured;
  },
};
