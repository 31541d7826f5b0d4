/** What patterns add to a miss: the same list with and without them, in one isolate. */
import { appendFileSync } from "node:fs";
import { atMost, type Measurement, type Suite } from "../report/measurement.ts";
import { DOMAIN, UNKNOWN_NAMES } from "../rig/lists.ts";
import { cpuOf } from "../rig/processes.ts";
import { inTurns, median, spreadOf } from "../rig/rounds.ts";
import { World } from "../rig/world.ts";
import { drive, type Load, lacksWrk } from "../rig/wrk.ts";
import { BATCH, verdictOf } from "./loads.ts";

const MAILBOXES = 100_000;
/** As many as a list may have. */
const PATTERNS = 2_000;
const PLAIN = "plain.example";
/** With a number behind it: a name on no list, under no pattern, that is cut eight times. */
const CUT = "nobody-a-b-c-d-e-f-g-";
const CONNECTIONS = 4;

export const patterns: Suite = {
  name: "patterns",
  lacks: lacksWrk,
  async run(extent, tell) {
    await using world = await World.make();
    await using edge = await world.serve();
    tell(`publishing ${MAILBOXES} mailboxes twice, once with ${PATTERNS} patterns`);
    await world.publish(edge, world.list(MAILBOXES, PLAIN), PLAIN);
    const list = world.list(MAILBOXES);
    appendFileSync(list, Array.from({ length: PATTERNS }, (_, i) => `ticket${i}-*@${DOMAIN}\n`).join(""));
    await world.publish(edge, list);
    const token = await world.checkToken(edge);
    const covered = await verdictOf(edge.origin, token, `ticket7-1@${DOMAIN}`);
    if (covered !== "deliverable") throw new Error(`a name under a pattern is ${covered}`);
    /** CPU of the edge for one check, µs: the same on a busy machine, unlike a rate. */
    const costOf =
      (domain: string, batch: number): (() => Promise<number>) =>
      async () => {
        const load: Load = {
          ...{ token, domain, method: "POST", prefix: CUT, names: UNKNOWN_NAMES, connections: CONNECTIONS },
          ...(batch === 1 ? {} : { batch }),
          expects: [`"recipient":"${CUT}`, '"verdict":"unknown","action":"reject"'],
        };
        const before = await cpuOf(edge.pid);
        const { requests } = await drive(edge.origin, load, extent.seconds);
        return ((await cpuOf(edge.pid)) - before) * (1000 / (requests * batch));
      };
    const measured: Measurement[] = [];
    for (const batch of [BATCH, 1]) {
      const how = batch === 1 ? "asked by itself" : `in lists of ${batch.toLocaleString("en")}`;
      tell(`unknown names that are cut eight times, ${how}`);
      const [plain, cut] = [costOf(PLAIN, batch), costOf(DOMAIN, batch)];
      // Until V8 has compiled both.
      await plain();
      await cut();
      const turns = await inTurns(extent.rounds, plain, [cut]);
      const ours = turns.ours[0] as number[];
      measured.push({
        id: `patterns.${batch === 1 ? "single" : "batch"}`,
        what: `CPU that patterns add to an unknown name that is cut eight times, ${how}`,
        ...spreadOf(ours.map((cost, i) => cost - (turns.theirs[i] as number))),
        unit: "µs",
        ...(batch === 1 ? {} : { bar: atMost(12) }),
        detail: {
          "µs a check with patterns": median(ours),
          "µs a check without": median(turns.theirs),
          mailboxes: MAILBOXES,
          patterns: PATTERNS,
        },
      });
    }
    return measured;
  },
};
