import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { questionOf } from "../../src/bridge/answers/question.ts";

describe("the canonical spelling of a recipient", () => {
  // Angle brackets mean the same recipient, and are read the long way.
  const longWay = (text: string) => questionOf(`<${text}>`);

  it("is parsed like the rules of src/directory", () => {
    const piece = fc.string({ unit: fc.constantFrom(...'az09_+=-.@AZ"\\ <>[]%!ö\0'), maxLength: 12 });
    const plain = fc.string({ unit: fc.constantFrom(..."az09_+=-."), minLength: 1, maxLength: 40 });
    const text = fc.oneof(
      fc.tuple(plain, plain).map(([local, domain]) => `${local}@${domain}`),
      fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join("@")),
    );
    fc.assert(
      fc.property(text, (asked) => {
        fc.pre(!asked.startsWith("<") && !asked.endsWith(">"));
        const question = questionOf(asked);
        if (question.kind === "ask") expect(question).toEqual(longWay(asked));
        else expect(longWay(asked).kind).toBe("settled");
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    `alice@${"a".repeat(63)}.example`,
    `alice@${"a".repeat(64)}.example`,
    `${"a".repeat(64)}@example.com`,
    `${"a".repeat(51)}@example.com`,
    `${"a".repeat(53)}@example.com`,
    `a@${"a".repeat(62)}`,
    `a@${"a".repeat(64)}`,
  ])("whatever its length: %s", (asked) => {
    const question = questionOf(asked);
    if (question.kind === "ask") expect(question).toEqual(longWay(asked));
    else expect(longWay(asked).kind).toBe("settled");
  });
});
