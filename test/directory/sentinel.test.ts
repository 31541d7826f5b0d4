import { describe, expect, it } from "vitest";
import type { DomainPolicy } from "../../src/directory/address/policy.ts";
import { sentinels } from "../../src/directory/address/sentinel.ts";
import { KEY, keyFor, policyWith } from "./helpers.ts";

const under = (settings: Partial<DomainPolicy> = {}, key = KEY): string[] =>
  sentinels(key.names, policyWith(settings));

describe("the sentinels", () => {
  it("are all parsed, and differ from each other", () => {
    expect(under()).not.toContain("unreadable");
    expect(new Set(under()).size).toBe(under().length);
    for (const sentinel of under()) expect(sentinel).toMatch(/^[0-9a-f]{16}$/);
  });

  it("all differ under another key", () => {
    const other = under({}, keyFor("example.com", 2));
    expect(under().filter((sentinel) => other.includes(sentinel))).toEqual([]);
  });

  it.each<Partial<DomainPolicy>>([
    { case: "sensitive" },
    { dots: "ignored" },
    { delimiters: "" },
    { delimiters: "-" },
    { delimiters: "=" },
    { delimiters: "_" },
    { delimiters: "." },
  ])("distinguish the spelling %j from the default", (settings) => {
    expect(under(settings)).not.toEqual(under());
  });

  it("are the same for settings that do not change the lookup", () => {
    const settings = {
      catchall: true,
      postmaster: false,
      alias: "example.org",
      text: "x",
      grace: 0,
      guard: 1,
    };
    expect(under(settings)).toEqual(under());
  });

  it("of a list with patterns cover the cuts, and are others", () => {
    const withCuts = sentinels(KEY.names, policyWith(), true);
    expect(withCuts).not.toContain("unreadable");
    expect(new Set(withCuts).size).toBe(withCuts.length);
    expect(withCuts.length).toBeGreaterThan(under().length);
    // Those without a delimiter have no cuts.
    expect(withCuts.filter((each) => under().includes(each))).toEqual([under()[2], under()[8], under()[9]]);
    expect(sentinels(KEY.names, policyWith(), false)).toEqual(under());
  });

  it("of a list with patterns are pinned: a changed rule of the cuts needs a new version", () => {
    expect(sentinels(KEY.names, policyWith(), true).join(" ")).toMatchInlineSnapshot(
      `"4b32f8fd78391233 3edaca6b52983e2f 22b56fe567acff06 ccd8a7b353703dc0 de1a9e55a06c4841 be43f552f8739b18 3a68605b96ee12bd 981b7d0887647d54 07d778cce4500695 9f5d6ce93b2c2a4a df3ad8b3c3a23f38 19cad976fd1198ec 4a812f3029742b20 56399a1318302907 015295a12ebea738 4bbecdb6801ae370 1f36a0d6bdd1e71b"`,
    );
    expect(sentinels(KEY.names, policyWith({ dots: "ignored" }), true).join(" ")).toMatchInlineSnapshot(
      `"4b32f8fd78391233 3edaca6b52983e2f 22b56fe567acff06 d1809bacca6e25f1 de1a9e55a06c4841 0d03a3cc996574a5 3a68605b96ee12bd 981b7d0887647d54 07d778cce4500695 9f5d6ce93b2c2a4a df3ad8b3c3a23f38 19cad976fd1198ec 4a812f3029742b20 40603fd081d80dba 90287a5f0204f106 4bbecdb6801ae370 bda353885eaadabb"`,
    );
  });

  it("are pinned: a changed rule of the canonicaliser needs a new version", () => {
    const all = [{}, { case: "sensitive", dots: "ignored", delimiters: "-=" }] as const;
    expect(all.map((settings) => under(settings).join(" "))).toMatchInlineSnapshot(`
      [
        "624a84b61f0f17f1 895be73655d8be8c 22b56fe567acff06 3efe4f512b94b668 a1ec896f05a45677 8b2cdfbd26df1646 825c81eb8e3055a7 4dbacf89ec874447 07d778cce4500695 9f5d6ce93b2c2a4a 3618be0ecfc372c8 e7bc6cf3ee47541f 905a478b74d00a14",
        "43d15e12adbc9691 77d209e1c37ccae5 22b56fe567acff06 904ca887dee86115 6ec7d5eb3d436957 1fc243ea5acf03cb 8349d18e47556923 b3d46d1e4aee0555 07d778cce4500695 9f5d6ce93b2c2a4a a0a9b020ca989574 fd96ffdaed504a3d 80bfe76f94fd2c64",
      ]
    `);
  });
});
