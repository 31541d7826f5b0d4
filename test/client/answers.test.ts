import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAnswer } from "../../src/client/index.ts";
import { answer, unavailable, VERDICTS, type Verdict } from "../../src/directory/index.ts";
import { forAll } from "../directory/helpers.ts";

const ASKED = "john@example.com";
const verdicts = Object.keys(VERDICTS) as Verdict[];
const over = (wire: unknown): unknown => JSON.parse(JSON.stringify(wire));

describe("an answer of the edge", () => {
  it.each(verdicts)("is taken as it is: %s", (verdict) => {
    const sent = answer(ASKED, verdict, {
      domain: "example.com",
      generation: 3,
      incarnation: 2,
      contactAge: 4,
      maxAge: 12,
    });
    expect(readAnswer(over(sent), ASKED)).toEqual(sent);
  });

  it("is taken in observe mode, with the reply that would have been given", () => {
    const sent = answer(ASKED, "unknown", { mode: "observe", maxAge: 5 });
    expect(readAnswer(over(sent), ASKED)).toMatchObject({
      verdict: "unknown",
      action: "accept",
      observed: expect.stringMatching(/^550/),
    });
  });

  it("of a release that says nothing of its log and of its last contact has null for both", () => {
    const { incarnation, contact_age, ...older } = answer(ASKED, "deliverable", {
      incarnation: 2,
      contactAge: 4,
    });
    expect(readAnswer(over(older), ASKED)).toEqual({ ...older, incarnation: null, contact_age: null });
  });

  it("may hold fields that this release does not know", () => {
    expect(readAnswer({ ...answer(ASKED, "deliverable"), news: 1 }, ASKED)).toMatchObject({
      action: "accept",
    });
  });

  it("may be valid for a fraction of a second", () => {
    expect(readAnswer({ ...answer(ASKED, "deliverable"), max_age: 0.3 }, ASKED)).toMatchObject({
      max_age: 0.3,
    });
  });

  it("of a deferral may not be used again, whatever it says", () => {
    expect(readAnswer({ ...unavailable(ASKED, "x"), max_age: 99 }, ASKED)).toMatchObject({ max_age: 0 });
  });
});

describe("no answer", () => {
  const good = answer(ASKED, "unknown", { mode: "enforce", maxAge: 5 });
  it.each<[string, unknown]>([
    ["null", null],
    ["a list", [good]],
    ["text", JSON.stringify(good)],
    ["another recipient", { ...good, recipient: "jane@example.com" }],
    ["another spelling of the recipient", { ...good, recipient: "John@example.com" }],
    ["no recipient", { ...good, recipient: undefined }],
    ["a verdict of the future", { ...good, verdict: "quarantined" }],
    ["a verdict that is a property of every object", { ...good, verdict: "constructor" }],
    ["an action of the future", { ...good, action: "discard" }],
    ["an action that is a property of every object", { ...good, action: "toString" }],
    ["an action that the verdict does not mean", { ...good, verdict: "deliverable" }],
    [
      "an accept of an unknown one outside observe mode",
      { ...good, action: "accept", reply: "250 2.1.5 <x>: ok" },
    ],
    ["a reply of another kind than the action", { ...good, reply: "250 2.1.5 <john@example.com>: ok" }],
    ["a reply without an enhanced code", { ...good, reply: "550 no" }],
    ["a reply of two lines", { ...good, reply: `${good.reply}\r\n250 2.0.0 ok` }],
    ["a reply that is too long", { ...good, reply: good.reply.padEnd(501, ".") }],
    ["a reply outside ASCII", { ...good, reply: `${good.reply} é` }],
    ["no reply", { ...good, reply: undefined }],
    ["no max_age", { ...good, max_age: undefined }],
    ["a negative max_age", { ...good, max_age: -1 }],
    ["a max_age that is no number", { ...good, max_age: "5" }],
  ])("is %s", (_, value) => {
    expect(readAnswer(value, ASKED)).toBeTypeOf("string");
  });

  it("is any other JSON", () => {
    forAll<[unknown]>([fc.jsonValue()], (value) => {
      expect(readAnswer(value, ASKED)).toBeTypeOf("string");
    });
  });
});
