/** What goes on behind the answers: half-way through the window one request asks the Registry anew. */

import { loadExports } from "./exports.ts";
import { loadManifest } from "./fetch.ts";
import { type Isolate, KV_ROSTER_AGE } from "./isolate.ts";
import { refresh, refreshName } from "./log-client.ts";
import { numberOf } from "./manifest-order.ts";
import type { Scope } from "./scope.ts";

/** Manifests that a refresh brings up to date beforehand. */
const RELOADS = 16;

/** Whether somebody asks a Registry at this moment, or did so in vain a moment ago. */
function isRefreshing(isolate: Isolate, scope: Scope, partition: number): boolean {
  const name = refreshName(partition);
  return scope.underWay.has(name) || isolate.hasLease(name) || isolate.hasJustFailed(name);
}

/** Has the Registry asked after the answer was sent, once a request, unless somebody does already. */
export function refreshBehind(isolate: Isolate, scope: Scope, partition: number): void {
  const name = `behind ${refreshName(partition)}`;
  if (scope.underWay.has(name) || isRefreshing(isolate, scope, partition)) return;
  const work = refreshInBackground(isolate, scope, partition);
  scope.underWay.set(name, work);
  scope.background(work);
}

/** Refreshes, and brings exports and manifests in use up to date. */
async function refreshInBackground(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  // The answer goes first.
  await isolate.ports.timers.sleep(0);
  if (isRefreshing(isolate, scope, partition)) return;
  await refresh(isolate, scope, partition);
  // By the next time it would be too old, and a check would have to wait for it.
  if (isolate.exportsAge(isolate.now()) >= KV_ROSTER_AGE - isolate.settings.window / 2)
    await loadExports(isolate, scope);
  const confirmation = isolate.confirmation(partition);
  for (const { manifest } of isolate.memory.recent(RELOADS)) {
    const known = confirmation.known(manifest.domain);
    if (isolate.partitionOf(manifest.domain) !== partition || known === undefined) continue;
    const { incarnation } = confirmation;
    if (numberOf(manifest, incarnation, known) >= known) continue;
    await loadManifest(isolate, scope, manifest.domain, { incarnation, number: known });
  }
}
