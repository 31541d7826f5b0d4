/* Patterns of a list, from its lines to the plan. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type DomainPolicy,
  decodePatterns,
  findEntry,
  fingerprint,
  patternCount,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import {
  type Base,
  type DomainPlan,
  decodePlanFile,
  encodePlanFile,
  ListStore,
  memorySource,
  type PackedList,
  planDomain,
  readList,
} from "../../src/publish/index.ts";
import { policyWith } from "../directory/helpers.ts";
import { temporaryFolder } from "../support/folders.ts";
import { active, DOMAIN, packed } from "../support/lists.ts";
import { keyOf } from "../support/memory-edge.ts";
import { hostOf, linesOf, openOne, refusal } from "./support/reading.ts";

const folder = temporaryFolder();

const reading = (
  lines: readonly (string | readonly [string, "active" | "disabled" | "full" | "moved"])[],
  more = {},
) =>
  readList({
    source: memorySource("list", lines),
    domain: DOMAIN,
    key: keyOf(DOMAIN),
    policy: policyWith(),
    hashing: stablelibHashing,
    ...more,
  });

const stateIn = ({ patterns }: PackedList, name: string): number =>
  patterns === null ? -1 : findEntry(decodePatterns(patterns), fingerprint(keyOf(DOMAIN).names, name));

describe("a list with patterns", () => {
  it("has a table of them beside its names", async () => {
    const seen: string[] = [];
    const list = await reading(
      [
        "alice@example.com",
        "Ticket-*@example.com",
        ["*-support@example.com", "disabled"],
        "a\\*b@example.com",
      ],
      { eachName: (name: string) => seen.push(name) },
    );
    expect(list.packed.counts).toEqual({ active: 2, disabled: 0, full: 0, moved: 0 });
    expect(patternCount(list.packed.patterns)).toBe(2);
    expect([stateIn(list.packed, "ticket-\0"), stateIn(list.packed, "\0-support")]).toEqual([0, 1]);
    expect(list.packed.table).toEqual(packed(active("alice", "a\\*b")).table);
    // Patterns come after all other names, at the places that are said.
    expect(seen).toEqual(["alice", "a*b", "ticket-\0", "\0-support"]);
    const key = keyOf(DOMAIN);
    const tailsOf = (...names: string[]) =>
      new Set(names.map((name) => Number(tailText(fingerprint(key.names, name)))));
    expect(list.placesOf(tailsOf("\0-support", "a*b"))).toEqual([1, 3]);
    expect((await reading(["alice@example.com"])).packed.patterns).toBeNull();
  });

  it("reports one that is there twice, and refuses one in two states", async () => {
    const { duplicates } = await reading(["a-*@example.com", "A-*@example.com"]);
    expect(duplicates).toMatchObject({ count: 1, first: ["list:2: same name as line 1"] });
    const error = await refusal(() => reading(["a-*@example.com", ["a-*@example.com", "moved"]]));
    expect(error.details).toEqual(["list:2: same name as line 1, but in another state"]);
  });

  it("reports asterisks that make no pattern, with what to do", async () => {
    const lines = ["a*b@example.com", "ticket*@example.com", "a@*.example.com", "a-b-c-d-e-*@example.com"];
    const { details } = await refusal(() => reading(lines));
    expect(details).toHaveLength(4);
    for (const detail of details.slice(0, 3)) expect(detail).toContain("write \\* for an asterisk itself");
    expect(details[3]).toBe("list:4: a pattern has at most 4 of - + = _ # ~ . ! % /, and this one has 5");
  });

  it("has 2,000 at most, however often each is there", async () => {
    const many = Array.from({ length: 2_000 }, (_, i) => `p${i}-*@example.com`);
    expect(patternCount((await reading([...many, ...many])).packed.patterns)).toBe(2_000);
    const error = await refusal(() => reading([...many, "alice@example.com", "q-*@example.com"]));
    expect(error.message).toBe("list:2002: more than 2000 patterns; nothing was published");
  });
});

/** The 48-bit tail of a digest, by its bytes. */
const tailText = (digest: Uint8Array): bigint =>
  digest.slice(4, 10).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

