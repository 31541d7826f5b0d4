import type { AuditList, AuditRecord } from "../../api/index.ts";
import { MAX_WHOLE, ROUTES } from "../../api/index.ts";
import type { AuditFilter, AuditLines, RegistryApi } from "../../registry/index.ts";
import { readFilters, readPaging, TOO_MANY } from "./paging.ts";
import { badRequest, type Handler, registriesOf, unwrap } from "./route.ts";

/** How far a page came in the trail of each partition: the number of its last line, or null before the first. `done`: it ended. */
type Place = number | null | "done";

export const showAudit: Handler<"showAudit"> = async (call) => {
  const registries = registriesOf(call);
  const { after, limit, isWhole } = readPaging(call.request, (text) => readPlaces(text, registries.length));
  const filter: AuditFilter = readFilters(ROUTES.showAudit, call.request);
  let places: readonly Place[] = after ?? registries.map(() => null);
  if (!isWhole) {
    const { lines, places: next } = await pageAfter(registries, places, limit, filter);
    return listOf(lines, next);
  }
  const audit: AuditRecord[] = [];
  while (places.some((place) => place !== "done")) {
    const page = await pageAfter(registries, places, MAX_WHOLE, filter);
    audit.push(...page.lines);
    if (audit.length > MAX_WHOLE) throw badRequest(TOO_MANY);
    ({ places } = page);
  }
  return { audit, next: null };
};

const listOf = (audit: readonly AuditRecord[], places: readonly Place[]): AuditList => ({
  audit: [...audit],
  next: places.every((place) => place === "done") ? null : places.map((place) => place ?? "").join("."),
});

/** Reads what {@link listOf} wrote; null if it is something else. */
function readPlaces(text: string, partitions: number): readonly Place[] | null {
  const parts = text.split(".");
  if (parts.length !== partitions || parts.some((part) => !/^(\d{1,15}|done|)$/.test(part))) return null;
  return parts.map((part) => (part === "done" ? part : part === "" ? null : Number(part)));
}

/** The next lines of all partitions together, the newest first. The order within a partition is that of its trail. */
async function pageAfter(
  registries: readonly RegistryApi[],
  places: readonly Place[],
  limit: number,
  filter: AuditFilter,
): Promise<{ readonly lines: readonly AuditRecord[]; readonly places: readonly Place[] }> {
  const trails = await Promise.all(
    registries.map((registry, i) => trailOf(registry, places[i] as Place, limit, filter)),
  );
  const left = trails.map(({ lines }) => [...lines]);
  const reached = [...places];
  const lines: AuditRecord[] = [];
  while (lines.length < limit) {
    const newest = Math.max(...left.map(([line]) => line?.time ?? Number.NEGATIVE_INFINITY));
    const partition = left.findIndex(([line]) => line?.time === newest);
    const next = left[partition]?.shift();
    if (next === undefined) break;
    const { seq, ...line } = next;
    lines.push(line);
    reached[partition] = seq;
  }
  const ends = trails.map(({ next }): Place => next ?? "done");
  return {
    lines,
    places: reached.map((place, i) => (left[i]?.length === 0 ? (ends[i] as Place) : place)),
  };
}

async function trailOf(
  registry: RegistryApi,
  before: Place,
  limit: number,
  filter: AuditFilter,
): Promise<AuditLines> {
  if (before === "done") return { lines: [], next: null };
  return unwrap(await registry.auditPage({ before, limit, filter }));
}
