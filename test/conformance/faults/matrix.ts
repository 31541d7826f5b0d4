/**
 * The fault matrix of one mail server: every fault, in every way that it asks, for recipients that exist and that do not.
 * ROLLCALL_FULL=1 tries all of it; without, a sample.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Rig } from "../../../integrations/rig.ts";
import { Cleanup } from "../../mta/support/cleanup.ts";
import { folder } from "../../mta/support/command.ts";
import { expectWritten, hasPlace, table } from "../../mta/support/written.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { FAULTS } from "./faults.ts";
import { asksBridge, type Line, patienceOf, startLine } from "./line.ts";
import { KIND_TITLES, observe } from "./observe.ts";
import { observeStall, STALLED_HEAD, STALLS } from "./stalled.ts";

const FULL = process.env.ROLLCALL_FULL === "1";
const TRIED = FAULTS.filter(({ isSample }) => FULL || isSample);

/** MiB: what docs/bridge.md promises as the most, and room for a busy machine. */
const MEMORY = 200;

export function faultMatrix(rig: Rig): void {
  const title = `${rig.name} under ${FULL ? "every fault" : "some faults"}`;
  describe.skipIf(rig.missing !== null)(`${title}${rig.missing ? ` (${rig.missing})` : ""}`, () => {
    const cleanup = new Cleanup();
    const lines: Line[] = [];
    const rows: string[][] = [];
    let stalled: Promise<PromiseSettledResult<string[]>[]> = Promise.resolve([]);
    let round = 0;
    let tried = 0;

    beforeAll(async () => {
      const certificates = makeCertificates(folder(cleanup));
      lines.push(...(await Promise.all(rig.ways.map((way) => startLine(rig, way, certificates, cleanup)))));
      if (FULL) stalled = observeStalls(rig, certificates, cleanup);
    }, 120_000);
    afterAll(() => cleanup.run(), 60_000);

    it.each([...TRIED])("$name", { timeout: 90_000 }, async (fault) => {
      const id = String(++round);
      const concerned = lines.filter(({ way }) => fault.at === "edge" || asksBridge(way));
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

    if (!FULL) return;

    it("bridge: hung, or its queue is full", { timeout: 400_000 }, async () => {
      const seen = (await stalled).map((each) => {
        if (each.status === "rejected") throw each.reason;
        return each.value;
      });
      if (hasPlace(rig.name, "stalled"))
        expectWritten(`${rig.name}.md`, "stalled", table(STALLED_HEAD, seen));
    });

    it("docs: the table of faults is what was seen", ({ skip }) => {
      skip(tried < TRIED.length, "not every fault was tried");
      skip(!hasPlace(rig.name, "faults"), `docs/mta/${rig.name}.md has no place for it`);
      const head = ["fault", "way", ...KIND_TITLES, "reply"];
      expectWritten(`${rig.name}.md`, "faults", table(head, rows));
    });
  });
}

/** Some servers wait for minutes, beside everything else. Their lines start one after the other. */
async function observeStalls(
  rig: Rig,
  certificates: Certificates,
  cleanup: Cleanup,
): Promise<PromiseSettledResult<string[]>[]> {
  const seen: Promise<PromiseSettledResult<string[]>>[] = [];
  for (const stall of STALLS) {
    for (const way of stalledWays(rig, stall)) {
      const started = Promise.allSettled([startLine(rig, way, certificates, cleanup)]);
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
function stalledWays(rig: Rig, stall: (typeof STALLS)[number]): Rig["ways"] {
  const ways = rig.ways.filter(asksBridge);
  return stall === "hung"
    ? ways
    : ways.filter((way, i) => ways.findIndex(({ asks }) => asks === way.asks) === i);
}