describe("sources", () => {
  it("of text and CSV may have patterns", async () => {
    writeFileSync(join(folder, "l.txt"), "ticket-*@example.com # all of them\n");
    writeFileSync(join(folder, "l.csv"), "address,state\n*-support@example.com,full\n");
    const file = (path: string) => openOne({ kind: "file", other_domains: "refuse", path }, hostOf(folder));
    expect(await linesOf(file("l.txt"))).toEqual(["1 ticket-*@example.com active"]);
    expect(await linesOf(file("l.csv"))).toEqual(["2 *-support@example.com full"]);
  });

  it("that are a program's output may have patterns, in any format", async () => {
    const command = (script: string, format: string) =>
      openOne(
        { kind: "command", other_domains: "refuse", command: ["sh", "-c", script], format, timeout: 60 },
        hostOf(folder),
      );
    expect(await linesOf(command("echo 'a-*@example.com'", "text"))).toEqual(["1 a-*@example.com active"]);
    const json = `printf '%s\\n' '{"address":"a-*@example.com"}'`;
    expect(await linesOf(command(json, "json"))).toEqual(["1 a-*@example.com active"]);
  });

  it("of another program have asterisks as characters of names", async () => {
    const users = ["a-*", "b\\*c", "plain"].map((name) => `${name}:x:1000:1000::/home:/bin/sh\n`).join("");
    writeFileSync(join(folder, "passwd"), users);
    const source = openOne(
      {
        kind: "passwd",
        other_domains: "refuse",
        path: "passwd",
        uid_min: 1000,
        uid_max: 60_000,
        shells: {},
        timeout: 60,
      },
      hostOf(folder),
    );
    expect(await linesOf(source)).toEqual([
      "1 a-\\*@example.com active",
      "2 b\\*c@example.com active",
      "3 plain@example.com active",
    ]);
  });

  it("of a product's preset have asterisks as characters of names", async () => {
    writeFileSync(join(folder, "users.csv"), "Proxy addresses\nSMTP:a-*@example.com+smtp:b@example.com\n");
    const source = openOne(
      {
        kind: "file",
        preset: "microsoft-365",
        other_domains: "skip",
        path: "users.csv",
        format: "csv",
        columns: { address: "Proxy addresses" },
        separator: "+",
      },
      hostOf(folder),
    );
    expect(await linesOf(source)).toEqual(["2 a-\\*@example.com active", "2 b@example.com active"]);
  });
});

const base = (list: PackedList, more: Partial<Base> = {}): Base => ({
  hasPatterns: list.patterns !== null,
  isLeaving: false,
  generation: 7,
  deleted: false,
  keyId: keyOf(DOMAIN).id,
  policy: policyWith(),
  mode: "enforce",
  counts: list.counts,
  patterns: list.patterns,
  list: { table: list.table, read: async () => expect.fail("a shard was read") },
  ...more,
});

const planned = (
  list: PackedList,
  before: Base | null,
  more: { canaries?: string[]; mustNotAppear?: string[]; policy?: Partial<DomainPolicy> } = {},
): Promise<DomainPlan> =>
  planDomain(
    { domain: DOMAIN, key: keyOf(DOMAIN), partition: 0, packed: list, policy: {}, canaries: [], ...more },
    before,
  );

