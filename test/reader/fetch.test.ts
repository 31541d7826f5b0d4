/* Where manifests and blobs come from, and what is proved about them. */
import { describe, expect, it } from "vitest";
import { blobId, blobKey, manifestKey } from "../../src/directory/index.ts";
import { queryOf } from "../../src/reader/index.ts";
import { flipped, tableOf } from "../directory/helpers.ts";
import { D, Desk, INCARNATION, WINDOW } from "./support/desk.ts";

const LONG = 31_536_000;
const TEN_MINUTES = 600_000;
const NAMES = ["alice", "bob", "carol", "dave", "erin", "frank"];

/** A desk whose Registry and KV hold a list, of so many bits of shards. */
function withList(bits?: number, more: Parameters<Desk["publish"]>[0] = {}) {
  const desk = new Desk();
  const content = desk.publish({ names: NAMES, ...(bits === undefined ? {} : { bits }), ...more });
  return { desk, content };
}

const shardKeys = (desk: Desk): string[] => [...desk.kv.keys()].filter((key) => key !== manifestKey(D));

/** Makes KV fail. */
function failKv(desk: Desk): void {
  desk.kvFate = "fails";
}

describe("a manifest", () => {
  it("comes from KV alone, where KV has the one that is needed", async () => {
    const { desk } = withList();
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
    expect(desk.reads).toContainEqual([manifestKey(D), 30]);
    expect(desk.log.questions.filter(({ want }) => want !== null)).toEqual([]);
    expect(desk.takeFaults()).toEqual([]);
  });

  it.each<[string, (desk: Desk) => void, string[]]>([
    ["lacks it", (desk) => void desk.kv.delete(manifestKey(D)), []],
    ["fails", failKv, ["kv_unreadable"]],
    [
      "has a damaged one",
      (desk) => void desk.kv.set(manifestKey(D), flipped(desk.kv.get(manifestKey(D)) as Uint8Array, 200)),
      ["damaged_manifest"],
    ],
  ])("comes from the Registry where KV %s", async (_, spoil, faults) => {
    const { desk } = withList();
    spoil(desk);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable", generation: 5 });
    expect(desk.log.questions.map(({ want }) => want)).toContain(D);
    expect(desk.takeFaults()).toEqual(expect.arrayContaining(faults));
  });

  it("comes from the Registry where KV has an older one than the head", async () => {
    const { desk } = withList();
    const old = desk.kv.get(manifestKey(D)) as Uint8Array;
    desk.publish({ generation: 8, names: ["zoe"] });
    desk.kv.set(manifestKey(D), old);
    await desk.check(`nobody@${D}`);
    expect(await desk.check(`zoe@${D}`)).toMatchObject({ verdict: "deliverable", generation: 8 });
    expect(desk.log.questions.map(({ want }) => want)).toContain(D);
  });

  it("of another key is a fault, named as such", async () => {
    const { desk } = withList();
    const other = new Desk().manifest({ domain: "other.example", names: NAMES }).bytes;
    desk.kv.set(manifestKey(D), other);
    desk.log.manifests.set(D, other);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ action: "defer" });
    expect(new Set(desk.takeFaults())).toEqual(new Set(["damaged_manifest"]));
  });

  it("that neither has is no damaged one", async () => {
    const { desk } = withList();
    desk.kv.delete(manifestKey(D));
    await desk.check("a@[192.0.2.1]");
    desk.log.manifests.delete(D);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "not-served" });
    expect(desk.takeFaults()).toEqual([]);
  });

  it("that was answered from is asked of the Registry if KV and the log are behind it", async () => {
    const { desk } = withList();
    const old = desk.kv.get(manifestKey(D)) as Uint8Array;
    await desk.check(`nobody@${D}`);
    await desk.idle();
    // KV alone shows the next generation, and it is answered from.
    desk.reader.cache.delete(desk.reader.cache.peek(D) as never);
    desk.kv.set(manifestKey(D), desk.manifest({ generation: 8, names: ["zoe"] }).bytes);
    expect(await desk.check(`zoe@${D}`)).toMatchObject({ verdict: "deliverable", generation: 8 });
    desk.reader.cache.delete(desk.reader.cache.peek(D) as never);
    desk.publish({ generation: 8, names: ["zoe"] });
    desk.kv.set(manifestKey(D), old);
    desk.takeQuestions();
    expect(await desk.check(`zoe@${D}`)).toMatchObject({ verdict: "deliverable", generation: 8 });
    expect(desk.takeQuestions().map(({ want }) => want)).toEqual([D]);
  });

  it("that is older than the cached one does not replace it", async () => {
    const { desk } = withList();
    const old = desk.kv.get(manifestKey(D)) as Uint8Array;
    desk.publish({ generation: 8, names: ["zoe"] });
    await desk.check(`zoe@${D}`);
    await desk.idle();
    desk.kv.set(manifestKey(D), old);
    desk.log.fate = "fails";
    await desk.time.advance(WINDOW + 1);
    expect(await desk.check(`zoe@${D}`)).toMatchObject({ generation: 8 });
    expect(desk.reader.cache.peek(D)?.manifest.generation).toBe(8);
  });

  it("from the Registry that is older than needed is kept, and a deferral where it refuses", async () => {
    const { desk } = withList();
    const old = desk.log.manifests.get(D) as Uint8Array;
    desk.publish({ generation: 8, names: ["zoe"] });
    desk.kv.delete(manifestKey(D));
    desk.log.manifests.set(D, old);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    expect(desk.reader.cache.peek(D)?.manifest.generation).toBe(5);
  });

  it("that the Registry has only in an older generation is not asked for again for a second", async () => {
    const { desk } = withList();
    const old = desk.log.manifests.get(D) as Uint8Array;
    desk.publish({ generation: 8, names: ["zoe"] });
    desk.kv.delete(manifestKey(D));
    desk.log.manifests.set(D, old);
    const wanted = (): number => desk.takeQuestions().filter(({ want }) => want === D).length;
    await desk.check(`nobody@${D}`);
    expect(wanted()).toBe(1);
    await desk.time.advance(999);
    await desk.check(`nobody@${D}`);
    expect(wanted()).toBe(0);
    await desk.time.advance(1);
    await desk.check(`nobody@${D}`);
    expect(wanted()).toBe(1);
  });

  it("of the needed generation may be asked for again at once", async () => {
    const { desk } = withList();
    desk.kv.delete(manifestKey(D));
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.reader.cache.delete(desk.reader.cache.peek(D) as never);
    desk.takeQuestions();
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
    expect(desk.takeQuestions().map(({ want }) => want)).toEqual([D]);
  });

  it("of a domain that is not known to be served is never asked of the Registry", async () => {
    const desk = new Desk();
    desk.log.fate = "refuses";
    expect(await desk.check("a@invented.example")).toMatchObject({ action: "defer" });
    expect(desk.log.questions.filter(({ want }) => want !== null)).toEqual([]);
  });

  it("that a head overtook while KV was read comes from the Registry, without another reading of KV", async () => {
    const { desk } = withList();
    const old = desk.kv.get(manifestKey(D)) as Uint8Array;
    desk.publish({ generation: 8, names: ["zoe"] });
    desk.kv.set(manifestKey(D), old);
    desk.kvTakes = 200;
    const check = Promise.resolve(desk.reader.check(desk.context(), queryOf(`zoe@${D}`)));
    await desk.time.advance(50);
    desk.reader.noteChange(0, { incarnation: INCARNATION, number: 8 }, { [D]: 8 });
    expect(await desk.time.run(check)).toMatchObject({ verdict: "deliverable", generation: 8 });
    expect(desk.takeReads().filter((key) => key === manifestKey(D))).toHaveLength(1);
  });
});

