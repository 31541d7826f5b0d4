import * as v from "valibot";
import { VERSION } from "../../api/index.ts";
import { FAILURE_KINDS, failureText, type SyncedDomain } from "./sync-domains.ts";

/** Unix milliseconds. */
const TIME = v.nullable(v.number());
const COUNT = v.number();

const DOMAIN = v.object({
  last_attempt: TIME,
  /** When the list was last published, or found to be the head. */
  last_success: TIME,
  /** When sync last made a generation. */
  last_change: TIME,
  generation: v.nullable(COUNT),
  counts: v.nullable(v.object({ active: COUNT, disabled: COUNT, full: COUNT, moved: COUNT })),
  /** Names that left and that the brake held at the last success: a person has to decide. */
  held: v.optional(COUNT, 0),
  /** Rows that the sources left out at the last success; null if there was none. */
  left_out: v.optional(v.nullable(COUNT), null),
  duration_ms: COUNT,
  outcome: v.picklist(["published", "unchanged", "failed"]),
  /** The failure that lasts; null after a success. */
  failure: v.nullable(
    v.object({ kind: v.picklist(FAILURE_KINDS), message: v.string(), since: COUNT, attempts: COUNT }),
  ),
  /** Failed attempts so far, by kind. */
  failures: v.record(v.string(), COUNT),
});

const STATUS = v.object({
  sync_status: v.literal(1),
  release: v.string(),
  started: COUNT,
  ended: COUNT,
  /** When `--watch` starts the next run at the latest; null without it. */
  next: TIME,
  /** Domains that the edge serves and rollcall.toml does not name; null if the edge did not say. */
  unconfigured: v.nullable(v.array(v.string())),
  domains: v.record(v.string(), DOMAIN),
});

/** How each domain stands; what `status.json` has. */
export type SyncStatus = v.InferOutput<typeof STATUS>;
export type SyncedStatus = v.InferOutput<typeof DOMAIN>;

/** Reads a status. @returns null for text that is none, also that of a later format */
export function parseSyncStatus(text: string): SyncStatus | null {
  try {
    const result = v.safeParse(STATUS, JSON.parse(text));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}

export interface SyncRun {
  readonly started: number;
  readonly ended: number;
  readonly synced: readonly SyncedDomain[];
  readonly unconfigured: readonly string[] | null;
}

/**
 * The status after a run. Domains that are no longer configured are left out; those that the run did not get to stay.
 * @param configured the domains of rollcall.toml
 */
export function statusAfter(
  before: SyncStatus | null,
  { started, ended, synced, unconfigured }: SyncRun,
  configured: readonly string[],
): SyncStatus {
  const domains: Record<string, SyncedStatus> = {};
  for (const domain of configured) {
    const known =
      before === null || !Object.hasOwn(before.domains, domain) ? undefined : before.domains[domain];
    const now = synced.find((each) => each.domain === domain);
    const next = now === undefined ? known : domainAfter(known, now);
    if (next !== undefined) domains[domain] = next;
  }
  return {
    sync_status: 1,
    release: VERSION,
    started,
    ended,
    next: null,
    unconfigured: unconfigured === null ? null : [...unconfigured],
    domains,
  };
}

function domainAfter(
  known: SyncedStatus | undefined,
  { outcome, started, durationMs }: SyncedDomain,
): SyncedStatus | undefined {
  if (outcome.kind === "stopped") return known;
  const failures = known?.failures ?? Object.fromEntries(FAILURE_KINDS.map((kind) => [kind, 0]));
  const common = { last_attempt: started, duration_ms: Math.round(durationMs), outcome: outcome.kind };
  if (outcome.kind === "failed") {
    const { failure: kind, error } = outcome;
    const earlier = known?.failure ?? null;
    return {
      last_success: known?.last_success ?? null,
      last_change: known?.last_change ?? null,
      generation: known?.generation ?? null,
      counts: known?.counts ?? null,
      held: known?.held ?? 0,
      left_out: known?.left_out ?? null,
      ...common,
      failure: {
        kind,
        message: failureText(error),
        since: earlier?.since ?? started,
        attempts: (earlier?.attempts ?? 0) + 1,
      },
      failures: { ...failures, [kind]: (failures[kind] ?? 0) + 1 },
    };
  }
  return {
    ...common,
    last_success: started,
    last_change: outcome.kind === "published" ? started : (known?.last_change ?? null),
    generation: outcome.generation,
    counts: outcome.counts,
    held: outcome.held,
    left_out: outcome.leftOut,
    failure: null,
    failures,
  };
}
