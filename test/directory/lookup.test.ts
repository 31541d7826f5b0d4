import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRecipient } from "../../src/directory/address/address.ts";
import { canonicalLocalPart } from "../../src/directory/address/canonical.ts";
import { fingerprint, shardOf, tailOf } from "../../src/directory/address/fingerprint.ts";
import type { DomainPolicy } from "../../src/directory/address/policy.ts";
import {
  decodeDepartures,
  departureBlobOf,
  encodeDepartures,
} from "../../src/directory/formats/departures.ts";
import { encodeManifest, openManifest } from "../../src/directory/formats/manifest.ts";
import { ACTIVE, DISABLED, decodeShard, FULL, MOVED, type Shard } from "../../src/directory/formats/shard.ts";
import { type Finding, type Holdings, lookup } from "../../src/directory/verdict/lookup.ts";
import {
  anyText,
  contentOf,
  DOMAIN,
  forAll,
  holding,
  KEY,
  keyFor,
  type List,
  letters,
  listOf,
  NOW,
  packList,
  patternTable,
  policyWith,
  published,
  tableOf,
} from "./helpers.ts";

type Published = ReturnType<typeof published>;

function ask(
  { manifest, holdings }: Pick<Published, "manifest" | "holdings">,
  text: string,
  now = NOW,
): Finding {
  const recipient = parseRecipient(text.includes("@") ? text : `${text}@${DOMAIN}`);
  if (recipient.kind !== "mailbox") return expect.fail(`${text} was read as ${recipient.kind}`);
  return lookup(manifest, holdings, recipient, now);
}

/** The verdict and what matched, in one word or two. */
function saying(list: Pick<Published, "manifest" | "holdings">, text: string, now = NOW): string {
  const finding = ask(list, text, now);
  if (finding.kind === "needs") return `needs ${finding.table} ${finding.index}`;
  return finding.matched === null ? finding.verdict : `${finding.verdict} ${finding.matched}`;
}

const STAFF: List = new Map([
  ["alice", ACTIVE],
  ["bob.smith", ACTIVE],
  ["carol+news", ACTIVE],
  ["dave", DISABLED],
  ["erin", MOVED],
  ["frank", FULL],
  ["jörg", ACTIVE],
  ["οδυσσευσ", ACTIVE],
  ["john smith", ACTIVE],
  ["odd..dots", ACTIVE],
  ["home@work", ACTIVE],
  ["+plus", ACTIVE],
]);