describe("a blob", () => {
  it("comes from KV, with a short cacheTtl while the manifest is young and a long one later", async () => {
    const { desk } = withList(2);
    for (const name of NAMES)
      expect(await desk.check(`${name}@${D}`)).toMatchObject({ verdict: "deliverable" });
    const ttls = (): number[] =>
      desk.reads.filter(([key]) => key !== manifestKey(D) && key.includes(D)).map(([, ttl]) => ttl);
    expect(new Set(ttls())).toEqual(new Set([30]));
    const later = withList(2, { time: desk.time.now() - TEN_MINUTES }).desk;
    for (const name of NAMES) await later.check(`${name}@${D}`);
    const laterTtls = later.reads.filter(([key]) => shardKeys(later).includes(key)).map(([, ttl]) => ttl);
    expect(new Set(laterTtls)).toEqual(new Set([LONG]));
    const justYoung = withList(2, { time: desk.time.now() - TEN_MINUTES + 1 }).desk;
    for (const name of NAMES) await justYoung.check(`${name}@${D}`);
    const youngTtls = justYoung.reads
      .filter(([key]) => shardKeys(justYoung).includes(key))
      .map(([, ttl]) => ttl);
    expect(new Set(youngTtls)).toEqual(new Set([30]));
    expect(desk.log.blobsAsked).toEqual([]);
  });

  it("that KV lacks under a long cacheTtl is read once more with a short one", async () => {
    const desk = new Desk();
    const content = desk.publish({ names: NAMES, bits: 0, time: desk.time.now() - TEN_MINUTES });
    const key = blobKey(D, blobId(content.shards, 0));
    desk.kv.delete(key);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
    expect(desk.reads.filter(([read]) => read === key)).toEqual([
      [key, LONG],
      [key, 30],
    ]);
    expect(desk.log.blobsAsked).toEqual([{ id: blobId(content.shards, 0), isMissed: true }]);
    expect(desk.takeFaults()).toEqual([]);
  });

  it("of a young manifest that KV lacks is asked of the Registry at once", async () => {
    const { desk, content } = withList(0);
    const key = blobKey(D, blobId(content.shards, 0));
    desk.kv.delete(key);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
    expect(desk.reads.filter(([read]) => read === key)).toEqual([[key, 30]]);
  });

  it.each<[string, (desk: Desk, key: string) => void, string[], boolean]>([
    [
      "damaged",
      (desk, key) => void desk.kv.set(key, flipped(desk.kv.get(key) as Uint8Array, 100)),
      ["damaged_blob"],
      true,
    ],
    ["unreadable", failKv, ["kv_unreadable"], false],
  ])("that is %s in KV comes from the Registry", async (_, spoil, faults, isMissed) => {
    const { desk, content } = withList(0);
    const key = blobKey(D, blobId(content.shards, 0));
    await desk.check(`nobody@${D}`);
    desk.takeFaults();
    const fresh = withList(0).desk;
    await fresh.check("a@[192.0.2.1]");
    spoil(fresh, key);
    expect(await fresh.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
    expect(fresh.log.blobsAsked.map((asked) => asked.isMissed)).toEqual([isMissed]);
    expect(fresh.takeFaults()).toEqual(expect.arrayContaining(faults));
  });

  it("that neither has intact is a deferral, and the fault names the place", async () => {
    const { desk, content } = withList(0);
    const id = blobId(content.shards, 0);
    const bad = flipped(desk.log.blobs.get(id) as Uint8Array, 100);
    desk.kv.set(blobKey(D, id), bad);
    desk.log.blobs.set(id, bad);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "unavailable" });
    expect(desk.faults.map(([kind, domain, detail]) => [kind, domain, detail])).toEqual([
      ["damaged_blob", D, `blob ${id} in KV is damaged`],
      ["damaged_blob", D, `blob ${id} in the Registry is damaged`],
    ]);
  });

  it("that neither has is a fault of its own", async () => {
    const { desk, content } = withList(0);
    const id = blobId(content.shards, 0);
    desk.kv.delete(blobKey(D, id));
    desk.log.blobs.delete(id);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "unavailable" });
    expect(desk.faults).toEqual([
      ["missing_blob", D, `blob ${id} was not found intact in KV or the Registry`],
    ]);
  });

  it("of another place in the list, or another number of shards, is refused although its id fits", async () => {
    const desk = new Desk();
    const own = desk.manifest({ names: NAMES, bits: 1 });
    // Both names of the table hold the bytes of shard 0.
    const ids = Uint8Array.from([
      ...own.content.shards.ids.subarray(0, 32),
      ...own.content.shards.ids.subarray(0, 32),
    ]);
    const swapped = { ...own.content.shards, ids };
    const content = desk.publish({ names: NAMES, bits: 1 });
    const { bytes } = { bytes: desk.encode({ ...content, shards: swapped }) };
    desk.kv.set(manifestKey(D), bytes);
    desk.log.manifests.set(D, bytes);
    const verdicts = [];
    for (const name of NAMES) verdicts.push((await desk.check(`${name}@${D}`)).verdict);
    expect(new Set(verdicts)).toEqual(new Set(["deliverable", "unavailable"]));
    expect(desk.takeFaults()).toContain("damaged_blob");
  });

  it("of a list with another number of shards is refused although its id and place fit", async () => {
    const desk = new Desk();
    const wide = desk.manifest({ names: NAMES, bits: 2 });
    const content = desk.publish({ names: NAMES, bits: 1 });
    wide.shards.forEach((shard, i) => void desk.kv.set(blobKey(D, blobId(wide.content.shards, i)), shard));
    const ids = wide.content.shards.ids.subarray(0, 64);
    const bytes = desk.encode({ ...content, shards: { ...content.shards, ids } });
    desk.kv.set(manifestKey(D), bytes);
    desk.log.manifests.set(D, bytes);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "unavailable" });
    expect(desk.takeFaults()).toContain("damaged_blob");
  });

  it("of other names is damaged, although it is a whole shard of the same place", async () => {
    const desk = new Desk();
    const content = desk.publish({ names: NAMES, bits: 0 });
    const other = desk.manifest({ names: ["zoe"], bits: 0 }).shards[0] as Uint8Array;
    desk.kv.set(blobKey(D, blobId(content.shards, 0)), other);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
    expect(await desk.check(`zoe@${D}`)).toMatchObject({ verdict: "unknown" });
    expect(desk.takeFaults()).toEqual(["damaged_blob"]);
  });

  it("that is no shard is damaged, although its id fits", async () => {
    const desk = new Desk();
    const content = desk.publish({ names: NAMES, bits: 0 });
    const bytes = new TextEncoder().encode("not a shard");
    const table = tableOf([bytes], 0, false);
    const id = blobId(table, 0);
    const manifest = desk.encode({ ...content, shards: table });
    desk.kv.set(manifestKey(D), manifest).set(blobKey(D, id), bytes);
    desk.log.manifests.set(D, manifest);
    desk.log.blobs.set(id, bytes);
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "unavailable" });
    expect(desk.takeFaults()).toEqual(["damaged_blob", "damaged_blob"]);
  });

  it("is fetched once for checks of one request that need it at the same time", async () => {
    const { desk } = withList(0);
    await desk.check("a@[192.0.2.1]");
    desk.takeReads();
    const answers = await desk.time.run(
      desk.reader.checkAll(
        desk.context(),
        NAMES.map((name) => queryOf(`${name}@${D}`)),
      ),
    );
    expect(answers.map(({ verdict }) => verdict)).toEqual(NAMES.map(() => "deliverable"));
    expect(desk.takeReads().filter((key) => shardKeys(desk).includes(key))).toHaveLength(1);
  });

  it("is not read again while the same list is confirmed", async () => {
    const { desk } = withList(2);
    for (const name of NAMES) await desk.check(`${name}@${D}`);
    desk.takeReads();
    for (const name of NAMES) await desk.check(`${name}@${D}`);
    expect(desk.takeReads()).toEqual([]);
  });
});

