import { rosterMac } from "../directory/index.ts";
import type { KvStore } from "../runtime/ports.ts";
import { copyToKv } from "./copy-to-kv.ts";
import { prune } from "./history.ts";
import { type AskRevocations, updateRevocations } from "./initialise.ts";
import { kvBudget } from "./kv-budget.ts";
import { HEARTBEAT, scheduleCopy } from "./kv-pauses.ts";
import { getMeta, setAlarmBy, setMeta } from "./meta.ts";
import type { RegistryPorts, RegistrySettings, RegistryStorage } from "./ports.ts";
import { Records } from "./records.ts";
import { schemaFault } from "./schema.ts";
import { fillSummaries } from "./summaries.ts";

/** Pause between two runs of pruning, if one was not enough. */
const PRUNING_PAUSE = 1_000;
/** Pause after which a Registry whose data is too new looks again: a newer release may run it by then. */
const TOO_NEW_PAUSE = 60_000;
/** Pause after which a paused Registry looks again whether it may copy. */
const PAUSED_PAUSE = 10_000;

/** What the alarm works with. */
export interface AlarmContext {
  readonly storage: RegistryStorage;
  readonly kv: KvStore;
  readonly ports: RegistryPorts;
  readonly settings: RegistrySettings;
  readonly revocations: AskRevocations;
}

/** Prunes, copies to KV, and sets the next alarm, even if any of it fails. */
export async function runAlarm({ storage, kv, ports, settings, revocations }: AlarmContext): Promise<void> {
  const { clock, timers, hashing } = ports;
  if (schemaFault(storage) !== null) {
    storage.setAlarm(clock.now() + TOO_NEW_PAUSE);
    return;
  }
  if (getMeta(storage, "incarnation") === undefined) return;
  setMeta(storage, "alarm", 0);
  if (settings.paused) {
    // Its storage may have been restored: KV's roster then shows what it lost, and must not be replaced.
    setAlarmBy(storage, clock.now() + PAUSED_PAUSE, clock.now());
    return;
  }
  // A revocation made while this partition could not be reached arrives within an hour.
  if (clock.now() - (getMeta(storage, "revocations_taken") ?? 0) >= HEARTBEAT) {
    await updateRevocations({ storage, clock, timers, revocations }, "registry");
  }
  let isMore = false;
  try {
    isMore = storage.transaction(() => prune(storage, clock.now(), settings.history));
    isMore = storage.transaction(() => fillSummaries(storage)) || isMore;
  } catch {
    // The next alarm tries again; copying must not wait for it.
  }
  try {
    const mac = rosterMac(hashing, settings.masterKey);
    const kvWrites = kvBudget(settings.kvWrites, getMeta(storage, "partitions") ?? 1);
    await copyToKv({ storage, records: new Records(storage), kv, kvWrites, clock, timers, rosterMac: mac });
  } finally {
    const now = clock.now();
    scheduleCopy(storage, now);
    if (isMore) setAlarmBy(storage, now + PRUNING_PAUSE, now);
  }
}