describe("a recipient", () => {
  const list = published(STAFF);

  it.each([
    ["alice", "deliverable mailbox"],
    ["ALICE", "deliverable mailbox"],
    ['"alice"', "deliverable mailbox"],
    ['"\\Al\\ice"', "deliverable mailbox"],
    ["<alice@example.com>", "deliverable mailbox"],
    ["alice@EXAMPLE.com.", "deliverable mailbox"],
    ["@relay.example:alice@example.com", "deliverable mailbox"],
    ["alice+news", "deliverable subaddress"],
    ["alice+", "deliverable subaddress"],
    ['"alice+news"', "deliverable subaddress"],
    ["prvs=1234abcdef=alice", "deliverable mailbox"],
    ["prvs=1234abcdef=alice+news", "deliverable subaddress"],
    ["Bob.Smith", "deliverable mailbox"],
    ["bobsmith", "unknown"],
    ["jo\u0308rg", "deliverable mailbox"],
    ["JÖRG", "deliverable mailbox"],
    ["ΟΔΥΣΣΕΥΣ", "deliverable mailbox"],
    ["οδυσσευς", "deliverable mailbox"],
    // The exact name goes before the one without subaddress.
    ["carol+news", "deliverable mailbox"],
    ["carol", "unknown"],
    ["carol+other", "unknown"],
    ["dave", "disabled mailbox"],
    ["dave+x", "disabled subaddress"],
    ["erin", "moved mailbox"],
    ["frank", "full mailbox"],
    // A listed address is never malformed, and a missing one is by its own syntax.
    ['"john smith"', "deliverable mailbox"],
    ["john smith", "deliverable mailbox"],
    ["odd..dots", "deliverable mailbox"],
    ["home@work@example.com", "deliverable mailbox"],
    ["even..dots", "malformed"],
    ['"even..dots"', "unknown"],
    ["a@b@example.com", "malformed"],
    ['"a@b"@example.com', "unknown"],
    ["alice@example.org@example.com", "malformed"],
    ["@example.com", "malformed"],
    ['""@example.com', "unknown"],
    ["+plus", "deliverable mailbox"],
    ["+alice", "unknown"],
    ["+", "unknown"],
    ["nobody", "unknown"],
    ["postmaster", "deliverable postmaster"],
    ["PostMaster@example.com", "deliverable postmaster"],
    ['"postmaster"', "deliverable postmaster"],
    ["postmaster+x", "unknown"],
    ["abuse", "unknown"],
  ])("%s is %s", (text, expected) => {
    expect(saying(list, text)).toBe(expected);
  });

  it("is looked up under the domain's own delimiters", () => {
    const dashes = published(STAFF, { delimiters: "-" });
    expect(saying(dashes, "alice-news")).toBe("deliverable subaddress");
    expect(saying(dashes, "alice+news")).toBe("unknown");
    expect(saying(published(STAFF, { delimiters: "" }), "alice+news")).toBe("unknown");
  });

  it("is case-sensitive if the policy says so, except postmaster", () => {
    const names = listOf(["Alice", "postmaster"], ACTIVE, { case: "sensitive" });
    const sensitive = published(names, { case: "sensitive", postmaster: false });
    expect(saying(sensitive, "Alice")).toBe("deliverable mailbox");
    expect(saying(sensitive, "alice")).toBe("unknown");
    expect(saying(sensitive, "POSTMASTER")).toBe("deliverable mailbox");
    const off = published(listOf(["PostMaster"], DISABLED, { case: "sensitive" }), { case: "sensitive" });
    for (const text of ["postmaster", "Postmaster", "POSTMASTER"]) {
      expect(saying(off, text)).toBe("disabled mailbox");
    }
  });

  it("has no dots if dots are ignored", () => {
    const ignored = published(listOf(["b.o.b"], ACTIVE, { dots: "ignored" }), { dots: "ignored" });
    expect(saying(ignored, "bob")).toBe("deliverable mailbox");
    expect(saying(ignored, "..b.ob.")).toBe("deliverable mailbox");
    expect(saying(ignored, "b.ob+x.y")).toBe("deliverable subaddress");
    expect(saying(ignored, '"..."')).toBe("unknown");
    expect(saying(ignored, "...+x")).toBe("malformed");
  });

  it("matches postmaster by its entry first, then by the policy", () => {
    expect(saying(published(listOf(["postmaster"])), "postmaster")).toBe("deliverable mailbox");
    expect(saying(published(listOf(["postmaster"], DISABLED)), "postmaster")).toBe("disabled mailbox");
    expect(saying(published(STAFF, { postmaster: false }), "postmaster")).toBe("unknown");
    expect(saying(published(new Map()), "postmaster")).toBe("deliverable postmaster");
  });
});

describe("a catch-all", () => {
  const list = published(STAFF, { catchall: true });

  it.each([
    ["nobody", "deliverable catch-all"],
    ["nobody+x", "deliverable catch-all"],
    ["alice", "deliverable mailbox"],
    ["alice+x", "deliverable subaddress"],
    ["dave", "disabled mailbox"],
    ["erin+x", "moved subaddress"],
    ["frank", "full mailbox"],
    ["postmaster", "deliverable postmaster"],
    ["+x", "deliverable catch-all"],
    // Found is found: syntax is only looked at on a miss, and with a catch-all there is none.
    ["a..b", "deliverable catch-all"],
    ["a@b@example.com", "deliverable catch-all"],
    // No local part at all: nobody can be meant.
    ["@example.com", "malformed"],
    ["<@example.com>", "malformed"],
    ['""@example.com', "unknown"],
  ])("leaves %s %s", (text, expected) => {
    expect(saying(list, text)).toBe(expected);
  });

  it("does not match a name of dots only if dots are ignored", () => {
    const ignored = published(new Map(), { catchall: true, dots: "ignored" });
    expect(saying(ignored, '"..."')).toBe("unknown");
    expect(saying(ignored, "...")).toBe("malformed");
  });
});

