import { describe, expect, it } from "vitest";
import { MAPS } from "../../src/bridge/protocols/maps/index.ts";
import { accessAction, replyLineOf } from "../../src/bridge/protocols/reply.ts";
import { VERDICTS, type Verdict } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";

const recipient = "alice@example.com";
const said = (map: string, verdict: Verdict, mode: "enforce" | "observe" = "enforce"): unknown =>
  MAPS.get(map)?.reply(answerOf(recipient, verdict, { mode }));

const TEMPORARY = { kind: "temporary", why: expect.stringMatching(/^[45]\d\d \d\.\d\.\d .*\S/) };
const NOT_FOUND = { kind: "not-found" };
const found = (value: unknown): unknown => ({ kind: "found", value });

describe.each<[Verdict, recipients: unknown, domains: unknown, access: unknown]>([
  ["deliverable", found("deliverable"), found("served"), "DUNNO"],
  ["unknown", NOT_FOUND, found("served"), "550 5.1.1"],
  ["disabled", NOT_FOUND, found("served"), "550 5.2.1"],
  ["moved", NOT_FOUND, found("served"), "550 5.1.6"],
  ["not-served", TEMPORARY, NOT_FOUND, "550 5.7.1"],
  ["malformed", NOT_FOUND, found("served"), "501 5.1.3"],
  ["departed", TEMPORARY, found("served"), "450 4.2.1"],
  ["full", TEMPORARY, found("served"), "452 4.2.2"],
  ["throttled", TEMPORARY, TEMPORARY, "450 4.7.1"],
  ["unavailable", TEMPORARY, TEMPORARY, "451 4.3.0"],
])("%s", (verdict, recipients, domains, access) => {
  it("in the map of recipients", () => expect(said("recipients", verdict)).toEqual(recipients));
  it("in the map of domains", () => expect(said("domains", verdict)).toEqual(domains));
  it("in the access map", () => {
    const value =
      access === "DUNNO" ? "DUNNO" : expect.stringMatching(new RegExp(`^${access} <${recipient}>: \\S`));
    expect(said("access", verdict)).toEqual(found(value));
  });
});

describe("observe mode", () => {
  it.each<Verdict>(["unknown", "disabled", "moved", "full", "departed"])(
    "accepts %s in every map",
    (verdict) => {
      expect(said("recipients", verdict, "observe")).toEqual(found("deliverable"));
      expect(said("domains", verdict, "observe")).toEqual(found("served"));
      expect(said("access", verdict, "observe")).toEqual(found("DUNNO"));
      expect(accessAction(answerOf(recipient, verdict, { mode: "observe" }))).toBe("DUNNO");
    },
  );

  it("still refuses a domain that is not served", () => {
    expect(said("access", "not-served", "observe")).toEqual(found(expect.stringMatching(/^550 5\.7\.1 /)));
  });
});

describe("a reply line", () => {
  it.each(Object.keys(VERDICTS) as Verdict[])("of %s is passed on unchanged", (verdict) => {
    const answer = answerOf(recipient, verdict);
    expect(replyLineOf(answer)).toBe(answer.reply);
  });

  it("never has a code without a text, which Postfix takes for an accept", () => {
    for (const reply of ["550 5.1.1 ", "550 5.1.1   "]) {
      expect(replyLineOf({ ...answerOf(recipient, "unknown"), reply })).toMatch(/^550 5\.1\.1 \w/);
    }
  });
});
