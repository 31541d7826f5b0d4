import { describe, expect, it } from "vitest";
import { Check, queryOf } from "../../src/reader/check.ts";
import { ColdReads } from "../../src/reader/cold-reads.ts";

describe("queryOf", () => {
  it("reads the recipient, and keeps the text as it was sent", () => {
    expect(queryOf("Alice@Example.COM.")).toMatchObject({
      text: "Alice@Example.COM.",
      recipient: { kind: "mailbox", domain: "example.com", local: "Alice" },
      minGeneration: 0,
      isNamed: false,
    });
  });

  it("uses the generation that the client has seen of this domain", () => {
    const seen = { "example.com": 7, "other.example": 9 };
    expect(queryOf("a@EXAMPLE.com", seen).minGeneration).toBe(7);
    expect(queryOf("a@third.example", seen).minGeneration).toBe(0);
    expect(queryOf("a@example.com", null).minGeneration).toBe(0);
    expect(queryOf("postmaster", seen).minGeneration).toBe(0);
    expect(queryOf("postmaster", { null: 7 }).minGeneration).toBe(0);
    // A member that every object inherits is not a domain that the asker named.
    expect(queryOf("a@constructor", seen).minGeneration).toBe(0);
  });

  it("says whether the client's token names the domain", () => {
    const named = new Set(["example.com"]);
    expect(queryOf("a@example.com", null, named).isNamed).toBe(true);
    expect(queryOf("a@other.example", null, named).isNamed).toBe(false);
    expect(queryOf("postmaster", null, named).isNamed).toBe(false);
    expect(queryOf("a@example.com", null, null).isNamed).toBe(false);
  });
});

describe("a check", () => {
  const at = (number: number, incarnation = 1) => ({ incarnation, number });

  it("has tried nothing at first", () => {
    const check = new Check(queryOf("a@example.com"));
    expect(check).toMatchObject({ soughtGeneration: false, confirmations: 0 });
    expect(check.hasTriedManifest("example.com", at(0))).toBe(false);
    expect(check.hasTriedBlob("shard", { incarnation: 1, generation: 1 })).toBe(false);
  });

  it("has tried a manifest for its number and lower ones of the same log, until the next confirmation", () => {
    const check = new Check(queryOf("a@example.com"));
    check.noteManifest("example.com", at(5));
    expect([4, 5, 6].map((number) => check.hasTriedManifest("example.com", at(number)))).toEqual([
      true,
      true,
      false,
    ]);
    expect(check.hasTriedManifest("example.com", at(5, 2))).toBe(false);
    expect(check.hasTriedManifest("other.example", at(5))).toBe(false);
    check.noteManifest("other.example", at(2));
    expect(check.hasTriedManifest("example.com", at(5))).toBe(true);
    check.noteConfirmed();
    expect(check.hasTriedManifest("example.com", at(5))).toBe(false);
  });

  it("remembers every blob that it tried for a generation of one log, confirmed or not", () => {
    const check = new Check(queryOf("a@example.com"));
    const of = (generation: number, incarnation = 1) => ({ incarnation, generation });
    check.noteBlob("one", of(7));
    check.noteBlob("two", of(7));
    check.noteConfirmed();
    const tried = ["one", "two", "three"].map((name) => check.hasTriedBlob(name, of(7)));
    expect(tried).toEqual([true, true, false]);
    expect(check.hasTriedBlob("one", of(8))).toBe(false);
    expect(check.hasTriedBlob("one", of(7, 2))).toBe(false);
  });
});

describe("cold reads", () => {
  it("are sixteen, until they are allowed again", () => {
    const reads = new ColdReads();
    for (let i = 0; i < 16; i++) {
      expect(reads.areUsedUp).toBe(false);
      reads.take();
    }
    expect(reads.areUsedUp).toBe(true);
    reads.allow();
    expect(reads.areUsedUp).toBe(false);
  });
});