/** What a list says of a local part, read word for word: docs/architecture.md, addresses. */
function asRead(list: List, tag: string, local: string, delimiters: string, catchall: boolean): string {
  const words = ["deliverable", "disabled", "full", "moved"];
  const end = [...local].findIndex((c) => delimiters.includes(c));
  const base = end > 0 ? local.slice(0, end) : null;
  const coverOf = (name: string): string | undefined =>
    [...list.keys()]
      .filter((entry) => entry.includes("*") && name.length >= entry.length)
      .filter((entry) =>
        entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : name.endsWith(entry.slice(1)),
      )
      .sort((a, b) => b.length - a.length || Number(a.startsWith("*")) - Number(b.startsWith("*")))[0];
  const looked: [entry: string | undefined, matched: string][] = [
    [tag + local, "mailbox"],
    [local, "mailbox"],
    [coverOf(local), "pattern"],
    [base ?? undefined, "subaddress"],
    [base === null ? undefined : coverOf(base), "pattern"],
  ];
  for (const [entry, matched] of looked) {
    const state = entry === undefined ? undefined : list.get(entry);
    if (state !== undefined) return `${words[state]} ${matched}`;
  }
  if (catchall) return "deliverable catch-all";
  return /^\.|\.\.|\.$/.test(tag + local) ? "malformed" : "unknown";
}

