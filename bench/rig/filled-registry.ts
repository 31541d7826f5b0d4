/** A very full Registry, written into its own database while no workerd has it open. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  acceptedCount,
  DEFAULT_POLICY,
  deriveDomainKey,
  encodeManifest,
  fromBase64Url,
  type ManifestContent,
  NO_DEPARTURES,
  readManifest,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { keepSummary } from "../../src/registry/generations/summaries.ts";
import type { RegistryStorage, SqlRow } from "../../src/registry/ports.ts";
import { setMeta } from "../../src/registry/storage/meta.ts";
import { people } from "../../testing/lists.ts";
import { pack } from "./publisher.ts";
import type { World } from "./world.ts";

/** What a Registry is filled with. */
export interface Filling {
  readonly domains: number;
  /** Names of each list, which is in its manifest. */
  readonly names: number;
  /** Of {@link LONG}. */
  readonly generations: number;
}

/** The domain with the long history. */
export const LONG = "long.example";

/** @returns the database's size, bytes */
export function fillRegistry(world: World, filling: Filling): number {
  const folder = join(world.registryFolder, "registry");
  const file = readdirSync(folder).find((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  if (file === undefined) throw new Error("the Registry has no database yet: initialise it first");
  const database = new DatabaseSync(join(folder, file));
  const storage = storageOf(database);
  database.exec("BEGIN");
  fill(storage, world, filling);
  database.exec("COMMIT");
  const [row] = storage.sql(
    "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
  );
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  return row?.bytes as number;
}

function storageOf(database: DatabaseSync): RegistryStorage {
  const prepared = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  return {
    sql: (text, ...bindings) => {
      const statement = prepared.get(text) ?? database.prepare(text);
      prepared.set(text, statement);
      return statement.all(...bindings) as unknown as SqlRow[];
    },
    transaction: (work) => work(),
    setAlarm: () => undefined,
  };
}

function fill(storage: RegistryStorage, world: World, filling: Filling): void {
  const key = deriveDomainKey(stablelibHashing, fromBase64Url(world.masterKey), LONG, 1);
  const { table, counts } = pack(key, people(filling.names));
  const content = (domain: string, generation: number): ManifestContent => ({
    domain,
    incarnation: 1,
    generation,
    time: Date.now(),
    mode: "enforce",
    policy: DEFAULT_POLICY,
    counts,
    deletedUntil: null,
    refusesFrom: 0,
    shards: table,
    departures: NO_DEPARTURES,
    patterns: null,
  });
  const put = (domain: string, number: number, isHead: boolean): void => {
    const manifest = readManifest(encodeManifest(content(domain, number), key), domain);
    storage.sql(
      `INSERT INTO generations (domain, number, time, action, made_by, forced, note, accepted, superseded, manifest)
       VALUES (?, ?, ?, 'commit', 'admin', 0, NULL, ?, ?, ?)`,
      domain,
      number,
      manifest.time,
      acceptedCount(counts),
      isHead ? null : Date.now(),
      manifest.bytes,
    );
    keepSummary(storage, number, manifest);
    if (!isHead) return;
    storage.sql("INSERT INTO heads (domain, number, kv_number) VALUES (?, ?, ?)", domain, number, number);
  };
  const first = filling.generations + 1;
  for (let number = 1; number <= filling.generations; number++) put(LONG, number, number + 1 === first);
  // Five hundred domains a commit.
  for (let i = 0; i < filling.domains; i++) put(`d${i}.example`, first + Math.floor(i / 500), true);
  const number = first + Math.ceil(filling.domains / 500);
  setMeta(storage, "number", number);
  setMeta(storage, "roster_due", number);
}