describe("a list in KV that was replaced long ago", () => {
  it("makes the reader ask the Registry if its parts are deleted, and the new one answers", async () => {
    const desk = new Desk();
    desk.publish({ names: NAMES, bits: 0 });
    const old = desk.kv.get(manifestKey(D)) as Uint8Array;
    desk.kv.clear();
    desk.log.blobs.clear();
    desk.publish({ generation: 8, names: ["zoe"] });
    desk.kv.set(manifestKey(D), old);
    desk.roster("0", { asOf: 5, heads: { [D]: 5 } });
    expect(await desk.check(`zoe@${D}`)).toMatchObject({ verdict: "deliverable", generation: 8 });
  });
});

describe("a check that needs several blobs", () => {
  it("fetches each of them", async () => {
    const { desk } = withList(3);
    for (let i = 0; i < 20; i++)
      expect(await desk.check(`nobody${i}+x${i}@${D}`)).toMatchObject({ verdict: "unknown" });
  });
});

describe("departures", () => {
  it("in a blob of their own are fetched on a miss", async () => {
    const desk = new Desk();
    const { content, departures } = desk.withDepartures(["zoe"], desk.time.now() + 60_000);
    expect(await desk.check(`zoe@${D}`)).toMatchObject({
      verdict: "departed",
      generation: content.generation,
    });
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    expect(desk.reads.map(([key]) => key)).toContain(blobKey(D, blobId(content.departures, 0)));
    expect(departures.length).toBeGreaterThan(0);
  });

  it("that are damaged defer a miss, and not a hit", async () => {
    const desk = new Desk();
    const { content } = desk.withDepartures(["zoe"], desk.time.now() + 60_000);
    const id = blobId(content.departures, 0);
    desk.kv.delete(blobKey(D, id));
    desk.log.blobs.delete(id);
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "unavailable" });
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
  });
});

describe("the incarnation of a manifest", () => {
  it("of an older log than the Registry's makes the reader ask the Registry", async () => {
    const { desk } = withList();
    desk.publish({ incarnation: INCARNATION + 1, generation: 2, names: ["zoe"] });
    const stale = desk.manifest({ names: NAMES }).bytes;
    desk.kv.set(manifestKey(D), stale);
    desk.log.incarnation = INCARNATION + 1;
    desk.log.heads.set(D, 2);
    desk.log.asOf = 2;
    await desk.check(`nobody@${D}`);
    expect(await desk.check(`zoe@${D}`)).toMatchObject({ generation: 2, incarnation: INCARNATION + 1 });
  });
});
