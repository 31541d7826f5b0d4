import { DirectoryError, type Mac, openRoster, rosterKey } from "../../directory/index.ts";
import type { KvStore, RegistryStorage } from "../ports.ts";
import { record } from "./commit.ts";
import type { Place, RegistryError } from "./protocol.ts";
import { getMeta, setAlarmBy, setMeta } from "./schema.ts";

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
 * empty Registry in front of a full KV would call every domain not served.
 *
 * @returns what speaks against it, or null
 */
export async function begin(
  storage: RegistryStorage,
  kv: KvStore,
  rosters: Mac,
  place: Place,
  by: string,
  now: () => number,
): Promise<RegistryError | null> {
  if (getMeta(storage, "incarnation") !== undefined) return null;
  const stranger = await strangersRoster(kv, rosters, place);
  if (stranger !== null) return { code: "conflict", message: stranger };
  storage.transaction(() => {
    // Somebody else may have begun it during the wait.
    if (getMeta(storage, "incarnation") !== undefined) return;
    const time = now();
    setMeta(storage, "incarnation", time);
    setMeta(storage, "partition", place.partition);
    setMeta(storage, "partitions", place.partitions);
    setMeta(storage, "number", 0);
    record(storage, time, "initialise", by, `registry ${place.partition} of ${place.partitions}`, null);
    setAlarmBy(storage, time, time);
  });
  return null;
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
