import { FAILURE_KINDS } from "./sync-domains.ts";
import type { SyncedStatus, SyncStatus } from "./sync-status.ts";

interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  /** Labels and value of each sample; a value of null is left out. */
  samples(
    status: SyncStatus,
  ): readonly (readonly [labels: Readonly<Record<string, string>>, value: number | null])[];
}

const perDomain =
  (value: (domain: SyncedStatus) => number | null): Metric["samples"] =>
  ({ domains }) =>
    Object.entries(domains).map(([domain, status]) => [{ domain }, value(status)]);

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

const METRICS: readonly Metric[] = [
  {
    name: "rollcall_sync_run_timestamp_seconds",
    type: "gauge",
    help: "When the last run ended.",
    samples: ({ ended }) => [[{}, seconds(ended)]],
  },
  {
    name: "rollcall_sync_unconfigured_domains",
    type: "gauge",
    help: "Domains that the edge serves and rollcall.toml does not name.",
    samples: ({ unconfigured }) => [[{}, unconfigured === null ? null : unconfigured.length]],
  },
  {
    name: "rollcall_sync_last_attempt_timestamp_seconds",
    type: "gauge",
    help: "When a publish of the domain was last tried.",
    samples: perDomain(({ last_attempt }) => seconds(last_attempt)),
  },
  {
    name: "rollcall_sync_last_success_timestamp_seconds",
    type: "gauge",
    help: "When the domain's list was last published, or found to be the head; 0 if never. time() minus this is its age.",
    samples: perDomain(({ last_success }) => seconds(last_success) ?? 0),
  },
  {
    name: "rollcall_sync_last_change_timestamp_seconds",
    type: "gauge",
    help: "When sync last changed the domain's list.",
    samples: perDomain(({ last_change }) => seconds(last_change)),
  },
  {
    name: "rollcall_sync_generation",
    type: "gauge",
    help: "Generation of the domain after the last success.",
    samples: perDomain(({ generation }) => generation),
  },
  {
    name: "rollcall_sync_duration_seconds",
    type: "gauge",
    help: "How long the last attempt took.",
    samples: perDomain(({ duration_ms }) => seconds(duration_ms)),
  },
  {
    name: "rollcall_sync_mailboxes",
    type: "gauge",
    help: "Mailboxes by state, after the last success.",
    samples: ({ domains }) =>
      Object.entries(domains).flatMap(([domain, { counts }]) =>
        Object.entries(counts ?? {}).map(([state, count]) => [{ domain, state }, count] as const),
      ),
  },
  {
    name: "rollcall_sync_held_names",
    type: "gauge",
    help: "Names that left and that the brake held at the last success, until a person decides.",
    samples: perDomain(({ held }) => held),
  },
  {
    name: "rollcall_sync_left_out_rows",
    type: "gauge",
    help: "Rows that the sources left out at the last success, since they are no mailbox of a configured domain.",
    samples: perDomain(({ left_out }) => left_out),
  },
  {
    name: "rollcall_sync_failing",
    type: "gauge",
    help: "Attempts that failed since the last success, by the kind of the last failure.",
    samples: ({ domains }) =>
      Object.entries(domains).flatMap(([domain, { failure }]) =>
        FAILURE_KINDS.map(
          (kind) => [{ domain, kind }, failure?.kind === kind ? failure.attempts : 0] as const,
        ),
      ),
  },
  {
    name: "rollcall_sync_failures_total",
    type: "counter",
    help: "Attempts that failed, by kind.",
    samples: ({ domains }) =>
      Object.entries(domains).flatMap(([domain, { failures }]) =>
        FAILURE_KINDS.map((kind) => [{ domain, kind }, failures[kind] ?? 0] as const),
      ),
  },
];

/** A status as a file for the textfile collector of Prometheus's node_exporter. It has no addresses. */
export const syncMetrics = (status: SyncStatus): string =>
  METRICS.map(({ name, type, help, samples }) => {
    const lines = samples(status).flatMap(([labels, value]) => {
      if (value === null) return [];
      const shown = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
      return [`${name}${shown.length === 0 ? "" : `{${shown.join(",")}}`} ${value}\n`];
    });
    return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
  }).join("");
