/* Which changes may refuse recipients whom nobody can name, and for how long a domain then refuses nobody. */
import { describe, expect, it } from "vitest";
import { type ListRules, losesUnnamed, MOST_LIST_GRACE, refusesAgainAt } from "../../src/directory/index.ts";
import { policyWith } from "./helpers.ts";

const rules = (settings: Parameters<typeof policyWith>[0] = {}, keyId = "k1"): ListRules => ({
  keyId,
  policy: policyWith(settings),
});

describe("a change that may refuse recipients whom nobody can name", () => {
  it.each([
    ["another key", rules(), rules({}, "k2")],
    ["another case", rules(), rules({ case: "sensitive" })],
    ["other dots", rules(), rules({ dots: "ignored" })],
    ["an alias that begins", rules(), rules({ alias: "other.example" })],
    ["an alias that ends", rules({ alias: "other.example" }), rules()],
    ["another target", rules({ alias: "one.example" }), rules({ alias: "other.example" })],
    ["fewer delimiters", rules({ delimiters: "+-" }), rules({ delimiters: "+" })],
    ["more delimiters", rules({ delimiters: "" }), rules({ delimiters: "+" })],
    ["the end of the catch-all", rules({ catchall: true }), rules({ catchall: false })],
    ["the end of postmaster", rules({ postmaster: true }), rules({ postmaster: false })],
  ])("is %s", (_, before, after) => {
    expect(losesUnnamed(before, after)).toBe(true);
  });

  it.each([
    ["none", rules(), rules()],
    ["the beginning of the catch-all", rules({ catchall: false }), rules({ catchall: true })],
    ["the beginning of postmaster", rules({ postmaster: false }), rules({ postmaster: true })],
    ["a catch-all that stays", rules({ catchall: true }), rules({ catchall: true, text: "see" })],
    ["no postmaster as before", rules({ postmaster: false }), rules({ postmaster: false, grace: 5 })],
  ])("is not %s", (_, before, after) => {
    expect(losesUnnamed(before, after)).toBe(false);
  });
});

describe("the list-wide grace", () => {
  it("is the departure grace, a day at most", () => {
    expect(MOST_LIST_GRACE).toBe(24 * 3_600_000);
    expect(refusesAgainAt(1_000, 0)).toBe(1_000);
    expect(refusesAgainAt(1_000, 60)).toBe(61_000);
    expect(refusesAgainAt(1_000, 30 * 86_400)).toBe(1_000 + MOST_LIST_GRACE);
  });
});