describe("patterns", () => {
  const names = listOf(["ticket-1", "alice", "ops-support"]);
  const patterns: List = new Map([
    ["ticket-*", ACTIVE],
    ["ticket-vip-*", FULL],
    ["*-support", MOVED],
    ["ceo-*", DISABLED],
    ["bounces+*", ACTIVE],
    ["alice+*", DISABLED],
    ["x.*", ACTIVE],
    ["post-*", DISABLED],
  ]);
  const withPatterns = (settings: Partial<DomainPolicy> = {}, list: List = names, of: List = patterns) =>
    published(list, settings, { patterns: { table: patternTable(of), departedUntil: 0 } });
  const list = withPatterns();

  it.each([
    ["ticket-7", "deliverable pattern"],
    ["TICKET-7", "deliverable pattern"],
    ['"ticket-7"', "deliverable pattern"],
    ["prvs=1234abcdef=ticket-7", "deliverable pattern"],
    ["ticket-7+x", "deliverable pattern"],
    ["ticket-7-8-9-10-11-12", "deliverable pattern"],
    // An exact name goes first, also without its tag, and decides for itself alone.
    ["ticket-1", "deliverable mailbox"],
    ["prvs=1234abcdef=ticket-1", "deliverable mailbox"],
    ["ops-support", "deliverable mailbox"],
    // The longest fixed part decides.
    ["ticket-vip-7", "full pattern"],
    ["ticket-support", "moved pattern"],
    ["ticket-vip-support", "full pattern"],
    ["dev-support", "moved pattern"],
    ["ceo-office", "disabled pattern"],
    ["bounces+list=elsewhere.example", "deliverable pattern"],
    // Before the subaddress.
    ["alice+news", "disabled pattern"],
    ["alice", "deliverable mailbox"],
    // Without its subaddress a name is looked up as if it had none: first by itself, then by its patterns.
    ["dev-support+tag", "moved pattern"],
    ["DEV-support+", "moved pattern"],
    ["prvs=1234abcdef=dev-support+tag", "moved pattern"],
    ["a-b-c-support+d-e-f-g", "moved pattern"],
    ["ops-support+tag", "deliverable subaddress"],
    // What covers the whole of it goes before.
    ["ticket-1+tag", "deliverable pattern"],
    ["ceo-support+tag", "disabled pattern"],
    ["x+ceo-support", "moved pattern"],
    ["+dev-support", "moved pattern"],
    ["support+tag", "unknown"],
    ["-support+tag", "unknown"],
    ["dev-support=tag", "unknown"],
    // A syntax error does not matter for what is listed.
    ["ticket-a..b", "deliverable pattern"],
    ["x.y", "deliverable pattern"],
    // The asterisk stands for one character at least, and only behind its delimiter.
    ["ticket-", "unknown"],
    ["-support", "unknown"],
    ["ticket", "unknown"],
    ["ticket+7", "unknown"],
    ["myticket-7", "unknown"],
    ["support", "unknown"],
    ["dev-support-x", "unknown"],
    ["postmaster", "deliverable postmaster"],
    ["nobody-7", "unknown"],
  ])("%s is %s", (text, expected) => {
    expect(saying(list, text)).toBe(expected);
  });

  it("decide as a person would read the list, for any list and name", () => {
    const text = fc.stringMatching(/^[ab+=.-]{1,7}$/);
    const entry = fc.oneof(
      text,
      text.filter((fixed) => /[+=.-]$/.test(fixed)).map((fixed) => `${fixed}*`),
      text.filter((fixed) => /^[+=.-]/.test(fixed)).map((fixed) => `*${fixed}`),
    );
    const entries = fc.uniqueArray(
      entry.filter((each) => each.replace(/[^+=.-]/g, "").length <= 4),
      { minLength: 1, maxLength: 12 },
    );
    const tag = fc.constantFrom("", "", "", "prvs=1234abcdef=");
    const delimiters = fc.constantFrom("", "+", "+", "-", "+-", "=.");
    forAll(
      [entries, fc.tuple(tag, text), delimiters, fc.boolean()],
      (listed, [before, local], cutAt, catchall) => {
        const states = new Map(listed.map((each, i) => [each, i % 4]));
        const isFixed = ([each]: [string, number]): boolean => !each.includes("*");
        const names: List = new Map([...states].filter(isFixed));
        const of: List = new Map([...states].filter((each) => !isFixed(each)));
        const policy = { delimiters: cutAt, catchall };
        const made = of.size > 0 ? withPatterns(policy, names, of) : published(names, policy);
        expect(saying(made, before + local)).toBe(asRead(states, before, local, cutAt, catchall));
      },
      { numRuns: 3_000 },
    );
  });

  it("say which one matched", () => {
    expect(ask(list, "Ticket-VIP-7")).toMatchObject({
      kind: "found",
      matched: "pattern",
      pattern: "ticket-vip-*",
    });
    expect(ask(list, "dev-support")).toMatchObject({ pattern: "*-support" });
    expect(ask(list, "dev-support+tag")).toMatchObject({ pattern: "*-support" });
    expect(ask(list, "alice")).not.toHaveProperty("pattern");
  });

  it("go before subaddresses with the same delimiter, and before the catch-all", () => {
    const dashes = withPatterns({ delimiters: "-", catchall: true }, listOf(["ceo", "ticket"]));
    expect(saying(dashes, "ceo-office")).toBe("disabled pattern");
    expect(saying(dashes, "ticket-7")).toBe("deliverable pattern");
    expect(saying(dashes, "ceo+office")).toBe("deliverable catch-all");
    expect(saying(withPatterns({ delimiters: "-" }, listOf(["bob"])), "bob-x")).toBe(
      "deliverable subaddress",
    );
  });

  it("have no dot as delimiter if dots are ignored", () => {
    const ignored = withPatterns({ dots: "ignored" });
    expect(saying(ignored, "x.y")).toBe("unknown");
    expect(saying(ignored, "tick.et-7.1")).toBe("deliverable pattern");
  });

  it("match by case if the policy says so", () => {
    const sensitive = withPatterns({ case: "sensitive" }, names, new Map([["Ticket-*", ACTIVE]]));
    expect(saying(sensitive, "Ticket-7")).toBe("deliverable pattern");
    expect(saying(sensitive, "ticket-7")).toBe("unknown");
  });

  it("need no blob beside those of the names", () => {
    const many = published(names, {}, { patterns: { table: patternTable(patterns), departedUntil: 0 } }, 4);
    const asked = new Set<number>();
    const shard = (index: number): Shard => {
      asked.add(index);
      return decodeShard(many.packed.shards[index] as Uint8Array);
    };
    const departures = () => expect.fail("departures were read");
    expect(saying({ ...many, holdings: { shard, departures } }, "nobody-a-b-c-d-e-f")).toBe("unknown");
    expect(asked.size).toBe(1);
  });

  it("that refuse from now on are deferred until their grace ends", () => {
    const until = NOW / 1000 + 3601;
    const tail = tailOf(fingerprint(KEY.names, "off-\0"));
    const blob = encodeDepartures({ tails: Float64Array.of(tail), until: Uint32Array.of(until) }, 0);
    const departures = { ...tableOf([blob], 0), count: 1 };
    const table = patternTable(new Map([["off-*", DISABLED]]));
    const at = published(names, {}, { patterns: { table, departedUntil: until }, departures });
    expect(ask(at, "off-7")).toMatchObject({ verdict: "departed", until, matched: null });
    expect(saying(at, "off-7", until * 1000)).toBe("disabled pattern");
    expect(saying(published(names, {}, { patterns: { table, departedUntil: 0 }, departures }), "off-7")).toBe(
      "disabled pattern",
    );
  });

  it("that left are deferred until their grace ends, and only then looked for", () => {
    const until = NOW / 1000 + 3600;
    const gone = ["gone-\0", "\0-left"]
      .map((name) => tailOf(fingerprint(KEY.names, name)))
      .sort((a, b) => a - b);
    const left = { tails: Float64Array.from(gone), until: Uint32Array.of(until, until) };
    const blob = encodeDepartures(left, 0);
    const departures = { ...tableOf([blob], 0), count: 2 };
    for (const table of [null, patternTable(patterns)]) {
      const at = published(names, {}, { patterns: { table, departedUntil: until }, departures });
      expect(saying(at, "gone-7")).toBe("departed");
      expect(saying(at, "prvs=1234abcdef=Gone-7+x", until * 1000 - 1)).toBe("departed");
      expect(saying(at, "gone-7", until * 1000)).toBe("unknown");
      expect(saying(at, "x-left+tag", until * 1000 - 1)).toBe("departed");
      expect(saying(at, "x-left+tag", until * 1000)).toBe("unknown");
      expect(saying(at, "gone", NOW)).toBe("unknown");
      expect(saying(at, "ticket-7")).toBe(table === null ? "unknown" : "deliverable pattern");
    }
    const over = published(names, {}, { patterns: { table: null, departedUntil: NOW / 1000 }, departures });
    expect(saying(over, "gone-7")).toBe("unknown");
    const read: number[] = [];
    const shared = { ...tableOf([blob], 0, false), count: 2 };
    const never = published(names, {}, { patterns: { table: null, departedUntil: 0 }, departures: shared });
    const holdings = {
      shard: never.holdings.shard,
      departures: (index: number) => {
        read.push(index);
        return decodeDepartures(blob);
      },
    };
    expect(saying({ manifest: never.manifest, holdings }, "gone-7-8")).toBe("unknown");
    expect(read).toEqual([0]);
  });
});

