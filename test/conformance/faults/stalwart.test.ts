import { stalwart, stalwartAtTheEdge } from "../../../integrations/stalwart/entry.ts";
import { expectWritten, table } from "../../mta/support/written.ts";
import { starterOf } from "./line.ts";
import { faultMatrixOf } from "./matrix.ts";
import { KIND_TITLES } from "./observe.ts";

faultMatrixOf({
  name: "stalwart",
  missing: stalwart.missing,
  starters: [starterOf(stalwart, "http"), starterOf(stalwartAtTheEdge, "edge")],
  asksWithHook: true,
  alsoWrite: (rows) => expectWritten("mta-hooks.md", "faults", receivedTable(rows)),
});

/** What any client of a hook receives, where Stalwart's makes `codes` of it (integrations/stalwart/hook-client.ts). */
function received(codes: string): string {
  if (codes.startsWith("250")) return "accept";
  return codes === "451 4.3.5" ? "no answer" : `reject ${codes}`;
}

/** Faults with the same answers share a row. */
function receivedTable(rows: readonly (readonly string[])[]): string[] {
  const faults = new Map<string, string[]>();
  for (const [fault = "", way = "", ...rest] of rows) {
    const asked = way === stalwart.title ? "bridge" : way === stalwartAtTheEdge.title ? "edge" : "each";
    const key = JSON.stringify([asked, ...rest.slice(0, KIND_TITLES.length).map(received)]);
    faults.set(key, [...(faults.get(key) ?? []), fault]);
  }
  const shared = [...faults].map(([key, names]) => {
    const [asked, ...seen] = JSON.parse(key) as [string, ...string[]];
    return [asked, names.join("; "), ...seen];
  });
  return table(["who is asked", "faults", ...KIND_TITLES], shared);
}
