/* What the operator sees if something behind the checks fails: the deployed Worker in workerd. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import type { FaultLine } from "../../src/edge/ports.ts";
import { ADMIN, type Edges, FAIR, startEdges, until } from "../laws/support/edges.ts";
import { LARGE, many, Publisher } from "../laws/support/publishing.ts";
import { type Ended, startCli, temporaryFolder } from "../support/processes.ts";

const SMALL = "small.example";
const BIG = "large.example";
const ROTATED = { ROLLCALL_MASTER_KEY: "b3RoZXItbWFzdGVyLWtleS1vZi10aGlydHktdHdvLWI" };

const faultsOf = (edges: Edges<"one">): FaultLine[] =>
  edges.log
    .filter((line) => line.includes('"event":"fault"'))
    .map((line) => JSON.parse(line.slice(line.indexOf("{"))) as FaultLine);
const kindsOf = (edges: Edges<"one">): string[] =>
  faultsOf(edges).map(({ kind, domain }) => `${kind} ${domain}`);

it("a rotated master key, shards damaged everywhere, and unreachable services are one log line each", async () => {
  const before = await startEdges({ one: {} });
  const publisher = new Publisher(before.edge.one);
  await publisher.publish(SMALL, "alice bob");
  await publisher.publish(BIG, many(LARGE));
  await before.copied();
  await before.edge.one.checkAll([`alice@${SMALL}`, `nobody@${SMALL}`, `user1@${BIG}`, `nobody@${BIG}`]);
  // Without faults, nothing is logged.
  expect(faultsOf(before)).toEqual([]);

  // Blobs in KV are damaged, and the Registry's are intact: answers continue, and the fault is logged.
  const shards = (await before.keys()).filter((key) => key.startsWith(`shard/${BIG}/`));
  for (const key of shards) await before.put(key, new Uint8Array(600));
  await before.edge.one.restart();
  expect((await before.edge.one.check(`user1@${BIG}`)).verdict).toBe("deliverable");
  expect(kindsOf(before)).toEqual([`damaged_blob ${BIG}`]);
  expect(faultsOf(before)[0]?.detail).toMatch(/^blob [0-9a-f]{64} in KV is damaged$/);

  // Many checks cause one line, and other faults have their own.
  await before.edge.one.weather({ registry: "fails", kv: "fails" });
  await before.edge.one.restart();
  for (let i = 0; i < 20; i++) await before.edge.one.checkAll([`user${i}@${BIG}`, `x${i}@elsewhere.example`]);
  expect(kindsOf(before).sort()).toEqual(
    [`damaged_blob ${BIG}`, "kv_unreadable null", "registry_unreachable null"].sort(),
  );
  await before.edge.one.weather({ ...FAIR, registry: "hangs" });
  await before.edge.one.restart();
  await before.edge.one.check(`nobody@${SMALL}`);
  await until(() => kindsOf(before).filter((kind) => kind === "registry_unreachable null").length === 2);
  await before.stop();

  // Now the Registry's own are damaged as well.
  for (const file of sqliteFiles(before.storage)) {
    const database = new DatabaseSync(file);
    const hasBlobs = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'blobs'").get();
    if (hasBlobs) database.exec("UPDATE blobs SET bytes = zeroblob(600)");
    database.close();
  }
  const damaged = await startEdges({ one: {} }, {}, before.storage);
  expect((await damaged.edge.one.check(`user1@${BIG}`)).verdict).toBe("unavailable");
  expect(kindsOf(damaged)).toEqual([`damaged_blob ${BIG}`]);
  // The commands that reported no problem before now report the fault.
  const doctor = await run(damaged, `doctor --url ${damaged.edge.one.url}`);
  expect(doctor.stdout).toMatch(new RegExp(`failed +faults .*damaged_blob of ${BIG}`));
  expect(doctor.stdout).not.toContain("everything works");
  expect(doctor.code).toBe(1);
  const status = await run(damaged, "status");
  expect(status.stdout).toMatch(new RegExp(`^${BIG} +damaged_blob +[1-9]`, "m"));
  await damaged.stop();

  const rotated = await startEdges({ one: ROTATED }, ROTATED, before.storage);
  const answers = await rotated.edge.one.checkAll([`alice@${SMALL}`, `user1@${BIG}`]);
  expect(answers.map(({ verdict }) => verdict)).toEqual(["unavailable", "unavailable"]);
  expect(kindsOf(rotated)).toEqual(expect.arrayContaining([`key_mismatch ${SMALL}`, `key_mismatch ${BIG}`]));
  expect(faultsOf(rotated).find(({ domain }) => domain === SMALL)?.detail).toMatch(
    /made under key [0-9a-f]{16}/,
  );
  for (const { log } of [before, damaged, rotated]) {
    expect(log.join("\n")).not.toMatch(/alice|bob|nobody|user\d|elsewhere|@/);
  }
});

const run = (at: Edges<"one">, args: string): Promise<Ended> =>
  startCli(args.split(" "), {
    home: temporaryFolder(),
    env: { ROLLCALL_URL: at.edge.one.url, ROLLCALL_TOKEN: ADMIN },
  }).ended;

function sqliteFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".sqlite"))
    .map((name) => join(folder, name));
}
