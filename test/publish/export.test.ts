import { describe, expect, it } from "vitest";
import {
  blobId,
  type DomainPolicy,
  decodeDepartures,
  decodeShard,
  INLINE_DEPARTURES,
  lookup,
  type MailboxRecipient,
  type Manifest,
  type Mode,
  openManifest,
  openRoster,
  parseRecipient,
  rosterMac,
  type Verdict,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import {
  type BulkFile,
  decodeBulk,
  ExportedDirectory,
  encodeBulk,
  exportLists,
  memorySource,
  PublishError,
} from "../../src/publish/index.ts";
import { flipped } from "../directory/helpers.ts";
import { active, DOMAIN, type Lines, names } from "../support/lists.ts";
import { keyOf, MASTER } from "../support/memory-edge.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);

interface Step {
  readonly lines: Lines;
  readonly domain?: string;
  readonly policy?: Partial<DomainPolicy>;
  readonly mode?: Mode;
}

const directoryOf = (file: BulkFile, now = START, master = MASTER): ExportedDirectory =>
  new ExportedDirectory(file, "kv.json", { hashing: stablelibHashing, master, keyFor: keyOf, now });

/** Exports lists over a file, by way of its text. @returns the next file, or the same if nothing changes */
async function exported(file: BulkFile, steps: readonly Step[], now = START): Promise<BulkFile> {
  const directory = directoryOf(decodeBulk(encodeBulk(file), "kv.json"), now);
  const targets = steps.map(({ lines, domain = DOMAIN, policy = {}, mode }) => {
    const entries = lines.map(([local, state]) => [`${local}@${domain}`, state] as const);
    const source = policy.alias === undefined ? memorySource("list", entries) : null;
    return { domain, source, policy, mode, canaries: [] };
  });
  const ports = { hashing: stablelibHashing, progress: {} };
  return (await exportLists(directory, ports, targets, { force: true })).next?.file ?? file;
}

const manifestIn = (file: BulkFile, domain = DOMAIN): Manifest =>
  openManifest(file.get(`domain/${domain}`) as Uint8Array, domain, keyOf);

/** What a check that has this file in KV would say. */
function verdictIn(file: BulkFile, address: string, now = START): Verdict {
  const recipient = parseRecipient(address) as MailboxRecipient;
  const manifest = manifestIn(file, recipient.domain);
  const blob = (table: Manifest["shards"], index: number): Uint8Array =>
    file.get(`shard/${recipient.domain}/${blobId(table, index)}`) as Uint8Array;
  const finding = lookup(
    manifest,
    {
      shard: (index) => decodeShard(blob(manifest.shards, index)),
      departures: (index) => decodeDepartures(blob(manifest.departures, index)),
    },
    recipient,
    now,
  );
  if (finding.kind === "needs") throw new Error(`needs ${finding.table}`);
  return finding.verdict;
}

describe("an export", () => {
  it("has manifests of origin kv and the roster of all served domains", async () => {
    const file = await exported(new Map(), [
      { lines: active("a") },
      { lines: active("b"), domain: "example.net" },
    ]);
    expect([...file.keys()]).toEqual(["domain/example.com", "domain/example.net", "roster/kv"]);
    expect(manifestIn(file)).toMatchObject({
      origin: "kv",
      incarnation: 0,
      generation: START / 1000,
      time: START,
    });
    const roster = new TextDecoder().decode(file.get("roster/kv"));
    expect(openRoster(roster, "kv", rosterMac(stablelibHashing, MASTER))).toMatchObject({
      incarnation: 0,
      heads: { "example.com": START / 1000, "example.net": START / 1000 },
    });
    expect(verdictIn(file, "A@example.com")).toBe("deliverable");
    expect(verdictIn(file, "b@example.com")).toBe("unknown");
  });

  it("of an unchanged list is the same file, without a new generation", async () => {
    const file = await exported(new Map(), [{ lines: active("a") }]);
    expect(await exported(file, [{ lines: active("a") }], START + HOUR)).toBe(file);
  });

  it("keeps other domains and their shards", async () => {
    const large = { lines: names(9_000), domain: "large.example" };
    const first = await exported(new Map(), [large]);
    const shard = [...first.keys()].find((key) => key.startsWith("shard/large.example/"));
    const second = await exported(first, [{ lines: active("a") }], START + HOUR);
    expect(second.get("domain/large.example")).toEqual(first.get("domain/large.example"));
    expect(second.get(shard as string)).toEqual(first.get(shard as string));
    expect(verdictIn(second, "user77@large.example")).toBe("deliverable");
    const third = await exported(second, [{ ...large, lines: names(9_001) }], START + HOUR);
    expect(manifestIn(third, "large.example").generation).toBe(START / 1000 + 1);
    expect(manifestIn(third).generation).toBe((START + HOUR) / 1000);
    // What no manifest names is not put again.
    expect(third.has(shard as string)).toBe(false);
    expect(verdictIn(third, "user9000@large.example")).toBe("deliverable");
  });

  it("defers names that leave for the departure grace, across exports", async () => {
    const ten = active(..."abcdefghij");
    let file = await exported(new Map(), [{ lines: ten }]);
    file = await exported(file, [{ lines: ten.slice(1) }], START + HOUR);
    expect(verdictIn(file, "a@example.com", START + HOUR)).toBe("departed");
    file = await exported(file, [{ lines: ten.slice(2) }], START + 1.5 * HOUR);
    expect(verdictIn(file, "a@example.com", START + 1.9 * HOUR)).toBe("departed");
    expect(verdictIn(file, "a@example.com", START + 2.1 * HOUR)).toBe("unknown");
    expect(verdictIn(file, "b@example.com", START + 2.1 * HOUR)).toBe("departed");
    file = await exported(file, [{ lines: ten }], START + 1.6 * HOUR);
    expect(verdictIn(file, "a@example.com", START + 1.6 * HOUR)).toBe("deliverable");
  });

  it("stores many departures in their own blobs", async () => {
    const leavers = names(INLINE_DEPARTURES + 1, "leaver");
    const first = await exported(new Map(), [{ lines: [...names(12_000), ...leavers] }]);
    const second = await exported(first, [{ lines: names(12_000) }]);
    expect(manifestIn(second).departures).toMatchObject({ inline: null, count: leavers.length });
    expect(verdictIn(second, "leaver5@example.com")).toBe("departed");
    const third = await exported(second, [{ lines: active("x"), domain: "example.net" }]);
    expect(verdictIn(third, "leaver5@example.com")).toBe("departed");
  });

  it("keeps policy and mode unless they change", async () => {
    const first = await exported(new Map(), [{ lines: active("a"), policy: { grace: 7 }, mode: "observe" }]);
    const second = await exported(first, [{ lines: active("a", "b") }]);
    expect(manifestIn(second)).toMatchObject({
      generation: START / 1000 + 1,
      mode: "observe",
      policy: { grace: 7 },
    });
  });

  it("of an alias needs its target", async () => {
    const alias = { lines: [], domain: "alias.example", policy: { alias: DOMAIN } };
    await expect(exported(new Map(), [alias])).rejects.toThrow(/is not exported/);
    const file = await exported(new Map(), [alias, { lines: active("a") }]);
    expect(manifestIn(file, "alias.example").policy.alias).toBe(DOMAIN);
    const chain = { lines: [], domain: "two.example", policy: { alias: "alias.example" } };
    await expect(exported(file, [chain])).rejects.toThrow(/is an alias itself/);
  });

  it("is compared by the guard with the file that was written last", async () => {
    const directory = directoryOf(await exported(new Map(), [{ lines: active(..."abcdefghij") }]));
    const target = {
      domain: DOMAIN,
      source: memorySource("list", [`a@${DOMAIN}`]),
      policy: {},
      canaries: [],
    };
    const ports = { hashing: stablelibHashing, progress: {} };
    const exporting = (options: { dryRun?: boolean }) => exportLists(directory, ports, [target], options);
    await expect(exporting({})).rejects.toMatchObject({
      fault: "guard",
      details: [expect.stringMatching(/would refuse 9 of 10 names/)],
    });
    expect(await exporting({ dryRun: true })).toMatchObject({ isRefused: true, next: null });
  });
});

describe("a file that cannot be continued", () => {
  it.each(["", "{}", "[1]", '[{"key":"a"}]', "<html>", "[null]"])("is told: %s", (text) => {
    expect(() => decodeBulk(text, "kv.json")).toThrow(PublishError);
  });

  it("is refused if it was made under another master key", async () => {
    const file = await exported(new Map(), [{ lines: active("a") }]);
    expect(() =>
      directoryOf(
        file,
        START,
        MASTER.map((byte) => byte ^ 1),
      ),
    ).toThrow(/kv.json cannot be continued/);
  });

  it.each(["domain/example.com", "roster/kv", "shard/"])("lacks or damages %s", async (prefix) => {
    const file = await exported(new Map(), [{ lines: names(7_000) }]);
    const key = [...file.keys()].find((each) => each.startsWith(prefix)) as string;
    const damaged = new Map(file).set(key, flipped(file.get(key) as Uint8Array, 400));
    expect(() => directoryOf(damaged)).toThrow(/cannot be continued/);
    const lacking = new Map(file);
    lacking.delete(key);
    expect(() => directoryOf(lacking)).toThrow(/cannot be continued/);
  });
});
