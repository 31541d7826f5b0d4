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
import type { Random } from "../basics/random.ts";
import type { ModelDirectory } from "../model/directory.ts";
import type { Content } from "../model/generation.ts";
import { History } from "../model/history.ts";
import type { SimulatedKv } from "./kv.ts";
import { pack } from "./pack.ts";
import type { Time } from "./time.ts";

/** What an export needs of its world. */
export interface ExportParts {
  readonly kv: SimulatedKv;
  readonly model: ModelDirectory;
  readonly time: Time;
  readonly settings: Pick<Settings, "masterKey">;
  keyFor(domain: string, epoch: number): DomainKey;
  trace(words: () => string): void;
}

/** Puts a domain into KV without the Registry: shards, manifest, roster, as the bulk file has them. */
export function putExport(parts: ExportParts, domain: string, random: Random, policy: DomainPolicy): void {
  const { kv, model, time, settings } = parts;
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
  const generation = (history.head?.number ?? Math.floor(time.now() / 1000) - 1) + 1;
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
  // A bulk file holds all that is exported.
  const before = [...model.exports.values()].flatMap((it) => (it.head === undefined ? [] : [it]));
  const heads = Object.fromEntries(before.map((it) => [it.domain, it.head?.number as number]));
  const roster = {
    partition: KV_ROSTER,
    partitions: 1,
    incarnation: 0,
    asOf: generation,
    heartbeat: time.now(),
    heads: { ...heads, [domain]: generation },
    revoked: [],
  };
  kv.bulkPut(
    rosterKey(KV_ROSTER),
    utf8(encodeRoster(roster, rosterMac(stablelibHashing, settings.masterKey))),
  );
  history.succeed(generation, content, time.now(), null);
  parts.trace(() => `${domain} is exported to KV as generation ${generation}: ${content.list.size} names`);
}
