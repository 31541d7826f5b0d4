import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalLocalPart,
  furtherCandidates,
  isKnownCanonicaliser,
} from "../../src/directory/address/canonical.ts";
import type { DomainPolicy } from "../../src/directory/address/policy.ts";
import { anyCharacters, anyText, forAll, letters, policyWith } from "./helpers.ts";

const canonical = (local: string, settings: Partial<DomainPolicy> = {}): string =>
  canonicalLocalPart(local, policyWith(settings));

const further = (local: string, settings: Partial<DomainPolicy> = {}): string[] =>
  furtherCandidates(local, policyWith(settings)).map(({ name }) => name);

const spelling = fc.record({
  case: fc.constantFrom("insensitive" as const, "sensitive" as const),
  dots: fc.constantFrom("significant" as const, "ignored" as const),
});

describe("the canonical local part", () => {
  it.each([
    ["John.Smith", "john.smith"],
    ["JÖRG", "jörg"],
    ["Jo\u0308rg", "jörg"],
    // Capital and small sigma, within a word and at its end.
    ["ΟΔΥΣΣΕΥΣ", "οδυσσευσ"],
    ["οδυσσευς", "οδυσσευσ"],
    ["οδυσσευσ", "οδυσσευσ"],
    ["ΣΑΣ.ΝΑΣ", "σασ.νασ"],
    ["\u212aELVIN", "kelvin"],
    ["\u212bngström", "ångström"],
    ["İ", "i\u0307"],
    ["STRAẞE", "straße"],
    ["𐐀", "𐐨"],
    ["한", "\u1112\u1161\u11ab".normalize("NFC")],
  ])("of %s is %s if case is insensitive", (local, name) => {
    expect(canonical(local)).toBe(name);
  });

  it("keeps case if it is significant, and is still NFC", () => {
    expect(canonical("John", { case: "sensitive" })).toBe("John");
    expect(canonical("ΝΑΣ", { case: "sensitive" })).toBe("ΝΑΣ");
    expect(canonical("νας", { case: "sensitive" })).toBe("νας");
    expect(canonical("Jo\u0308rg", { case: "sensitive" })).toBe("Jörg");
  });

  it("is postmaster in any case, even if case is significant (RFC 5321 §4.5.1)", () => {
    expect(canonical("PostMaster", { case: "sensitive" })).toBe("postmaster");
    expect(canonical("Post.Master", { case: "sensitive", dots: "ignored" })).toBe("postmaster");
    expect(canonical("Post.Master", { case: "sensitive" })).toBe("Post.Master");
    expect(canonical("PostMasters", { case: "sensitive" })).toBe("PostMasters");
    expect(canonical("NoPostMaster", { case: "sensitive" })).toBe("NoPostMaster");
  });

  it("drops dots only if they are ignored", () => {
    expect(canonical("j.o.h.n", { dots: "ignored" })).toBe("john");
    expect(canonical(".john.", { dots: "ignored" })).toBe("john");
    expect(canonical("...", { dots: "ignored" })).toBe("");
    expect(canonical("j.o.h.n")).toBe("j.o.h.n");
  });

  it("is NFC even if a dot stood before a combining mark", () => {
    expect(canonical("e.\u0301", { dots: "ignored" })).toBe("é");
    expect(canonical("E.\u0301", { dots: "ignored", case: "sensitive" })).toBe("É");
  });

  it("is its own canonical form, for any text and policy", () => {
    forAll(
      [fc.oneof(letters(), anyText(), anyCharacters()), spelling],
      (local, settings) => {
        const name = canonical(local, settings);
        expect(canonical(name, settings)).toBe(name);
        expect(name.normalize("NFC")).toBe(name);
      },
      { numRuns: 2_000 },
    );
  });

  it("is its own canonical form for every single Unicode character", () => {
    const wrong: number[] = [];
    for (let code = 0; code <= 0x10ffff; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const name = canonical(String.fromCodePoint(code));
      if (canonical(name) !== name) wrong.push(code);
    }
    expect(wrong).toEqual([]);
  });

  it("is the same for NFC, NFD and any mix of them", () => {
    forAll([letters(), letters(), spelling], (a, b, settings) => {
      const name = canonical(a + b, settings);
      expect(canonical((a + b).normalize("NFD"), settings)).toBe(name);
      expect(canonical((a + b).normalize("NFC"), settings)).toBe(name);
      expect(canonical(a.normalize("NFD") + b, settings)).toBe(name);
    });
  });

  it("is the same in upper and lower case for letters that have both", () => {
    const paired = fc
      .array(
        fc
          .integer({ min: 0x41, max: 0x58f })
          .map((code) => String.fromCodePoint(code))
          .filter(
            (c) =>
              /\p{L}/u.test(c) &&
              c.toUpperCase().toLowerCase() === c.toLowerCase() &&
              c.toUpperCase().length === c.length,
          ),
        { minLength: 1, maxLength: 16 },
      )
      .map((parts) => parts.join(""));
    forAll([paired], (local) => {
      expect(canonical(local.toUpperCase())).toBe(canonical(local));
      expect(canonical(local.toLowerCase())).toBe(canonical(local));
    });
  });

  it("differs for different plain names", () => {
    const plain = fc.stringMatching(/^[a-z0-9_+=-]{1,8}$/);
    forAll([plain, plain], (a, b) => expect(canonical(a) === canonical(b)).toBe(a === b));
  });
});

