/** What patterns add to a miss: the same list with and without them, in one isolate. */
import { appendFileSync } from "node:fs";
import { atMost, type Suite } from "../report/measurement.ts";
import { DOMAIN, UNKNOWN_NAMES } from "../rig/lists.ts";
import { type Compared, interleave } from "../rig/rounds.ts";
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
    const compare = async (batch?: number): Promise<Compared> => {
      const load: Load = {
        ...{ token, method: "POST", prefix: CUT, names: UNKNOWN_NAMES, connections: CONNECTIONS },
        expects: [`"recipient":"${CUT}`, '"verdict":"unknown","action":"reject"'],
        ...(batch === undefined ? {} : { batch }),
      };
      const rate = async (domain: string): Promise<number> =>
        (await drive(edge.origin, { ...load, domain }, extent.seconds)).rate;
      // Until V8 has compiled both.
      for (const domain of [PLAIN, DOMAIN]) await rate(domain);
      return interleave(
        extent.rounds,
        () => rate(PLAIN),
        () => rate(DOMAIN),
      );
    };
    tell(`batches of ${BATCH} unknown names, which are cut eight times`);
    const { ours, theirs } = await compare(BATCH);
    const micros = (rate: number): number => 1e6 / (BATCH * rate);
    tell("single checks of them");
    const single = await compare();
    const detail = { mailboxes: MAILBOXES, patterns: PATTERNS };
    return [
      {
        id: "patterns.miss",
        what: "more for an unknown name that is cut eight times, in a list with patterns",
        value: micros(ours.value) - micros(theirs.value),
        unit: "µs",
        bar: atMost(12),
        detail: {
          "µs a check with patterns": micros(ours.value),
          "µs a check without": micros(theirs.value),
          ...detail,
        },
      },
      {
        id: "patterns.single",
        what: "single checks of such names, against a list without patterns",
        ...single.ratio,
        unit: "x",
        detail: { "checks a second": single.ours.value, "without patterns": single.theirs.value, ...detail },
      },
    ];
  },
};