describe("a list of any size", () => {
  it.each([
    [0, 0],
    [1, 0],
    [1, 6],
    [8_192, 0],
    [8_193, 1],
    [20_000, 3],
  ])("of %i names in 2^%i shards has all of them and no other", (size, bits) => {
    const states = [ACTIVE, DISABLED, FULL, MOVED];
    const words = ["deliverable", "disabled", "full", "moved"];
    const list = new Map(Array.from({ length: size }, (_, i) => [`user${i}`, states[i % 4] as number]));
    const at = published(list, {}, {}, bits);
    let missed = 0;
    for (const [name, state] of list) if (saying(at, name) !== `${words[state]} mailbox`) missed++;
    expect(missed).toBe(0);
    let found = 0;
    for (let i = 0; i < 5_000; i++) if (saying(at, `nobody${i}`) !== "unknown") found++;
    expect(found).toBe(0);
  });

  it("has each of its names in every equivalent spelling", () => {
    const spelling = fc.record({
      case: fc.constantFrom("insensitive" as const, "sensitive" as const),
      dots: fc.constantFrom("significant" as const, "ignored" as const),
      delimiters: fc.constantFrom("", "+", "-.", "=_"),
    });
    forAll(
      [fc.array(letters(12), { minLength: 1, maxLength: 6 }), spelling],
      (names, settings) => {
        const policy = policyWith(settings);
        const locals = names.filter((name) => canonicalLocalPart(name, policy) !== "");
        const at = published(listOf(locals, ACTIVE, settings), settings);
        for (const local of locals) {
          const quoted = `"${[...local].map((c) => `\\${c}`).join("")}"@EXAMPLE.com.`;
          expect(saying(at, quoted)).toBe("deliverable mailbox");
          expect(saying(at, `"${local.normalize("NFD")}"@example.com`)).toBe("deliverable mailbox");
          expect(saying(at, `prvs=1234abcdef=${local}@example.com`)).toBe("deliverable mailbox");
          if (settings.delimiters !== "" && ![...settings.delimiters].some((c) => local.includes(c))) {
            expect(saying(at, `"${local}${settings.delimiters[0]}x"@example.com`)).toBe(
              "deliverable subaddress",
            );
          }
        }
      },
      { numRuns: 300 },
    );
  });

  it("is malformed if no list can hold its address, whatever catch-all there is", () => {
    const everyone = published(new Map(), { catchall: true });
    const recipient = parseRecipient(`al\u0000ice@${DOMAIN}`);
    if (recipient.kind !== "unlistable") expect.fail(recipient.kind);
    expect(lookup(everyone.manifest, everyone.holdings, recipient, NOW)).toEqual({
      kind: "found",
      verdict: "malformed",
      matched: null,
    });
  });

  it("answers any text without an error, and accepts none if it is empty", () => {
    const nobody = published(new Map(), { postmaster: false });
    forAll(
      [anyText(40)],
      (text) => {
        const recipient = parseRecipient(`${text}@${DOMAIN}`);
        if (recipient.kind !== "mailbox" && recipient.kind !== "unlistable") return;
        const finding = lookup(nobody.manifest, nobody.holdings, recipient, NOW);
        const exact =
          recipient.kind === "mailbox" ? canonicalLocalPart(recipient.local, nobody.manifest.policy) : "";
        expect(finding).toEqual({
          kind: "found",
          verdict: recipient.kind === "mailbox" && recipient.wellFormed ? "unknown" : "malformed",
          matched: null,
          ...(exact === "" ? {} : { name: fingerprint(KEY.names, exact) }),
        });
      },
      { numRuns: 2_000 },
    );
  });
});