describe("further candidates", () => {
  it.each([
    ["alice+news", "+", ["alice"]],
    ["alice+news+daily", "+", ["alice"]],
    ["alice+", "+", ["alice"]],
    ["Alice+News", "+", ["alice"]],
    ["alice", "+", []],
    ["alice+news", "", []],
    ["alice-news", "+", []],
    ["alice-news", "+-", ["alice"]],
    ["alice+x-y", "-+", ["alice"]],
    ["alice+x-y", "+-", ["alice"]],
    ["alice+news", "+-", ["alice"]],
    ["+x-y", "+-", []],
    ["alice=news", "=", ["alice"]],
    // Nothing before the delimiter: never an empty local part.
    ["+news", "+", []],
    ["+", "+", []],
    ["++news", "+", []],
    ["-+news", "+-", []],
  ] as const)("for %s with delimiters %j are %j", (local, delimiters, names) => {
    expect(further(local, { delimiters })).toEqual(names);
  });

  it.each([
    ["prvs=1234abcdef=alice", ["alice"]],
    ["PRVS=1234ABCDEF=Alice", ["alice"]],
    ["prvs=1234abcdef=alice+news", ["alice+news", "alice"]],
    ["prvs=1234abcdef=+news", ["+news"]],
    ["prvs=1234abcdef=a=b", ["a=b"]],
    // Not quite BATV.
    ["prvs=1234abcde=alice", []],
    ["prvs=123xabcdef=alice", []],
    ["prvs=1234abcdeg=alice", []],
    ["prvs=1234abcdef=", []],
    ["xprvs=1234abcdef=alice", []],
    ["abcd=prvs=1234abcdef=alice", []],
    ["btv1==1234abcdef==alice", []],
  ])("for %s with its tag are %j", (local, names) => {
    expect(further(local)).toEqual(names);
  });

  it("say what matched: a tag is the mailbox itself, a subaddress is not", () => {
    expect(furtherCandidates("prvs=1234abcdef=alice+news", policyWith())).toEqual([
      { name: "alice+news", matched: "mailbox" },
      { name: "alice", matched: "subaddress" },
    ]);
  });

  it("of a list with patterns are the cuts of the name without its tag, and new ones without its subaddress", () => {
    const candidates = furtherCandidates(
      "prvs=1234abcdef=Tick.et-7+x",
      policyWith({ dots: "ignored" }),
      true,
    );
    expect(candidates).toEqual([
      { name: "ticket-7+x", matched: "mailbox" },
      { name: "ticket-7+\0", matched: "pattern" },
      { name: "ticket-\0", matched: "pattern" },
      { name: "\0-7+x", matched: "pattern" },
      { name: "\0+x", matched: "pattern" },
      { name: "ticket-7", matched: "subaddress" },
      { name: "\0-7", matched: "pattern" },
    ]);
    expect(furtherCandidates("A-b", policyWith(), true)).toEqual([
      { name: "a-\0", matched: "pattern" },
      { name: "\0-b", matched: "pattern" },
    ]);
    expect(furtherCandidates("A-b", policyWith())).toEqual([]);
  });

  it("of a list with patterns have each pattern once, twelve at most, whatever the name and the policy", () => {
    const most = furtherCandidates(`${"a-".repeat(8)}+${"-b".repeat(8)}`, policyWith(), true);
    expect(most.filter(({ matched }) => matched === "pattern")).toHaveLength(12);
    forAll(
      [
        fc.oneof(anyText(), fc.stringMatching(/^(?:prvs=1234abcdef=)?(?:[ab.+=-]|\u0301|\u0338){0,24}$/)),
        fc.constantFrom("", "+", "-", ".", "+-", "=.", "+-._"),
        spelling,
      ],
      (local, delimiters, settings) => {
        const candidates = furtherCandidates(local, policyWith({ delimiters, ...settings }), true);
        const tried = candidates.filter(({ matched }) => matched === "pattern").map(({ name }) => name);
        expect(tried.length).toBeLessThanOrEqual(12);
        expect(new Set(tried).size).toBe(tried.length);
      },
      { numRuns: 3_000 },
    );
  });

  it("are known under both versions, and not under that of the cuts before", () => {
    expect([0, 1, 2, 3, 4].map(isKnownCanonicaliser)).toEqual([false, true, false, true, false]);
  });

  it("never include the empty name, for any text and policy", () => {
    expect(further("...+x", { dots: "ignored" })).toEqual([]);
    expect(further("prvs=1234abcdef=...", { dots: "ignored" })).toEqual([]);
    forAll(
      [
        fc.oneof(anyText(), fc.stringMatching(/^(?:prvs=1234abcdef=)?[.+a=-]{0,6}$/)),
        fc.constantFrom("", "+", "-", ".", "+-", "=.", "+-._"),
        spelling,
      ],
      (local, delimiters, settings) => {
        const policy = policyWith({ delimiters, ...settings });
        const candidates = furtherCandidates(local, policy);
        expect(candidates.length).toBeLessThanOrEqual(2);
        for (const { name } of candidates) {
          expect(name).not.toBe("");
          expect(canonicalLocalPart(name, policy)).toBe(name);
        }
      },
      { numRuns: 3_000 },
    );
  });
});
