import {
  type DomainKey,
  type DomainPolicy,
  KV_ROSTER,
  manifestKey,
  rosterKey,
} from "../../src/directory/index.ts";
import type { Settings } from "../../src/edge/environment.ts";
import { exportOf, exportRoster } from "../../testing/exports.ts";
import type { FakeKv } from "../../testing/kv.ts";
import { pack } from "../../testing/lists.ts";
import type { Random } from "../../testing/random.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import { getOrMake } from "../basics/maps.ts";
import type { ModelDirectory } from "../model/directory.ts";
import type { Content } from "../model/generation.ts";
import { History } from "../model/history.ts";

/** What an export needs of its world. */
export interface ExportParts {
  readonly kv: FakeKv;
  readonly model: ModelDirectory;
  readonly time: VirtualTime;
  readonly settings: Pick<Settings, "masterKey">;
  keyFor(domain: string, epoch: number): DomainKey;
  trace(words: () => string): void;
}

/** Puts a domain into KV without the Registry: shards, manifest, roster, as the bulk file has them. */
export function putExport(parts: ExportParts, domain: string, random: Random, policy: DomainPolicy): void {
  const { kv, model, time } = parts;
  const history = getOrMake(model.exports, domain, () => new History(domain));
  const names = Array.from({ length: 14 }, (_, i) => `u${i}`).filter(() => random.chance(0.7));
  const content: Content = {
    list: new Map(["u0", ...names].map((name) => [name, "active" as const])),
    patterns: new Map(),
    policy,
    mode: "enforce",
    epoch: 1,
  };
  const key = parts.keyFor(domain, 1);
  const packed = pack([...content.list], key, policy, { bits: random.pick([0, 1]) });
  // As the real export counts: the first number is the clock's, so that no asker has seen higher ones.
  const generation = (history.head?.number ?? lastBefore(history, time.now())) + 1;
  // If KV has a head of the Registry, the exporting command refuses.
  if (model.history(domain).head !== undefined) return;
  for (const [name, value] of exportOf(key, packed, { generation, time: time.now(), policy }))
    kv.bulkPut(name, value);
  history.succeed(generation, content, time.now());
  putRoster(parts);
  parts.trace(() => `${domain} is exported to KV as generation ${generation}: ${content.list.size} names`);
}

/** Takes an export back: its entry leaves the roster. Its manifest is deleted too, or is left to lie in KV. */
export function takeBackExport(parts: ExportParts, domain: string, deletes: boolean): void {
  const { kv, model, time } = parts;
  const history = model.exports.get(domain);
  // If the Registry has a head, the manifest in KV is its copy.
  if (history?.head === undefined || model.history(domain).head !== undefined) return;
  history.lose(time.now());
  putRoster(parts);
  if (deletes) kv.bulkPut(manifestKey(domain), null);
  parts.trace(() => `the export of ${domain} is taken back, its manifest is ${deletes ? "deleted" : "left"}`);
}

/** The number before the first one of an export, or of one that starts again. */
const lastBefore = (history: History, now: number): number =>
  Math.max(history.generations.at(-1)?.number ?? 0, Math.floor(now / 1000) - 1);

/** A bulk file holds all that is exported; if nothing is left, the operator deletes the roster. */
function putRoster({ kv, model, time, settings }: ExportParts): void {
  const exported = [...model.exports.values()].flatMap(({ domain, head }) =>
    head === undefined ? [] : [[domain, head.number] as const],
  );
  const value =
    exported.length === 0 ? null : exportRoster(settings.masterKey, Object.fromEntries(exported), time.now());
  kv.bulkPut(rosterKey(KV_ROSTER), value);
}
