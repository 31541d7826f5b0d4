/** What arrives at isolates, told to the judge of budgets: by keys and bytes here, by names there. */

import type { Question, QuestionAnswer, Result } from "../../src/api/index.ts";
import { blobIds, blobKey, readManifest } from "../../src/directory/index.ts";
import type { RegistryApi } from "../../src/registry/protocol.ts";
import { manifestOf } from "../basics/keys.ts";
import { getOrMake } from "../basics/maps.ts";
import type { BudgetJudge, Shown } from "../model/budget-judge.ts";
import type { SimulatedIsolate } from "../world/isolate.ts";

const BLOB = "shard/";

/** A read of KV came back. */
export function noteRead(
  budgets: BudgetJudge,
  host: SimulatedIsolate,
  key: string,
  value: Uint8Array | null,
): void {
  const domain = manifestOf(key);
  if (domain !== null) {
    budgets.manifestAsked(host, domain);
    if (value !== null) budgets.manifestArrived(host, shownBy(value, domain));
  } else if (key.startsWith(BLOB) && value !== null && !host.readsForPublisher(key))
    budgets.blobArrived(host, key.slice(BLOB.length, key.indexOf("/", BLOB.length)), key);
}

/** A Registry answered. */
export function noteAnswer(
  budgets: BudgetJudge,
  host: SimulatedIsolate,
  method: keyof RegistryApi,
  args: readonly unknown[],
  result: unknown,
): void {
  if (!(result as Result<unknown>).ok) return;
  const { value } = result as { readonly value: unknown };
  if (method === "blob") {
    const [domain, id] = args as [string, string];
    const key = blobKey(domain, id);
    if (value !== null && !host.readsForPublisher(key)) budgets.blobArrived(host, domain, key);
    return;
  }
  const { want } = args[0] as Question;
  if (method !== "question" || want === null) return;
  budgets.manifestAsked(host, want);
  const manifest = (value as QuestionAnswer).wanted?.manifest;
  if (manifest) budgets.manifestArrived(host, shownBy(manifest, want));
}

/** What KV shows is shown to many. */
const shown = new WeakMap<Uint8Array, Shown>();

const shownBy = (bytes: Uint8Array, domain: string): Shown =>
  getOrMake(shown, bytes, () => {
    const { incarnation, generation, shards, departures } = readManifest(bytes, domain);
    const ids = [...blobIds(shards), ...blobIds(departures)];
    return { domain, incarnation, generation, blobs: new Set(ids.map((id) => blobKey(domain, id))) };
  });
