/**
 * The fault matrix of one mail server: every fault, in every way that it asks, for recipients that exist and that do not.
 * ROLLCALL_FULL=1 tries all of it; without, a sample, and through one mail server.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Rig } from "../../../integrations/rig.ts";
import { Cleanup } from "../../mta/support/cleanup.ts";
import { folder } from "../../mta/support/command.ts";
import { expectWritten, table } from "../../mta/support/written.ts";
import { FULL, ifFull } from "../../support/full.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { FAULTS } from "./faults.ts";
import { asksBridge, type Line, patienceOf, type Starter, startersOf, startLine } from "./line.ts";
import { KIND_TITLES, observe } from "./observe.ts";
import { observeStall, STALLED_HEAD, STALLS } from "./stalled.ts";

const TRIED = FAULTS.filter(({ isSample }) => FULL || isSample);

/** MiB: what docs/bridge.md promises as the most, and room for a busy machine. */
const MEMORY = 200;

export const faultMatrix = (rig: Rig): void => faultMatrixOf({ ...rig, starters: startersOf(rig) });

/** A front end with a page in docs/mta, and the ways that it asks in. */
interface Subject extends Pick<Rig, "name" | "missing"> {
  readonly starters: readonly Starter[];
  /** Whether the ways that ask the edge do so with an MTA hook. */
  readonly asksWithHook?: boolean;
  /** Writes what was seen to another page, too. @param rows of the table: fault, ways, codes of each kind, time */
  readonly alsoWrite?: (rows: readonly (readonly string[])[]) => void;
}

export function faultMatrixOf(rig: Subject): void {
  const faults = `${rig.name} under ${FULL ? "every fault" : "some faults"}`;
  const title = `${faults}${rig.missing ? ` (${rig.missing})` : ""}`;
  const isTried = FULL || rig.name === "postfix";
  describe.skipIf(rig.missing !== null || !isTried)(isTried ? title : ifFull(title), () => {
    const cleanup = new Cleanup();
    const lines: Line[] = [];
    const rows: string[][] = [];
    let stalled: Promise<PromiseSettledResult<string[]>[]> = Promise.resolve([]);
    let round = 0;
    let tried = 0;

    beforeAll(async () => {
      const certificates = makeCertificates(folder(cleanup));
      lines.push(
        ...(await Promise.all(rig.starters.map((starter) => startLine(starter, certificates, cleanup)))),
      );
      if (FULL) stalled = observeStalls(rig, certificates, cleanup);
    });
    afterAll(() => cleanup.run());

    it.each([...TRIED])("$name", async (fault) => {
      const id = String(++round);
      const exists = !(rig.asksWithHook && fault.inAnswersOnly);
      const concerned = lines.filter(({ way }) => asksBridge(way) || (fault.at === "edge" && exists));
      const seen = await Promise.all(concerned.map((line) => observe(line, fault, id)));
      for (const { bridge } of concerned) expect(bridge.memory(), fault.name).toBeLessThan(MEMORY);
      // Ways that say the same share a row.
      const byCodes = new Map<string, Line[]>();
      for (const [i, codes] of seen.entries()) {
        const key = [...codes, timeOf(concerned[i] as Line, fault)].join("|");
        byCodes.set(key, [...(byCodes.get(key) ?? []), concerned[i] as Line]);
      }
      for (const [key, same] of byCodes) {
        const who = same.length === lines.length ? "each" : same.map(({ way }) => way.title).join(", ");
        rows.push([fault.name, who, ...key.split("|")]);
      }
      tried++;
    });

    it.runIf(FULL)(ifFull("bridge: hung, or its queue is full"), { timeout: 400_000 }, async () => {
      const seen = (await stalled).map((each) => {
        if (each.status === "rejected") throw each.reason;
        return each.value;
      });
      expectWritten(`${rig.name}.md`, "stalled", table(STALLED_HEAD, seen));
    });

    it.runIf(FULL)(ifFull("docs: the table of faults is what was seen"), ({ skip }) => {
      skip(tried < TRIED.length, "not every fault was tried");
      const head = ["fault", "way", ...KIND_TITLES, "reply"];
      expectWritten(`${rig.name}.md`, "faults", table(head, rows));
      rig.alsoWrite?.(rows);
    });
  });
}

/** Some servers wait for minutes, beside everything else. Their lines start one after the other. */
async function observeStalls(
  rig: Subject,
  certificates: Certificates,
  cleanup: Cleanup,
): Promise<PromiseSettledResult<string[]>[]> {
  const seen: Promise<PromiseSettledResult<string[]>>[] = [];
  for (const stall of STALLS) {
    for (const starter of stalledWays(rig, stall)) {
      const started = Promise.allSettled([startLine(starter, certificates, cleanup)]);
      const [line] = await started;
      const row =
        line.status === "fulfilled" ? observeStall(line.value, stall) : Promise.reject<string[]>(line.reason);
      seen.push(Promise.allSettled([row]).then(([settled]) => settled));
    }
  }
  return Promise.all(seen);
}

const timeOf = ({ way }: Line, { kind, takesTime }: (typeof FAULTS)[number]): string => {
  const seconds = patienceOf(way, kind)?.seconds;
  if (seconds !== undefined) return `within ${seconds} s`;
  return takesTime ? "within 5 s" : "at once";
};

/** Ways that the bridge's stalls concern. Filling a queue takes thousands of connections: one way for each listener. */
function stalledWays({ starters }: Subject, stall: (typeof STALLS)[number]): Starter[] {
  const concerned = starters.filter(({ way }) => asksBridge(way));
  return stall === "hung"
    ? concerned
    : concerned.filter(({ way }, i) => concerned.findIndex((each) => each.way.asks === way.asks) === i);
}
