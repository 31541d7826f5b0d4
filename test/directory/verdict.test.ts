import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_POLICY } from "../../src/directory/address/policy.ts";
import {
  answer,
  needsFreshness,
  replyLine,
  unavailable,
  VERDICTS,
  type Verdict,
} from "../../src/directory/verdict/verdict.ts";
import { anyCharacters, anyText, forAll } from "./helpers.ts";

/** The contract, word for word: verdict, reply, action. */
const TABLE: readonly [Verdict, string, "accept" | "reject" | "defer"][] = [
  ["deliverable", "250 2.1.5", "accept"],
  ["unknown", "550 5.1.1", "reject"],
  ["disabled", "550 5.2.1", "reject"],
  ["moved", "550 5.1.6", "reject"],
  ["not-served", "550 5.7.1", "reject"],
  ["malformed", "501 5.1.3", "reject"],
  ["departed", "450 4.2.1", "defer"],
  ["full", "452 4.2.2", "defer"],
  ["throttled", "450 4.7.1", "defer"],
  ["unavailable", "451 4.3.0", "defer"],
];

const verdicts = TABLE.map(([verdict]) => verdict);
const anyVerdict = fc.constantFrom(...verdicts);
const REPLY = /^[245]\d\d [245]\.\d\.\d <[ -~]*>: [ -~]+$/;

describe("the verdicts", () => {
  it("are exactly those of the API", () => {
    expect(Object.keys(VERDICTS).sort()).toEqual([...verdicts].sort());
  });

  it.each(TABLE)("%s is %s and means %s", (verdict, code, action) => {
    expect(VERDICTS[verdict]).toMatchObject({ code, action });
    const given = answer("alice@example.com", verdict);
    expect(given).toMatchObject({ recipient: "alice@example.com", verdict, action });
    expect(given.reply.startsWith(`${code} <alice@example.com>: `)).toBe(true);
  });

  it.each(TABLE)("%s has a reply code and an enhanced code in the class of its action", (_, code, action) => {
    const digit = { accept: "2", defer: "4", reject: "5" }[action];
    expect(code[0]).toBe(digit);
    expect(code[4]).toBe(digit);
  });
});

describe("a reply line", () => {
  it("is one line of printable ASCII of at most 500 octets, for any recipient", () => {
    const recipient = fc.oneof(anyText(), anyText(900), anyCharacters(600));
    const text = fc.option(fc.stringMatching(/^[ -~]{0,200}$/));
    forAll(
      [anyVerdict, recipient, text],
      (verdict, sent, refusalText) => {
        const line = replyLine(verdict, sent, refusalText);
        expect(line).toMatch(REPLY);
        expect(line.length).toBeLessThanOrEqual(500);
        expect(line.startsWith(`${VERDICTS[verdict].code} <`)).toBe(true);
      },
      { numRuns: 500 },
    );
  });

  it("has the whole recipient if it fits and is ASCII", () => {
    const recipient = fc.stringMatching(/^[ -~]{0,200}$/);
    forAll([anyVerdict, recipient], (verdict, sent) => {
      expect(replyLine(verdict, sent)).toBe(`${VERDICTS[verdict].code} <${sent}>: ${VERDICTS[verdict].text}`);
    });
  });

  it("has a question mark for each character that it must not contain", () => {
    expect(replyLine("unknown", "jörg@exämple.com")).toContain("<j?rg@ex?mple.com>");
    expect(replyLine("unknown", "𐐀@example.com")).toContain("<?@example.com>");
    expect(replyLine("unknown", "a\r\n250 ok@example.com")).toContain("<a??250 ok@example.com>");
    expect(replyLine("unknown", "a\ud800\0\x7f\t@example.com")).toContain("<a????@example.com>");
  });

  it("truncates a long recipient, and keeps the text after it", () => {
    const long = `${"a".repeat(2_000)}@example.com`;
    const line = replyLine("unknown", long, "x".repeat(200));
    expect(line).toHaveLength(500);
    expect(line).toMatch(/^550 5\.1\.1 <a{200,}>: no such mailbox here; x{200}$/);
    expect(replyLine("unknown", "😀".repeat(400))).toMatch(/^550 5\.1\.1 <\?+>: no such mailbox here$/);
  });

  it("has the domain's own text after refusals only", () => {
    for (const [verdict, , action] of TABLE) {
      const line = replyLine(verdict, "alice@example.com", "see example.com/help");
      expect(line.endsWith("; see example.com/help")).toBe(action === "reject");
    }
    expect(replyLine("unknown", "a@b", "")).toBe(replyLine("unknown", "a@b", null));
    expect(DEFAULT_POLICY.text).toBeNull();
  });
});

