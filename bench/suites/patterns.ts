/** What patterns add to a miss: the same list with and without them, in one isolate. */
import { appendFileSync } from "node:fs";
import { atMost, type Suite } from "../report/measurement.ts";
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
    const costIn = (domain: string) => async (): Promise<number> => {
      const load: Load = {
        ...{ token, domain, method: "POST", prefix: CUT, names: UNKNOWN_NAMES },
        ...{ batch: BATCH, connections: CONNECTIONS },
        expects: [`"recipient":"${CUT}`, '"verdict":"unknown","action":"reject"'],
      };
      const before = cpuOf(edge.pid);
      const { requests } = await drive(edge.origin, load, extent.seconds);
      return (cpuOf(edge.pid) - before) * (1000 / (requests * BATCH));
    };
    const [plain, cut] = [costIn(PLAIN), costIn(DOMAIN)];
    tell("unknown names that are cut eight times, with and without patterns in turns");
    // Until V8 has compiled both.
    for (const each of [plain, cut]) await each();
    const turns = await inTurns(extent.rounds, plain, [cut]);
    const costs = turns.ours[0] as number[];
    return [
      {
        id: "patterns.miss",
        what: "CPU that patterns add to an unknown name that is cut eight times",
        ...spreadOf(costs.map((cost, i) => cost - (turns.theirs[i] as number))),
        unit: "µs",
        bar: atMost(12),
        detail: {
          "µs a check with patterns": median(costs),
          "µs a check without": median(turns.theirs),
          mailboxes: MAILBOXES,
          patterns: PATTERNS,
        },
      },
    ];
  },
};