describe("a plan", () => {
  const before = packed([...active("a", "ticket-*", "gone-*"), ["ceo-*", "disabled"]]);
  const UNCOUNTABLE = "changes patterns, whose effect on who is accepted cannot be counted";

  it("counts patterns that join, leave and change, and names them beside names", async () => {
    const after = packed([...active("a", "b", "new-*", "ceo-*"), ["ticket-*", "full"]]);
    const plan = await planned(after, base(before));
    expect(plan.patternChanges).toEqual({ added: 1, removed: 1, changed: 2 });
    expect(plan.difference).toEqual({ added: 1, removed: 0, changed: 0, lost: 0 });
    expect([plan.coming.size, plan.leaving.size, plan.changing.size]).toEqual([2, 1, 2]);
    expect(plan).toMatchObject({ refusal: UNCOUNTABLE, unchanged: false });
    // The guard's names are those that it counts.
    expect(plan.guardNames).toMatchObject({ gone: new Float64Array(0), back: { length: 1 } });
  });

  it("is unchanged only with the same patterns", async () => {
    expect(await planned(before, base(before))).toMatchObject({ unchanged: true, refusal: null });
    const more = packed([...active("a", "ticket-*", "gone-*", "new-*"), ["ceo-*", "disabled"]]);
    expect(await planned(more, base(before))).toMatchObject({ unchanged: false, refusal: null });
    expect(await planned(packed(active("a")), base(packed(active("a"))))).toMatchObject({ unchanged: true });
  });

  it("is refused by the guard if a pattern refuses from now on", async () => {
    const refusing = packed([...active("a", "gone-*"), ["ticket-*", "disabled"], ["ceo-*", "disabled"]]);
    expect(await planned(refusing, base(before))).toMatchObject({ refusal: UNCOUNTABLE });
    expect(await planned(refusing, null)).toMatchObject({ refusal: null });
  });

  it("of a new list may have patterns alone", async () => {
    expect(await planned(packed(active("ticket-*")), null)).toMatchObject({
      refusal: null,
      patternChanges: { added: 1, removed: 0, changed: 0 },
    });
    expect(await planned(packed([["ceo-*", "disabled"]]), null)).toMatchObject({
      refusal: expect.stringContaining("is empty"),
    });
  });

  it("calls all patterns new under another key", async () => {
    const plan = await planned(before, base(before, { keyId: "another" }));
    expect(plan).toMatchObject({ difference: null, patternChanges: { added: 3, removed: 0, changed: 0 } });
    expect(plan.coming.size).toBe(0);
  });

  it("takes an address that a pattern covers as listed, with its state", async () => {
    const list = packed([
      ...active("a", "ticket-*", "*-x"),
      ["ticket-vip-*", "disabled"],
      ["ticket-1", "disabled"],
    ]);
    const plan = await planned(list, null, {
      canaries: ["a", "ticket-7", "ticket-*", "y-x", "ticket-1", "ticket-vip-7", "case-7", "case-*"].map(
        (local) => `${local}@example.com`,
      ),
      mustNotAppear: ["Ticket-9", "ticket-vip-1", "case-1", "case-*", "ticket-vip-*", "b"].map(
        (local) => `${local}@example.com`,
      ),
    });
    expect(plan.missingCanaries).toEqual(
      ["ticket-1", "ticket-vip-7", "case-7", "case-*"].map((local) => `${local}@example.com`),
    );
    expect(plan.unmet).toEqual(
      ["Ticket-9", "ticket-vip-1", "ticket-vip-*"].map(
        (local) => `${local}@example.com is in the list, and must_not_appear names it`,
      ),
    );
  });

  it("in a file has its patterns, and what changes of them", async () => {
    const plan = await planned(before, null);
    const nothing = { count: 0, first: [] };
    const list = {
      plan: { ...plan, patched: null },
      ...{ duplicates: nothing, skipped: nothing, conflicts: nothing, leaving: [], coming: [], changing: [] },
    };
    const bytes = encodePlanFile([list], "https://edge.example", stablelibHashing);
    const [stored] = decodePlanFile(bytes, "p", stablelibHashing).domains;
    const read = stored?.planned(keyOf(DOMAIN), null).plan;
    expect(read?.packed.patterns).toEqual(before.patterns);
    expect(read?.patternChanges).toEqual({ added: 3, removed: 0, changed: 0 });
    const without = encodePlanFile(
      [{ ...list, plan: { ...(await planned(packed(active("a")), null)), patched: null } }],
      "https://edge.example",
      stablelibHashing,
    );
    const [plain] = decodePlanFile(without, "p", stablelibHashing).domains;
    expect(plain?.planned(keyOf(DOMAIN), null).plan.packed.patterns).toBeNull();
  });
});

describe("the list store", () => {
  it("keeps the names of patterns in a line each", async () => {
    const at = join(folder, "state");
    mkdirSync(at);
    const store = new ListStore(at);
    const writer = store.begin(DOMAIN);
    await reading(["alice@example.com", "ticket-*@example.com"], {
      eachName: (name: string) => writer.add(name),
    });
    writer.end();
    writer.keep();
    expect(readFileSync(join(at, "lists", DOMAIN), "utf8")).toBe("alice\nticket-\0\n");
    const tail = Number(tailText(fingerprint(keyOf(DOMAIN).names, "ticket-\0")));
    const names = await store.namesOf(DOMAIN, keyOf(DOMAIN), new Map([[tail, "removed"]]));
    expect([...names]).toEqual([[tail, "ticket-\0"]]);
  });
});
