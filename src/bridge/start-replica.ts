import type { BridgeLog } from "./observability/log.ts";
import type { BridgeMetrics } from "./observability/metrics.ts";
import { ReplicaTelemetry } from "./observability/replica-telemetry.ts";
import type { AbortableTimers } from "./ports.ts";
import { type OpenReplica, openReplica, type ReplicaHost } from "./replica/open-replica.ts";
import type { ReplicaEdge } from "./replica/ports.ts";
import type { BridgeSettings } from "./settings.ts";

/** Settings that a replica reads when it starts. */
export const REPLICA_SETTINGS = ["replica", "domain", "replica_bytes", "accept_grace"] as const;

/** What the bridge gives its replica. */
export interface ReplicaParts {
  readonly host: ReplicaHost;
  /** The edge as it is reached now: a reload replaces the connection. */
  edge(): ReplicaEdge;
  readonly timers: AbortableTimers;
  readonly log: BridgeLog;
  readonly metrics: BridgeMetrics;
  /** A fault of the bridge. */
  failed(error: unknown): void;
}

/**
 * Starts the replica that the settings name.
 * @returns null without one, or if a newer release wrote its folder: then the edge is asked about every recipient
 * @throws FolderError
 */
export async function startReplica(
  settings: BridgeSettings,
  { host, edge, timers, log, metrics, failed }: ReplicaParts,
): Promise<OpenReplica | null> {
  if (settings.replica === null) return null;
  const telemetry = new ReplicaTelemetry(log, metrics.registry, failed);
  const opened = await openReplica({
    folder: settings.replica,
    domains: settings.domain,
    acceptGrace: 1000 * settings.accept_grace,
    cacheBytes: settings.replica_bytes,
    edge: {
      changes: (question) => edge().changes(question),
      manifest: (domain) => edge().manifest(domain),
      blob: (domain, id) => edge().blob(domain, id),
      domainKey: (domain, epoch) => edge().domainKey(domain, epoch),
    },
    host,
    timers,
    observer: telemetry,
  });
  if (opened === null) return null;
  telemetry.watch({ states: () => opened.replica.states(), unwrittenBytes: opened.unwrittenBytes });
  opened.replica.start();
  return opened;
}
