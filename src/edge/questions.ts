/** What an isolate asks its Registry, and the rosters that it starts from. */
import { KV_ROSTER, openRoster, type Roster, rosterKey } from "../directory/index.ts";
import type { Isolate } from "./isolate.ts";
import type { QuestionAnswer } from "./registry/protocol.ts";
import { BudgetSpent, type Scope } from "./scope.ts";
import { KV_PATIENCE, once, PAUSE, SHORT_TTL, withPatience } from "./single-flight.ts";

/** Name under which a failure to read KV's own roster is remembered. */
export const EXPORTS = "exports";
/** A Registry that was not heard of for so long may still live: its heartbeat in KV tells. */
const SILENCE = 3_600_000;
/** Offline exports are looked for this often. */
const KV_ROSTER_AGE = 60_000;

/** Asks a Registry what changed, unless somebody does already; settles when there is an answer or none. */
export function refresh(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  const confirmation = isolate.confirmation(partition);
  const folds = confirmation.folds;
  return once(
    isolate,
    scope,
    refreshName(partition),
    () => confirmation.folds > folds,
    async () => {
      await readRosters(isolate, scope, partition);
      await ask(isolate, scope, partition, null);
    },
    () => isolate.noteRefresh(partition),
  );
}

/** Name under which the refresh of a partition is known. */
export const refreshName = (partition: number): string => `refresh ${partition}`;

/** Whether a Registry was asked in vain a moment ago. */
export const hasJustFailedToRefresh = (isolate: Isolate, partition: number): boolean =>
  isolate.hasJustFailed(refreshName(partition));

async function readRosters(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  const confirmation = isolate.confirmation(partition);
  const now = isolate.now();
  const keys = [
    ...(confirmation.position === null || now - confirmation.evidence > SILENCE ? [String(partition)] : []),
    ...(now - isolate.kvRoster.readAt >= KV_ROSTER_AGE ? [KV_ROSTER] : []),
  ];
  if (keys.length === 0) return;
  try {
    const read = () => scope.kv.getTexts(keys.map(rosterKey), SHORT_TTL);
    const texts = await withPatience(isolate, read, KV_PATIENCE);
    for (const key of keys) {
      const text = texts.get(rosterKey(key)) ?? null;
      const roster = text === null ? null : readRoster(isolate, text, key);
      // Of a damaged roster nothing is known, which is another thing than that nobody is served.
      if (roster === "damaged") {
        if (key === KV_ROSTER) isolate.noteFailure(EXPORTS, PAUSE);
        continue;
      }
      if (key === KV_ROSTER) isolate.takeKvRoster(roster, now);
      else if (roster?.partitions === isolate.settings.partitions) confirmation.seed(roster);
    }
  } catch (error) {
    // Without a roster the Registry tells everything at once: dearer, never wrong.
    if (error instanceof BudgetSpent) throw error;
    if (keys.includes(KV_ROSTER)) isolate.noteFailure(EXPORTS, PAUSE);
  }
}

function readRoster(isolate: Isolate, text: string, key: string): Roster | "damaged" {
  try {
    return openRoster(text, key, isolate.rosters);
  } catch {
    return "damaged";
  }
}

/** Asks "what changed since N?", and takes the answer in. The window counts from before the question. */
export async function ask(
  isolate: Isolate,
  scope: Scope,
  partition: number,
  want: string | null,
): Promise<QuestionAnswer> {
  const confirmation = isolate.confirmation(partition);
  const askedAt = isolate.now();
  const result = await scope.registry(partition).question({ since: confirmation.position, want });
  if (!result.ok) throw new Error(result.error.message);
  confirmation.fold(result.value, askedAt);
  return result.value;
}
