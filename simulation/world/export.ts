import {
  blobKey,
  concatBytes,
  type DomainKey,
  type DomainPolicy,
  encodeManifest,
  encodeRoster,
  fromBase64Url,
  fromHex,
  KV_ROSTER,
  manifestKey,
  NO_DEPARTURES,
  rosterKey,
  rosterMac,
  utf8,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { Settings } from "../../src/edge/environment.ts";
import type { FakeKv } from "../../testing/kv.ts";
import type { Random } from "../../testing/random.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import type { ModelDirectory } from "../model/directory.ts";
import type { Content } from "../model/generation.ts";
import { History } from "../model/history.ts";
import { pack } from "./pack.ts";

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
  const history = model.exports.get(domain) ?? new History(domain);
  model.exports.set(domain, history);
  const names = Array.from({ length: 14 }, (_, i) => `u${i}`).filter(() => random.chance(0.7));
  const content: Content = {
    list: new Map(["u0", ...names].map((name) => [name, "active" as const])),
    policy,
    mode: "enforce",
    epoch: 1,
  };
  const key = parts.keyFor(domain, 1);
  const packed = pack(content, key, random.pick([0, 1]));
  // As the real export counts: the first number is the clock's, so that no asker has seen higher ones.
  const generation = (history.head?.number ?? lastBefore(history, time.now())) + 1;
  const { table } = packed;
  const shards =
    "inline" in table
      ? { bits: 0, inline: fromBase64Url(table.inline), ids: new Uint8Array(0) }
      : { bits: table.bits, inline: null, ids: concatBytes(table.ids.map(fromHex)) };
  for (const { id, bytes } of packed.shards) kv.bulkPut(blobKey(domain, id), bytes);
  const manifest = encodeManifest(
    {
      domain,
      origin: "kv",
      incarnation: 0,
      generation,
      time: time.now(),
      mode: content.mode,
      policy,
      counts: { active: content.list.size, disabled: 0, full: 0, moved: 0 },
      deletedUntil: null,
      shards,
      departures: NO_DEPARTURES,
    },
    key,
  );
  // Where the Registry has copied its own head there, that is what an operator would be told of, and stop.
  if (model.history(domain).head !== undefined) return;
  kv.bulkPut(manifestKey(domain), manifest);
  history.succeed(generation, content, time.now(), null, false);
  putRoster(parts);
  parts.trace(() => `${domain} is exported to KV as generation ${generation}: ${content.list.size} names`);
}

/** Takes an export back: its entry leaves the roster. Its manifest is deleted too, or is left to lie in KV. */
export function takeBackExport(parts: ExportParts, domain: string, deletes: boolean): void {
  const { kv, model, time } = parts;
  const history = model.exports.get(domain);
  // Where the Registry has a head, the manifest in KV is its copy.
  if (history?.head === undefined || model.history(domain).head !== undefined) return;
  history.lose(time.now());
  putRoster(parts);
  if (deletes) kv.bulkPut(manifestKey(domain), null);
  parts.trace(() => `the export of ${domain} is taken back, its manifest is ${deletes ? "deleted" : "left"}`);
}

/** The number before the first one of an export, or of one that is begun anew. */
const lastBefore = (history: History, now: number): number =>
  Math.max(history.generations.at(-1)?.number ?? 0, Math.floor(now / 1000) - 1);

/** A bulk file holds all that is exported; where nothing is left, the operator deletes the roster. */
function putRoster({ kv, model, time, settings }: ExportParts): void {
  const exported = [...model.exports.values()].flatMap(({ domain, head }) =>
    head === undefined ? [] : [[domain, head.number] as const],
  );
  const roster = {
    partition: KV_ROSTER,
    partitions: 1,
    incarnation: 0,
    asOf: Math.max(...exported.map(([, number]) => number)),
    heartbeat: time.now(),
    heads: Object.fromEntries(exported),
    revoked: [],
  };
  const mac = rosterMac(stablelibHashing, settings.masterKey);
  kv.bulkPut(rosterKey(KV_ROSTER), exported.length === 0 ? null : utf8(encodeRoster(roster, mac)));
}