describe("an answer", () => {
  it("has every field of the API, null if nothing is known", () => {
    expect(answer("alice@example.com", "unknown")).toEqual({
      recipient: "alice@example.com",
      verdict: "unknown",
      action: "reject",
      reply: "550 5.1.1 <alice@example.com>: no such mailbox here",
      matched: null,
      domain: null,
      generation: null,
      incarnation: null,
      mode: null,
      confirmed_age: null,
      contact_age: null,
      max_age: 0,
    });
  });

  it("says what it is based on", () => {
    const given = answer("Alice+x@example.com", "deliverable", {
      matched: "subaddress",
      domain: "example.com",
      generation: 7,
      incarnation: 2,
      mode: "enforce",
      confirmedAge: 3,
      contactAge: 2,
      maxAge: 27,
      detail: "why",
    });
    expect(given).toEqual({
      recipient: "Alice+x@example.com",
      verdict: "deliverable",
      action: "accept",
      reply: "250 2.1.5 <Alice+x@example.com>: recipient ok",
      matched: "subaddress",
      domain: "example.com",
      generation: 7,
      incarnation: 2,
      mode: "enforce",
      confirmed_age: 3,
      contact_age: 2,
      max_age: 27,
      detail: "why",
    });
  });

  it("has no detail and nothing observed, unless there is something to say", () => {
    expect(Object.keys(answer("a@b", "deliverable"))).not.toContain("detail");
    expect(Object.keys(answer("a@b", "unknown", { mode: "enforce" }))).not.toContain("observed");
  });

  it("that defers is never reusable", () => {
    for (const [verdict, , action] of TABLE) {
      expect(answer("a@b", verdict, { maxAge: 30 }).max_age).toBe(action === "defer" ? 0 : 30);
    }
  });

  it("that is unavailable is a deferral that says nothing about the recipient", () => {
    expect(unavailable("a@b.example", "registry timed out", "b.example")).toMatchObject({
      verdict: "unavailable",
      action: "defer",
      reply: expect.stringMatching(/^451 4\.3\.0 <a@b\.example>: /),
      domain: "b.example",
      matched: null,
      max_age: 0,
      detail: "registry timed out",
    });
  });
});

describe("observe mode", () => {
  const observed: readonly Verdict[] = ["unknown", "disabled", "moved", "malformed", "full", "departed"];

  it.each(observed)(
    "accepts what is %s, keeps the verdict, and shows the reply that enforce mode gives",
    (verdict) => {
      const grounds = {
        generation: 7,
        maxAge: 20,
        refusalText: "see example.com/help",
        domain: "example.com",
      };
      const enforced = answer("alice@example.com", verdict, { ...grounds, mode: "enforce" });
      const watched = answer("alice@example.com", verdict, { ...grounds, mode: "observe" });
      expect(enforced).not.toHaveProperty("observed");
      expect(watched).toEqual({
        ...enforced,
        action: "accept",
        reply: "250 2.1.5 <alice@example.com>: recipient ok",
        observed: enforced.reply,
        mode: "observe",
        max_age: 20,
      });
    },
  );

  it.each(verdicts.filter((verdict) => !observed.includes(verdict)))("leaves %s as it is", (verdict) => {
    const enforced = answer("alice@example.com", verdict, { mode: "enforce", maxAge: 5 });
    expect(answer("alice@example.com", verdict, { mode: "observe", maxAge: 5 })).toEqual({
      ...enforced,
      mode: "observe",
    });
  });

  it("and law 2 agree on what refuses", () => {
    for (const verdict of verdicts) {
      for (const mode of ["enforce", "observe", null] as const) {
        expect(needsFreshness(verdict, mode)).toBe(answer("a@b", verdict, { mode }).action === "reject");
      }
    }
  });
});

describe("defer mode", () => {
  const deferred: readonly Verdict[] = ["unknown", "disabled", "moved", "malformed"];

  it.each(deferred)(
    "defers what is %s, keeps the verdict, and shows the reply of enforce mode",
    (verdict) => {
      const grounds = {
        generation: 7,
        maxAge: 20,
        refusalText: "see example.com/help",
        domain: "example.com",
      };
      const enforced = answer("alice@example.com", verdict, { ...grounds, mode: "enforce" });
      expect(answer("alice@example.com", verdict, { ...grounds, mode: "defer" })).toEqual({
        ...enforced,
        action: "defer",
        reply: "450 4.7.1 <alice@example.com>: recipient is not accepted at present, try again later",
        observed: enforced.reply,
        mode: "defer",
        max_age: 0,
      });
    },
  );

  it.each(verdicts.filter((verdict) => !deferred.includes(verdict)))("leaves %s as it is", (verdict) => {
    const enforced = answer("alice@example.com", verdict, { mode: "enforce", maxAge: 5 });
    expect(answer("alice@example.com", verdict, { mode: "defer", maxAge: 5 })).toEqual({
      ...enforced,
      mode: "defer",
    });
  });

  it("asks for a state as fresh as enforce mode does", () => {
    for (const verdict of verdicts)
      expect(needsFreshness(verdict, "defer")).toBe(needsFreshness(verdict, "enforce"));
  });
});
