import type { RegistryError, Result } from "../api/log.ts";
import { DirectoryError, type Mac, openRoster, rosterKey } from "../directory/index.ts";
import type { KvStore } from "../runtime/ports.ts";
import { within } from "../runtime/timeout.ts";
import { record } from "./commit.ts";
import type { RegistryPorts as Ports, RegistryStorage } from "./ports.ts";
import type { Place, Revocation } from "./protocol.ts";
import { getMeta, setAlarmBy, setMeta } from "./schema.ts";
import { beginWith } from "./tokens.ts";

/** The first partition answers within this, or it is not waited for. */
const PATIENCE = 10_000;

/** Asks the first partition, of so many, for every revocation. */
export type AskRevocations = (partitions: number) => Promise<Result<readonly Revocation[]>>;

/** What beginning needs. */
export interface BeginContext {
  readonly storage: RegistryStorage;
  readonly kv: KvStore;
  readonly ports: Ports;
  readonly rosterMac: Mac;
  readonly place: Place;
  readonly revocations: AskRevocations;
}

/** What speaks against answering from this Registry: it was never made, or made for another place. */
export function placeFault(storage: RegistryStorage, place: Place): RegistryError | null {
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
    message: `Registry was made as ${partition} of ${partitions} and asked for as ${place.partition} of ${place.partitions}; ROLLCALL_PARTITIONS must not change`,
  };
}

/**
 * Makes a Registry what it is, unless that was done before. Where KV holds the roster of another one, it is not: an
 * empty Registry in front of a full KV would call every domain not served. Nor where the first partition does not say
 * which tokens are revoked: they would be good in this one for ever.
 *
 * @returns what speaks against it, or null
 */
export async function begin(context: BeginContext, by: string): Promise<RegistryError | null> {
  const { storage, kv, ports, rosterMac, place } = context;
  if (getMeta(storage, "incarnation") !== undefined) return null;
  const stranger = await strangersRoster(kv, rosterMac, place);
  if (stranger !== null) return { code: "conflict", message: stranger };
  const revoked = await revocationsFor(context, place);
  if (!revoked.ok) return revoked.error;
  storage.transaction(() => {
    // Somebody else may have begun it during the wait.
    if (getMeta(storage, "incarnation") !== undefined) return;
    const time = ports.clock.now();
    beginWith(storage, revoked.value, time);
    setMeta(storage, "revocations_taken", time);
    setMeta(storage, "incarnation", time);
    setMeta(storage, "partition", place.partition);
    setMeta(storage, "partitions", place.partitions);
    setMeta(storage, "number", 0);
    record(storage, time, "initialise", by, `registry ${place.partition} of ${place.partitions}`, null);
    setAlarmBy(storage, time, time);
  });
  return null;
}

/** Every revocation that the first partition records; none for itself, and before it has begun. */
export async function revocationsFor(
  { ports, revocations }: Pick<BeginContext, "ports" | "revocations">,
  { partition, partitions }: Place,
): Promise<Result<readonly Revocation[]>> {
  if (partition === 0) return { ok: true, value: [] };
  let why: string;
  try {
    const result = await within(ports.timers, PATIENCE, () => revocations(partitions));
    if (result.ok) return result;
    if (result.error.code === "uninitialised") return { ok: true, value: [] };
    why = result.error.message;
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  const message = `Registry ${partition} needs the revoked tokens from Registry 0, which does not tell them: ${why}; try again`;
  return { ok: false, error: { code: "unavailable", message } };
}

async function strangersRoster(kv: KvStore, rosters: Mac, place: Place): Promise<string | null> {
  const own = rosterKey(String(place.partition));
  const first = rosterKey("0");
  const texts = await kv.getTexts([...new Set([own, first])], 60);
  if (texts.get(own)) return another(own);
  const text = texts.get(first);
  if (!text) return null;
  try {
    const { partitions } = openRoster(text, "0", rosters);
    if (partitions === place.partitions) return null;
    return `this deployment was made with ${partitions} partitions and ROLLCALL_PARTITIONS says ${place.partitions}; it must not change`;
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
    return another(first);
  }
}

const another = (key: string): string =>
  `KV holds the roster of another Registry (key ${key}), and this one is new: use the KV namespace that belongs to it, or delete that key to begin anew`;
