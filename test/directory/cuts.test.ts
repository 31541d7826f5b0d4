import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cutsOf,
  isPattern,
  MAX_PATTERN_DELIMITERS,
  PATTERN_DELIMITERS,
  patternName,
  readAsterisk,
  shownName,
} from "../../src/directory/address/cuts.ts";
import { policyFault } from "../../src/directory/address/policy.ts";
import { forAll } from "./helpers.ts";

const cuts = (name: string): string[] => cutsOf(name).map(shownName);

/** Names in which delimiters are frequent. */
const names = fc
  .array(fc.oneof(fc.constantFrom(...PATTERN_DELIMITERS), fc.constantFrom("a", "b", "é", "*", "𐐨")), {
    maxLength: 24,
  })
  .map((parts) => parts.join(""));

/** What the rule says, word for word, for every way to split a name in two. */
function reference(name: string): string[] {
  const few = (part: string): boolean =>
    part.split("").filter((c) => PATTERN_DELIMITERS.includes(c)).length <= 4;
  const places = Array.from({ length: Math.max(0, name.length - 1) }, (_, i) => i + 1);
  const prefixes = places
    .map((at) => name.slice(0, at))
    .filter((part) => PATTERN_DELIMITERS.includes(part.slice(-1)) && few(part))
    .map((part) => ({ length: part.length, rank: 0, text: `${part}*` }));
  const suffixes = places
    .map((at) => name.slice(at))
    .filter((part) => PATTERN_DELIMITERS.includes(part.slice(0, 1)) && few(part))
    .map((part) => ({ length: part.length, rank: 1, text: `*${part}` }));
  return [...prefixes, ...suffixes]
    .sort((a, b) => b.length - a.length || a.rank - b.rank)
    .map(({ text }) => text);
}

describe("the cuts of a name", () => {
  it.each<[string, string[]]>([
    ["", []],
    ["ticket", []],
    ["ticket-7", ["ticket-*", "*-7"]],
    ["ticket-7-support", ["*-7-support", "ticket-7-*", "*-support", "ticket-*"]],
    // Of two of one length, the prefix.
    ["aa-bb", ["aa-*", "*-bb"]],
    // The asterisk stands for one character at least.
    ["ticket-", ["*-"]],
    ["-support", ["-*"]],
    ["-", []],
    ["a-", ["*-"]],
    ["a--b", ["a--*", "*--b", "a-*", "*-b"]],
    ["-a-", ["-*", "*-"]],
    [
      "bounces+list-2026-11-25-a.b=c.example",
      [
        "bounces+list-2026-11-*",
        "bounces+list-2026-*",
        "*-a.b=c.example",
        "bounces+list-*",
        "*.b=c.example",
        "*=c.example",
        "bounces+*",
        "*.example",
      ],
    ],
  ])("%s", (name, expected) => {
    expect(cuts(name)).toEqual(expected);
  });

  it("are made at each delimiter, and nowhere else", () => {
    for (let code = 33; code < 127; code++) {
      const c = String.fromCharCode(code);
      expect(cutsOf(`a${c}b`).length > 0, c).toBe("-+=_#~.!%/".includes(c));
    }
  });

  it("are those of the rule, for any name", () => {
    forAll([names], (name) => {
      expect(cuts(name)).toEqual(reference(name));
    });
  });

  it("are at most eight, whatever the name", () => {
    expect(cutsOf("-".repeat(64))).toHaveLength(8);
    expect(MAX_PATTERN_DELIMITERS).toBe(4);
  });
});