describe("a name that is to be counted", () => {
  const departed = (entries: readonly (readonly [name: string, until: number])[]): Published => {
    const sorted = entries
      .map(([name, until]) => [tailOf(fingerprint(KEY.names, name)), until] as const)
      .sort(([a], [b]) => a - b);
    const tails = Float64Array.from(sorted, ([tail]) => tail);
    const until = Uint32Array.from(sorted, ([, second]) => second);
    const inline = encodeDepartures({ tails, until }, 0);
    const table = { bits: 0, inline, ids: new Uint8Array(0), count: tails.length };
    return published(STAFF, {}, { departures: table });
  };
  const counted = (list: Published, text: string): [string, string | null, number | undefined] => {
    const finding = ask(list, text);
    if (finding.kind === "needs") return expect.fail("needs more");
    const name = [
      ...["left", "gone", "dave", "nobody", "nobody+x", "left+x", "gone+left"],
      ...["erin", "erin+tag", "alice", "alice+x"],
    ].find((it) => finding.name !== undefined && tailOf(fingerprint(KEY.names, it)) === tailOf(finding.name));
    return [finding.verdict, name ?? null, finding.until];
  };
  const second = NOW / 1000;
  const list = departed([
    ["left", second + 1],
    ["gone", second],
    ["dave", second + 1],
    ["erin", second - 1],
    ["erin+tag", second + 3],
    // It is accepted by its entry, whatever else is kept of it.
    ["alice", second + 1],
  ]);

  it.each([
    // Deferred since it left, whatever its subaddress: it counts as one name.
    ["left", ["departed", "left", second + 1]],
    ["left+x", ["departed", "left", second + 1]],
    // Its grace is over, and it is still marked.
    ["gone", ["unknown", "gone", second]],
    ["gone+x", ["unknown", "gone", second]],
    // It was suspended, or left and was listed again, and the grace is not over.
    ["dave", ["departed", "dave", second + 1]],
    ["dave+x", ["departed", "dave", second + 1]],
    // The grace of a listed name is over, and it is still marked.
    ["erin", ["moved", "erin", second - 1]],
    ["erin+x", ["moved", "erin", second - 1]],
    // What left is deferred, although a less specific entry refuses it.
    ["erin+tag", ["departed", "erin+tag", second + 3]],
    ["alice", ["deliverable", "alice", undefined]],
    ["alice+x", ["deliverable", "alice", undefined]],
    ["nobody", ["unknown", "nobody", undefined]],
    ["nobody+x", ["unknown", "nobody+x", undefined]],
  ] as const)("is the one that left, was found, or was asked for: %s", (text, expected) => {
    expect(counted(list, text)).toEqual(expected);
  });

  it("is the name that left last, if several did that may be meant", () => {
    const both = departed([
      ["gone+left", second - 5],
      ["gone", second - 3],
    ]);
    expect(counted(both, "gone+left")).toEqual(["unknown", "gone", second - 3]);
    const other = departed([
      ["gone+left", second - 3],
      ["gone", second - 5],
    ]);
    expect(counted(other, "gone+left")).toEqual(["unknown", "gone+left", second - 3]);
  });
});

