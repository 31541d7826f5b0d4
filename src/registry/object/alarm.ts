import { deriveDomainKey, rosterMac } from "../../directory/index.ts";
import type { KvStore } from "../../runtime/ports.ts";
import { type DamageContext, noteDamage } from "../generations/damages.ts";
import { Records } from "../generations/records.ts";
import { noteLostHeads, verifyAndNote } from "../generations/verify-heads.ts";
import { copyToKv } from "../kv/copy-to-kv.ts";
import { kvBudget } from "../kv/kv-budget.ts";
import { HEARTBEAT, scheduleCopy } from "../kv/kv-pauses.ts";
import type { RegistryPorts, RegistrySettings } from "../ports.ts";
import { getMeta, setAlarmBy, setMeta } from "../storage/meta.ts";
import { schemaFault } from "../storage/schema.ts";
import { type AskRevocations, updateRevocations } from "./initialise.ts";
import { prune } from "./prune.ts";

/** Pause between two runs of pruning, if one was not enough. */
const PRUNING_PAUSE = 1_000;
/** Pause after which a Registry whose data is too new looks again: a newer release may run it by then. */
const TOO_NEW_PAUSE = 60_000;
/** Pause after which a paused Registry looks again whether it may copy. */
const PAUSED_PAUSE = 10_000;

/** All heads are verified once a day. */
const VERIFY_EVERY = 86_400_000;
/** Pause between two runs that verify heads, and steps of one run, between which questions get their turn. */
const VERIFY_PAUSE = 60_000;
const VERIFY_STEPS = 10;

/** What the alarm works with. */
export interface AlarmContext extends DamageContext {
  readonly kv: KvStore;
  readonly ports: RegistryPorts;
  readonly settings: RegistrySettings;
  readonly revocations: AskRevocations;
}

/** Prunes, copies to KV, and sets the next alarm, even if any of it fails. */
export async function runAlarm(context: AlarmContext): Promise<void> {
  const { storage, kv, ports, settings, revocations } = context;
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
  const { masterKey } = settings;
  const keyFor = (domain: string, epoch: number) => deriveDomainKey(hashing, masterKey, domain, epoch);
  const records = new Records(storage, { hashing, keyFor });
  let isMore = false;
  try {
    isMore = storage.transaction(() => prune(storage, records, clock.now(), settings.history));
  } catch {
    // The next alarm tries again; copying must not wait for it.
  }
  try {
    const mac = rosterMac(hashing, masterKey);
    const kvWrites = kvBudget(settings.kvWrites, getMeta(storage, "partitions") ?? 1);
    await copyToKv({
      ...{ storage, records, kv, kvWrites, clock, timers, rosterMac: mac },
      noteDamage: (damage) => noteDamage(context, damage),
      noteLostHeads: () => noteLostHeads(context),
    });
    if (await verifySome(context, records)) setAlarmBy(storage, clock.now() + VERIFY_PAUSE, clock.now());
  } finally {
    const now = clock.now();
    scheduleCopy(storage, now);
    if (isMore) setAlarmBy(storage, now + PRUNING_PAUSE, now);
  }
}

/** Verifies some heads, if a day has passed since all of them were. @returns whether there are more */
async function verifySome(context: AlarmContext, records: Records): Promise<boolean> {
  const { storage, ports } = context;
  const now = ports.clock.now();
  let from = getMeta(storage, "verifying") || null;
  if (from === null && now - (getMeta(storage, "verified") ?? 0) < VERIFY_EVERY) return false;
  for (let step = 0; step < VERIFY_STEPS; step++) {
    if (step > 0) await ports.timers.sleep(0);
    from = verifyAndNote(context, records, from).next;
    setMeta(storage, "verifying", from ?? "");
    if (from !== null) continue;
    setMeta(storage, "verified", now);
    return false;
  }
  return true;
}