describe("a pattern", () => {
  it("is found by every name that it covers, and by no other", () => {
    const fixed = names.filter((text) => text !== "");
    forAll([fixed, names, fc.boolean()], (part, rest, isPrefix) => {
      const name = patternName(part, isPrefix);
      fc.pre(typeof name === "string");
      expect(isPattern(name as string)).toBe(true);
      const covered = isPrefix ? part + rest : rest + part;
      expect(cutsOf(covered).includes(name as string)).toBe(rest !== "");
      const isCovered = (isPrefix ? rest.startsWith(part) : rest.endsWith(part)) && rest !== part;
      expect(cutsOf(rest).includes(name as string)).toBe(isCovered);
    });
  });

  it("has the delimiters that a policy may have", () => {
    for (let code = 33; code < 127; code++) {
      const c = String.fromCharCode(code);
      expect(PATTERN_DELIMITERS.includes(c), c).toBe(policyFault("delimiters", c) === null);
    }
  });

  it.each<[string, boolean, string]>([
    ["ticket-", true, "ticket-*"],
    ["-support", false, "*-support"],
    ["a-b-c-d-", true, "a-b-c-d-*"],
    ["a*b-", true, "a*b-*"],
  ])("%s, at the start: %s", (fixed, isPrefix, shown) => {
    const name = patternName(fixed, isPrefix) as string;
    expect(name).toBe(isPrefix ? `${fixed}\0` : `\0${fixed}`);
    expect(isPrefix && fixed.includes("*") ? shown : shownName(name)).toBe(shown);
  });

  it.each<[string, boolean]>([
    ["ticket", true],
    ["-ticket", true],
    ["support-", false],
    ["", true],
    ["", false],
  ])("is none without a delimiter beside the asterisk: %j, at the start: %s", (fixed, isPrefix) => {
    expect(patternName(fixed, isPrefix)).toEqual({
      fault:
        "an asterisk makes a pattern: ticket-* or *-support, with one of - + = _ # ~ . ! % / beside it (where dots are ignored, . is none); write \\* for an asterisk itself",
    });
  });

  it("is none with more delimiters than a name is cut at", () => {
    expect(patternName("a-b-c-d-e-", true)).toEqual({
      fault: "a pattern has at most 4 of - + = _ # ~ . ! % /, and this one has 5",
    });
    expect(patternName("-a-b-c-d-e", false)).toEqual({ fault: expect.stringContaining("has 5") });
  });

  it("is no other name", () => {
    expect(isPattern("ticket-*")).toBe(false);
    expect(shownName("alice")).toBe("alice");
  });
});

describe("an address of a list", () => {
  it.each<[string, ReturnType<typeof readAsterisk>]>([
    ["", { text: "", has: "all" }],
    ["alice@d", { text: "alice@d", has: "all" }],
    ["ticket-*@d", { text: "ticket-@d", has: "start" }],
    ["*-support@d", { text: "-support@d", has: "end" }],
    ['"a b-*"@d', { text: '"a b-"@d', has: "start" }],
    ['"*-a b"@d', { text: '"-a b"@d', has: "end" }],
    ["a\\*b@d", { text: "a*b@d", has: "all" }],
    ['"a\\*b"@d', { text: '"a*b"@d', has: "all" }],
    ['"a\\\\\\*"@d', { text: '"a\\\\*"@d', has: "all" }],
    ["\\*-*@d", { text: "*-@d", has: "start" }],
    ["*@d", { text: "@d", has: "all" }],
    ['"*"@d', { text: '""@d', has: "start" }],
    ['"a@b-*"@d', { text: '"a@b-"@d', has: "start" }],
    ["ticket\\-x@d", { text: "ticket\\-x@d", has: "all" }],
    // What is left is read as any address, and is no address of the list.
    ["*", { text: "", has: "end" }],
  ])("%s", (address, expected) => {
    expect(readAsterisk(address)).toEqual(expected);
  });

  it("may have a domain of any length behind its asterisk", () => {
    expect(readAsterisk("ticket-*@example.com")).toEqual({ text: "ticket-@example.com", has: "start" });
  });

  it.each([
    "a-*@*.d",
    "a*b@d",
    "*-*@d",
    "**@d",
    "alice@*.d",
    "alice@d*",
    "a-*x@d",
    "x*-a@d",
    'x"*-a"@d',
    '"a\\\\*b"@d',
    "a-*@b@d",
  ])("%s has an asterisk in a place that means nothing", (address) => {
    expect(readAsterisk(address)).toEqual({
      fault: expect.stringContaining("write \\* for an asterisk itself"),
    });
  });
});