describe("a name that is listed as disabled", () => {
  it("needs the departures before it is refused, and one that is accepted does not", () => {
    const until = NOW / 1000 + 61;
    const tail = tailOf(fingerprint(KEY.names, "dave"));
    const blob = encodeDepartures({ tails: Float64Array.of(tail), until: Uint32Array.of(until) }, 0);
    const departures = { ...tableOf([blob], 0, false), count: 1 };
    const { manifest, holdings } = published(STAFF, { catchall: true }, { departures });
    const cold = { shard: holdings.shard, departures: () => undefined };
    for (const text of ["dave", "erin+x"])
      expect(ask({ manifest, holdings: cold }, text)).toEqual({
        kind: "needs",
        table: "departures",
        index: 0,
      });
    for (const text of ["alice", "frank", "nobody", "postmaster"])
      expect(ask({ manifest, holdings: cold }, text).kind).toBe("found");
    const warm = { shard: holdings.shard, departures: () => decodeDepartures(blob) };
    expect(saying({ manifest, holdings: warm }, "dave")).toBe("departed");
    expect(saying({ manifest, holdings: warm }, "dave+x", until * 1000 - 1)).toBe("departed");
    expect(ask({ manifest, holdings: warm }, "dave", until * 1000)).toMatchObject({
      verdict: "disabled",
      until,
    });
  });
});

describe("blobs that are not in memory", () => {
  const names = Array.from({ length: 500 }, (_, i) => `user${i}`);
  const list = published(listOf(names), {}, {}, 4);
  const nothing: Holdings = holding();

  it("are requested by number, and decide nothing until then", () => {
    for (const name of ["user1", "user2", "nobody", "user3+x", "postmaster"]) {
      const index = shardOf(fingerprint(KEY.names, name), 4);
      expect(saying({ ...list, holdings: nothing }, name)).toBe(`needs shards ${index}`);
    }
  });

  it("are requested one after another until there is an answer", () => {
    const held: Shard[] = [];
    const asked: number[] = [];
    const at = { ...list, holdings: holding(held) };
    let finding = ask(at, "prvs=1234abcdef=nobody+x");
    while (finding.kind === "needs") {
      expect(asked).not.toContain(finding.index);
      asked.push(finding.index);
      held[finding.index] = decodeShard(list.packed.shards[finding.index] as Uint8Array);
      finding = ask(at, "prvs=1234abcdef=nobody+x");
    }
    expect(finding.verdict).toBe("unknown");
    expect(asked.length).toBeGreaterThan(1);
    expect(asked.length).toBeLessThanOrEqual(3);
  });

  it("are not requested if an earlier name decides", () => {
    const index = shardOf(fingerprint(KEY.names, "user7"), 4);
    const only = {
      shard: (i: number) => (i === index ? list.holdings.shard(i) : undefined),
      departures: () => undefined,
    };
    expect(saying({ ...list, holdings: only }, "user7")).toBe("deliverable mailbox");
  });
});

