/** How a Registry begins, and whether it may answer. */
import type { RegistryError, Result } from "../../api/index.ts";
import { DirectoryError, type Mac, openRoster, rosterKey } from "../../directory/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import type { Clock, KvStore, Timers } from "../../runtime/ports.ts";
import { withTimeout } from "../../runtime/timeout.ts";
import { changeAndCopy } from "../kv/kv-pauses.ts";
import { writeAudit } from "../log/audit.ts";
import { recordOlderRevocations, revokeAll } from "../log/tokens.ts";
import type { RegistryStorage } from "../ports.ts";
import type { Place, Revocation } from "../protocol.ts";
import { getMeta, setAlarmBy, setMeta } from "../storage/meta.ts";
import { schemaFault } from "../storage/schema.ts";

/** How long the first partition may take to answer. */
const REVOCATIONS_TIMEOUT = 10_000;

/** Asks the first of so many partitions for every revocation. */
export type AskRevocations = (partitions: number) => Promise<Result<readonly Revocation[]>>;

/** Why this Registry must not answer, or null: its data is too new, or it is not what the caller takes it for. */
export function answerFault(storage: RegistryStorage, place: Place): RegistryError | null {
  const tooNew = schemaFault(storage);
  if (tooNew !== null) return tooNew;
  if (getMeta(storage, "incarnation") === undefined) {
    return {
      code: "uninitialised",
      message: `Registry ${place.partition} was never initialised: publish a list, or POST /v1/registry`,
    };
  }
  const partition = getMeta(storage, "partition");
  const partitions = getMeta(storage, "partitions");
  if (partition === place.partition && partitions === place.partitions) return null;
  return {
    code: "unavailable",
    message: `the Registry was made as partition ${partition} of ${partitions}, and is asked for as ${place.partition} of ${place.partitions}: ROLLCALL_PARTITIONS must not change, so set it back to ${partitions}`,
  };
}

/** What initialising a Registry takes. */
export interface InitialiseContext {
  readonly storage: RegistryStorage;
  readonly kv: KvStore;
  readonly clock: Clock;
  readonly timers: Timers;
  rosterMac(): Mac;
  readonly place: Place;
  readonly revocations: AskRevocations;
}

/**
 * Initialises a Registry, unless that was done before. It refuses if KV holds the roster of another Registry: an
 * empty one in front of a full KV would call every domain not served. It also refuses if the first partition does
 * not say which tokens are revoked: they would stay valid here.
 *
 * @returns why it refuses, or null
 */
export async function initialise(context: InitialiseContext, by: string): Promise<RegistryError | null> {
  const { storage, kv, clock, rosterMac, place } = context;
  const tooNew = schemaFault(storage);
  if (tooNew !== null) return tooNew;
  if (getMeta(storage, "incarnation") !== undefined) return null;
  const foreign = await foreignRoster(kv, rosterMac(), place);
  if (foreign !== null) return { code: "conflict", message: foreign };
  const revoked = await revocationsFor(context, place);
  if (!revoked.ok) return revoked.error;
  storage.transaction(() => {
    // Another call may have initialised it during the wait.
    if (getMeta(storage, "incarnation") !== undefined) return;
    const time = clock.now();
    recordOlderRevocations(storage, revoked.value, time);
    setMeta(storage, "revocations_taken", time);
    setMeta(storage, "incarnation", time);
    setMeta(storage, "partition", place.partition);
    setMeta(storage, "partitions", place.partitions);
    setMeta(storage, "number", 0);
    writeAudit(storage, time, "initialise", by, `registry ${place.partition} of ${place.partitions}`, null);
    setAlarmBy(storage, time, time);
  });
  return null;
}

/** What copying revocations from the first partition takes. */
export type RevocationsContext = Pick<InitialiseContext, "storage" | "clock" | "timers" | "revocations">;

/** Revokes here what the first partition has revoked in the meantime. */
export async function updateRevocations(context: RevocationsContext, by: string): Promise<Result<null>> {
  const { storage, clock } = context;
  const partition = getMeta(storage, "partition") as number;
  const partitions = getMeta(storage, "partitions") as number;
  const revoked = await revocationsFor(context, { partition, partitions });
  if (!revoked.ok) return revoked;
  const now = clock.now();
  changeAndCopy(storage, now, () => {
    revokeAll(storage, revoked.value, by, now);
    setMeta(storage, "revocations_taken", now);
  });
  return { ok: true, value: null };
}

/** Every revocation that the first partition records; none for that partition itself, or before it was initialised. */
async function revocationsFor(
  { timers, revocations }: Pick<InitialiseContext, "timers" | "revocations">,
  { partition, partitions }: Place,
): Promise<Result<readonly Revocation[]>> {
  if (partition === 0) return { ok: true, value: [] };
  let why: string;
  try {
    const result = await withTimeout(timers, REVOCATIONS_TIMEOUT, () => revocations(partitions));
    if (result.ok) return result;
    if (result.error.code === "uninitialised") return { ok: true, value: [] };
    why = result.error.message;
  } catch (error) {
    why = messageOf(error);
  }
  const message = `Registry ${partition} needs the revoked tokens from Registry 0, which does not answer: ${why}; try again`;
  return { ok: false, error: { code: "unavailable", message } };
}

/** What KV holds of another Registry, in words, or null. */
async function foreignRoster(kv: KvStore, mac: Mac, place: Place): Promise<string | null> {
  const own = rosterKey(String(place.partition));
  const first = rosterKey("0");
  const texts = await kv.getTexts([...new Set([own, first])], 60);
  if (texts.get(own)) return ofAnother(own);
  const text = texts.get(first);
  if (!text) return null;
  try {
    const { partitions } = openRoster(text, "0", mac);
    if (partitions === place.partitions) return null;
    return `this deployment was made with ${partitions} partitions, and ROLLCALL_PARTITIONS says ${place.partitions}: it must not change, so set it back to ${partitions}`;
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
    return ofAnother(first);
  }
}

const ofAnother = (key: string): string =>
  `KV holds the roster of another Registry (key ${key}), and this one is new: use the KV namespace that belongs to it, or delete that key to start over`;
