/** Rosters as KV shows them: who is served by a Registry's word, and who by offline exports. */
import { KV_ROSTER, openRoster, type Roster, rosterKey } from "../directory/index.ts";
import { messageOf } from "./faults.ts";
import type { Isolate } from "./isolate.ts";
import { BudgetSpent, type Scope } from "./scope.ts";
import { KV_PATIENCE, once, SHORT_TTL, withPatience } from "./single-flight.ts";

/** Name under which the reading of KV's own roster is known, and its failure remembered. */
export const EXPORTS = "exports";

/**
 * Reads one roster; null where KV has none.
 * @throws where it cannot be read or is damaged: then nothing is known, which is another thing than that nobody is
 *   served
 */
export async function readRoster(isolate: Isolate, scope: Scope, key: string): Promise<Roster | null> {
  const name = rosterKey(key);
  const read = () => scope.kv.getTexts([name], SHORT_TTL);
  let text: string | null;
  try {
    text = (await withPatience(isolate, read, KV_PATIENCE)).get(name) ?? null;
  } catch (error) {
    if (!(error instanceof BudgetSpent)) isolate.faults.note("kv_unreadable", null, messageOf(error));
    throw error;
  }
  try {
    return text === null ? null : openRoster(text, key, isolate.rosters);
  } catch (error) {
    isolate.faults.noteUnopened(error, "damaged_roster", null);
    throw error;
  }
}

/** Reads anew which domains stand in KV by export, unless somebody does already. */
export function loadExports(isolate: Isolate, scope: Scope): Promise<void> {
  const { readAt } = isolate.kvRoster;
  return once(isolate, scope, {
    name: EXPORTS,
    isSettled: () => isolate.kvRoster.readAt > readAt,
    run: async () => {
      const now = isolate.now();
      isolate.takeKvRoster(await readRoster(isolate, scope, KV_ROSTER), now);
    },
  });
}
