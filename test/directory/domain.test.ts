import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAddressLiteral, toALabel } from "../../src/directory/address/domain.ts";
import { anyText, forAll, letters } from "./helpers.ts";

describe("a domain", () => {
  it.each([
    ["example.com", "example.com"],
    ["EXAMPLE.COM", "example.com"],
    ["example.com.", "example.com"],
    ["localhost", "localhost"],
    ["a-b_c.example", "a-b_c.example"],
    ["192.0.2.1", "192.0.2.1"],
    // The URL parser alone would make 1.2.0.3 of it.
    ["1.2.3", "1.2.3"],
    ["0x7f.1", "0x7f.1"],
    // U-labels, and A-labels in any case, are one domain.
    ["bücher.example", "xn--bcher-kva.example"],
    ["BÜCHER.example", "xn--bcher-kva.example"],
    ["bu\u0308cher.example", "xn--bcher-kva.example"],
    ["XN--BCHER-KVA.EXAMPLE", "xn--bcher-kva.example"],
    ["bücher.example.", "xn--bcher-kva.example"],
    ["bücher。example", "xn--bcher-kva.example"],
    ["bücher.example。", "xn--bcher-kva.example"],
    ["faß.example", "xn--fa-hia.example"],
    ["例え.テスト", "xn--r8jz45g.xn--zckzah"],
    ["مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"],
    ["βόλος.example", "xn--nxasmm1c.example"],
    ["ＥＸＡＭＰＬＥ.com", "example.com"],
    ["1.2.ü", "1.2.xn--tda"],
    ["\u212aelvin.example", "kelvin.example"],
  ])("%s has the canonical spelling %s", (text, domain) => {
    expect(toALabel(text)).toBe(domain);
  });

  it.each([
    "",
    ".",
    "..",
    ".com",
    "example..com",
    "example.com..",
    "ü..",
    ".ü",
    "ü..example",
    "。",
    "exam ple.com",
    "example.com\n",
    "\texample.com",
    "ü\n.example",
    "ü\u00a0.example",
    "user@example.com",
    "exämple.com:80",
    "exämple.com/x",
    "exämple.com\\x",
    "exämple.com?x",
    "exämple.com#x",
    "ex%C3%A4mple.com",
    "exä%6dple.com",
    "u@exämple.com",
    // Full-width forms that map to characters which end a host name.
    "exämple.com／x",
    "exämple.com？x",
    "exämple.com＃x",
    "exämple.com：80",
    "u＠exämple.com",
    "ex％41mple.com",
    "[192.0.2.1]",
    "[IPv6:::1]",
    "exämple.[com]",
    "ex*mple.com",
    "ex\ud800mple.com",
    "ex\ufffdmple.com",
    `${"a".repeat(64)}.com`,
    `${"ü".repeat(63)}.com`,
    `${"a.".repeat(126)}aa`,
    `ü.${"a.".repeat(126)}`,
    "ü".repeat(100_000),
    "a".repeat(100_000),
  ])("is not %j", (text) => {
    expect(toALabel(text)).toBeNull();
  });

  it("has labels of up to 63 octets, and 253 octets in all without the trailing dot", () => {
    expect(toALabel(`${"a".repeat(63)}.com`)).toBe(`${"a".repeat(63)}.com`);
    const longest = `${"a.".repeat(126)}a`;
    expect(longest).toHaveLength(253);
    expect(toALabel(longest)).toBe(longest);
    expect(toALabel(`${longest}.`)).toBe(longest);
  });

  it("has at most 1,012 characters before IDNA drops those that it ignores", () => {
    const ignored = (count: number): string => `ü${"\u00ad".repeat(count)}.example`;
    expect(toALabel(ignored(1_012 - "ü.example".length))).toBe("xn--tda.example");
    expect(toALabel(ignored(1_013 - "ü.example".length))).toBeNull();
  });

  const spelled = fc.oneof(
    letters(),
    anyText(20),
    fc.array(letters(6), { minLength: 1, maxLength: 4 }).map((labels) => labels.join(".")),
    fc.stringMatching(/^[a-zA-Z0-9_-]{1,9}(?:\.[a-zA-Z0-9_-]{1,9}){0,3}\.?$/),
  );

  it("in its canonical spelling is unchanged, and has only A-labels", () => {
    forAll(
      [spelled],
      (text) => {
        const domain = toALabel(text);
        if (domain === null) return;
        expect(domain).toMatch(/^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/);
        expect(toALabel(domain)).toBe(domain);
        expect(toALabel(`${domain.toUpperCase()}.`)).toBe(domain);
      },
      { numRuns: 3_000 },
    );
  });

  it("is the same in NFC and NFD, in upper and lower case", () => {
    const label = fc.stringMatching(/^[a-zäöüéèñåøçčšž]{1,12}$/);
    forAll([fc.array(label, { minLength: 1, maxLength: 3 })], (labels) => {
      const domain = `${labels.join(".")}.example`;
      const expected = toALabel(domain);
      expect(expected).not.toBeNull();
      expect(toALabel(domain.normalize("NFD"))).toBe(expected);
      expect(toALabel(domain.toUpperCase())).toBe(expected);
      expect(toALabel(`${domain.normalize("NFD").toUpperCase()}.`)).toBe(expected);
    });
  });
});

describe("an address literal", () => {
  it("has at most 253 characters", () => {
    expect(isAddressLiteral(`[${"a".repeat(251)}]`)).toBe(true);
    expect(isAddressLiteral(`[${"a".repeat(252)}]`)).toBe(false);
  });

  it.each(["[192.0.2.1]", "[IPv6:2001:db8::1]", "[IPv6:::1]", "[tag:x!y]", "[]"])("is %s", (text) => {
    expect(isAddressLiteral(text)).toBe(true);
    expect(toALabel(text)).toBeNull();
  });

  it.each([
    "192.0.2.1",
    "[192.0.2.1",
    "192.0.2.1]",
    "[a b]",
    "[[a]]",
    "[a\\b]",
    "[a]b",
    "x[192.0.2.1]",
    "[é]",
    `[${"1".repeat(300)}]`,
  ])("is not %s", (text) => {
    expect(isAddressLiteral(text)).toBe(false);
  });
});