describe("a name that left", () => {
  const until = NOW / 1000 + 3600;
  const left = new Map(
    ["gone", "gone+list", "alice", "Gone2"].map((name) => [tailOf(fingerprint(KEY.names, name)), until]),
  );

  function columns(bits: number, blob: number) {
    const tails = Float64Array.from(
      [...left.keys()].filter((tail) => departureBlobOf(tail, bits) === blob),
    ).sort();
    return { tails, until: Uint32Array.from(tails, (tail) => left.get(tail) as number) };
  }

  function departing(bits: number, inline: boolean, settings: Partial<DomainPolicy> = {}) {
    const blobs = Array.from({ length: 2 ** bits }, (_, blob) => encodeDepartures(columns(bits, blob), bits));
    const packed = packList(STAFF);
    const content = contentOf(packed, {
      policy: policyWith(settings),
      departures: { ...tableOf(blobs, bits, inline), count: left.size },
    });
    const manifest = openManifest(encodeManifest(content, KEY), DOMAIN, keyFor);
    return { manifest, holdings: holding(packed.shards.map(decodeShard), blobs.map(decodeDepartures)) };
  }

  it.each([
    ["in the manifest", 0, true],
    ["in a blob of their own", 0, false],
    ["in eight blobs", 3, false],
  ])("is deferred until its grace ends, with departures %s", (_, bits, inline) => {
    const at = departing(bits, inline);
    for (const text of ["gone", "GONE", '"gone"', "gone+x", "prvs=1234abcdef=gone", "gone+list"]) {
      expect(saying(at, text)).toBe("departed");
      expect(saying(at, text, until * 1000 - 1)).toBe("departed");
      expect(saying(at, text, until * 1000)).toBe("unknown");
    }
    expect(saying(at, "nobody")).toBe("unknown");
    expect(saying(at, "a..b")).toBe("malformed");
  });

  it("and is listed again is deliverable, as are a catch-all and postmaster", () => {
    expect(saying(departing(0, true), "alice")).toBe("deliverable mailbox");
    expect(saying(departing(0, true), "postmaster")).toBe("deliverable postmaster");
    expect(saying(departing(0, true, { catchall: true }), "gone")).toBe("deliverable catch-all");
  });

  it("needs its blob, and is never unknown without it", () => {
    const at = departing(3, false);
    const blob = departureBlobOf(tailOf(fingerprint(KEY.names, "gone")), 3);
    const missing: Holdings = { shard: at.holdings.shard, departures: () => undefined };
    expect(saying({ ...at, holdings: missing }, "gone")).toBe(`needs departures ${blob}`);
    expect(saying({ ...at, holdings: missing }, "alice")).toBe("deliverable mailbox");
  });
});

describe("a deleted domain", () => {
  const deleted = published(STAFF, { catchall: true }, { deletedUntil: NOW + 86_400_000 });

  it("defers every recipient for its day, then is not served", () => {
    for (const text of ["alice", "nobody", "dave", "postmaster", "@example.com", "a..b"]) {
      expect(saying(deleted, text)).toBe("departed");
      expect(saying(deleted, text, NOW + 86_399_999)).toBe("departed");
      expect(saying(deleted, text, NOW + 86_400_000)).toBe("not-served");
    }
  });

  it("needs none of its blobs", () => {
    const many = published(listOf(["alice"]), {}, { deletedUntil: NOW }, 3);
    expect(saying({ ...many, holdings: holding() }, "alice")).toBe("not-served");
  });
});

describe("sentinels", () => {
  it("are not entries and match nothing", () => {
    const list = published(STAFF);
    for (const text of ["sentinel-plain", "Sentinel-CASE", '"sentinel \\"quoted\\" \\\\ pair"']) {
      expect(saying(list, text)).toBe("unknown");
    }
  });
});

describe("a domain in its list-wide grace", () => {
  const until = NOW + 60_000;
  const list = published(STAFF, {}, { refusesFrom: until });
  const at = (now: number, ...locals: string[]): string[] =>
    locals.map((local) => saying(list, local, now).replace(/ .*/, ""));

  it("defers all that it would refuse, and nothing else", () => {
    expect(at(until - 1, "alice", "frank", "dave", "erin", "nobody", "two..dots")).toEqual([
      "deliverable",
      "full",
      ...["departed", "departed", "departed", "departed"],
    ]);
  });

  it("refuses as ever from then on", () => {
    expect(at(until, "alice", "dave", "erin", "nobody")).toEqual([
      "deliverable",
      "disabled",
      "moved",
      "unknown",
    ]);
  });

  it("asks for the parts of its list that are not in memory", () => {
    const large = published(STAFF, {}, { refusesFrom: until }, 3);
    expect(ask({ ...large, holdings: holding() }, "alice").kind).toBe("needs");
  });
});
