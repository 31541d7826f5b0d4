/** Lists from each kind of source: reading, beside the client's own dump of the same rows, and a first publish of it. */
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { openSources, SOURCE_SETTINGS } from "../../src/publish/sources/index.ts";
import { pause } from "../../test/mta/support/waiting.ts";
import { POSTGRES } from "../../test/publish/support/databases.ts";
import { atMost, type Extent, type Measurement, type Suite, type Tell } from "../report/measurement.ts";
import { figures, total } from "../rig/kv.ts";
import { DOMAIN, MILLION } from "../rig/lists.ts";
import { missingPackages, run } from "../rig/processes.ts";
import { interleave } from "../rig/rounds.ts";
import { type ServedSource, SOURCE_ENV, SOURCES, type SourceKindOfBench } from "../rig/source-servers.ts";
import { World } from "../rig/world.ts";

const QUICK_ROWS = 50_000;
const MEGABYTE = 1024 * 1024;
/** What a publish of a million mailboxes may have resident, on Node 20: Node itself, the packed list, and some pages. */
const MEMORY = 256 * MEGABYTE;

/** Debian's Node, which mail hosts run; the benchmark's is another. */
const NODE = ["/usr/bin/node"].find(existsSync) ?? process.execPath;

export const sources: Suite = {
  name: "sources",
  lacks: () => [
    ...missingPackages({
      mariadbd: "mariadb-server",
      slapd: "slapd",
      ldapsearch: "ldap-utils",
      sqlite3: "sqlite3",
    }),
    ...(POSTGRES === null ? ["postgresql"] : []),
  ],
  async run(extent, tell) {
    const measured: Measurement[] = [];
    for (const kind of SOURCES) {
      const rows = (extent.isQuick ? QUICK_ROWS : MILLION) * kind.share;
      tell(`${kind.id}: ${rows.toLocaleString("en")} rows`);
      await using served = await kind.serve(rows);
      measured.push(await reading(kind, served, rows, extent));
      measured.push(...(await published(kind, served, rows, tell)));
    }
    return measured;
  },
};

/** Reading alone, in this process, in turns with the dump. */
async function reading(
  { id, isBarred }: SourceKindOfBench,
  { what, settings, dump }: ServedSource,
  rows: number,
  { rounds }: Extent,
): Promise<Measurement> {
  const shell = async (): Promise<number> => {
    const env = SOURCE_ENV;
    return (await run("sh", ["-c", `${dump.command} > /dev/null`], { cwd: "/", env })).seconds;
  };
  const { ratio, ours, theirs } = await interleave(rounds, shell, () => readOnce(settings, rows));
  return {
    id: `sources.${id}.reading`,
    what: `${rows.toLocaleString("en")} rows from ${what}: time to read them, against ${dump.what}`,
    ...ratio,
    unit: "x",
    ...(isBarred ? { bar: atMost(2) } : {}),
    detail: { rows, seconds: ours.value, "seconds of the client": theirs.value },
  };
}

/** @returns seconds. @throws Error if it is not the whole list */
async function readOnce(settings: ServedSource["settings"], rows: number): Promise<number> {
  const source = openSources([{ shown: "source", settings: v.parse(SOURCE_SETTINGS, settings) }], {
    domain: DOMAIN,
    env: { ...process.env, ...SOURCE_ENV },
    sleep: async (ms, signal) => {
      for (let left = ms; left > 0 && signal?.aborted !== true; left -= 100) await pause(Math.min(left, 100));
    },
    fetch,
    path: (text) => text,
  });
  const since = performance.now();
  let entries = 0;
  await source.read(
    {
      entry: () => entries++,
      fault: (line, reason) => {
        throw new Error(`row ${line}: ${reason}`);
      },
    },
    new AbortController().signal,
  );
  const seconds = (performance.now() - since) / 1000;
  if (entries !== rows) throw new Error(`${entries} of ${rows} rows were read`);
  return seconds;
}

/** The first publish, with the command as a process on Debian's Node. */
async function published(
  { id }: SourceKindOfBench,
  { what, settings }: ServedSource,
  rows: number,
  tell: Tell,
): Promise<Measurement[]> {
  tell(`${id}: publish`);
  await using world = await World.make();
  await using edge = await world.serve();
  await world.kv.reset();
  writeFileSync(join(world.folder, "rollcall.toml"), tomlOf(settings));
  const cost = await world.rollcallOn(NODE, edge, ["publish", "--yes"], SOURCE_ENV);
  await world.untilCopied(edge);
  const { writes } = await world.kv.counts();
  const from = `${rows.toLocaleString("en")} rows from ${what}`;
  const version = execFileSync(NODE, ["--version"], { encoding: "utf8" }).trim().slice(1);
  const behind = { rows, "KV writes": total(writes), ...figures("KV writes", writes) };
  return [
    {
      id: `sources.${id}.publish`,
      what: `${from}: first publish, on Node ${version}`,
      value: cost.seconds,
      unit: "s",
      detail: behind,
    },
    {
      id: `sources.${id}.memory`,
      what: `${from}: peak resident memory of that publish`,
      value: cost.peakBytes,
      unit: "bytes",
      bar: atMost(MEMORY),
    },
  ];
}

const tomlOf = (settings: ServedSource["settings"]): string =>
  [
    "[sources.list]",
    ...Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
    `[domains."${DOMAIN}"]`,
    'sources = ["list"]',
    "",
  ].join("\n");
