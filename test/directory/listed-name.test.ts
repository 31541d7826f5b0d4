import { describe, expect, it } from "vitest";
import { listedName } from "../../src/directory/address/listed-name.ts";
import { policyWith } from "./helpers.ts";

describe("the name of an address in a list", () => {
  it.each<[string, string]>([
    ["John@Example.COM", "john"],
    ["@relay.example:alice@example.com", "alice"],
    ['"jane"@example.com', "jane"],
    ["john..doe@example.com", "john..doe"],
    [".x.@example.com", ".x."],
    ['"a b"@example.com', "a b"],
    ["Ticket-*@example.com", "ticket-\0"],
    ["*-Support@example.com", "\0-support"],
    ['"a b-*"@example.com', "a b-\0"],
    ["Info.*@example.com", "info.\0"],
    ["a\\*B@example.com", "a*b"],
    ['"a\\*b"@example.com', "a*b"],
  ])("%s", (address, name) => {
    expect(listedName(address, "example.com", policyWith())).toBe(name);
  });

  it.each<[string, string]>([
    ["nothing", "no domain"],
    ["postmaster", "no domain"],
    ["a@", "no valid domain after the @"],
    ["a@[192.0.2.1]", "an address literal, which no list can contain"],
    ["a@example.org", "an address of example.org, not of example.com"],
    ['""@example.com', "no local part before the @"],
    ["ticket-*@example.org", "an address of example.org, not of example.com"],
    ["a b-*@example.com", "the local part has characters that need quotes"],
    ["a-b-c-d-e-*@example.com", "a pattern has at most 4 of - + = _ # ~ . ! % /, and this one has 5"],
    [
      "*@example.com",
      "a catch-all: set catchall = true in the table of the domain, or remove the line; then only listed names are accepted",
    ],
    ['"*"@example.com', "no local part before the @"],
    ["a b@example.com", "the local part has characters that need quotes"],
    ["a@b@example.com", "the local part has characters that need quotes"],
    [
      "@example.com",
      "a catch-all: set catchall = true in the table of the domain, or remove the line; then only listed names are accepted",
    ],
  ])("%s has none", (address, fault) => {
    expect(listedName(address, "example.com", policyWith())).toEqual({ fault });
  });

  it("is not needed for the catch-all that the policy has", () => {
    const policy = policyWith({ catchall: true });
    expect(listedName("@example.com", "example.com", policy)).toBeNull();
    expect(listedName('""@example.com', "example.com", policy)).toEqual({
      fault: "no local part before the @",
    });
  });

  it("is not empty, if dots are ignored", () => {
    const policy = policyWith({ dots: "ignored" });
    expect(listedName("j.d@example.com", "example.com", policy)).toBe("jd");
    expect(listedName("...@example.com", "example.com", policy)).toEqual({
      fault: "the local part is empty without its dots",
    });
  });

  it.each(["ticket*@example.com", "a*b@example.com", "*@*.example.com"])("%s is no pattern", (address) => {
    expect(listedName(address, "example.com", policyWith())).toEqual({
      fault: expect.stringContaining("a pattern: ticket-* or *-support"),
    });
  });

  it("has no dot as delimiter of a pattern, if dots are ignored", () => {
    const policy = policyWith({ dots: "ignored" });
    expect(listedName("info.*@example.com", "example.com", policy)).toEqual({ fault: expect.any(String) });
    expect(listedName(".*@example.com", "example.com", policy)).toEqual({ fault: expect.any(String) });
    expect(listedName("a.b-*@example.com", "example.com", policy)).toBe("ab-\0");
  });

  it("has no control characters", () => {
    expect(listedName("a\u0001@example.com", "example.com", policyWith())).toEqual({
      fault: expect.any(String),
    });
  });
});
