import { describe, expect, it } from "vitest";
import { DirectoryError } from "../../src/directory/index.ts";
import { faultKindOf, traceOf } from "../../src/reader/faults.ts";
import { OperationLimitError } from "../../src/reader/index.ts";

describe("faultKindOf", () => {
  it("names a key and a canonicaliser that do not fit, and leaves the rest to the caller", () => {
    expect(faultKindOf(new DirectoryError("key-mismatch", "x"), "damaged_manifest")).toBe("key_mismatch");
    expect(faultKindOf(new DirectoryError("canonicaliser-mismatch", "x"), "damaged_manifest")).toBe(
      "canonicaliser_mismatch",
    );
    expect(faultKindOf(new DirectoryError("damaged", "x"), "damaged_roster")).toBe("damaged_roster");
    expect(faultKindOf({ fault: "key-mismatch" }, "damaged_blob")).toBe("damaged_blob");
  });
});

describe("an error of the code", () => {
  it("is shown by its stack, where it has one", () => {
    const error = new Error("no");
    expect(traceOf(error)).toBe(error.stack);
    const bare = new Error("no stack");
    Object.defineProperty(bare, "stack", { value: undefined });
    expect(traceOf(bare)).toBe("Error: no stack");
    expect(traceOf({ stack: "not an error" })).toBe("[object Object]");
  });

  it("of a request that may do no more says so", () => {
    expect(new OperationLimitError()).toMatchObject({
      name: "OperationLimitError",
      message: "this request has used all the KV and Registry operations that it may use",
    });
  });
});
