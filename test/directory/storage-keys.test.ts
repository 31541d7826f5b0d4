import { describe, expect, it } from "vitest";
import { blobKey, manifestKey, rosterKey } from "../../src/directory/formats/storage-keys.ts";

describe("keys in KV", () => {
  it("are those that the docs name", () => {
    expect(manifestKey("example.com")).toBe("domain/example.com");
    expect(blobKey("example.com", "ab".repeat(32))).toBe(`shard/example.com/${"ab".repeat(32)}`);
    expect(rosterKey("0")).toBe("roster/0");
  });

  it("of the longest domain stay below KV's limit of 512 octets", () => {
    const longest = `${"a.".repeat(126)}a`;
    expect(blobKey(longest, "f".repeat(64)).length).toBeLessThan(512);
  });
});
