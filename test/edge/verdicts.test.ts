import { beforeAll, describe, expect, it } from "vitest";
import { type Answer, VERDICTS } from "../../src/directory/index.ts";
import { expectAnswer } from "./support/answers.ts";
import { callJson, freshEnv, publish } from "./support/edge.ts";

const env = freshEnv();
const ODD = [
  "a..b",
  ".dot",
  "dot.",
  "two words",
  'quote"inside',
  "at@sign",
  "back\\slash",
  "comma,colon:",
  "<x>",
];
const PEOPLE = [
  "alice",
  ["bob", "disabled"],
  ["fred", "full"],
  ["mary", "moved"],
  "straße",
  "Δίων",
  "a+b",
] as const;

const answersTo = async (recipients: readonly string[], isolate = env): Promise<Answer[]> => {
  const { results } = await callJson<{ results: Answer[] }>(isolate, "/v1/rcpt", { json: recipients });
  results.forEach((answer, i) => {
    if (answer.mode !== "observe") expectAnswer(answer, recipients[i] as string);
  });
  return results;
};
const answerTo = async (recipient: string): Promise<Answer> => (await answersTo([recipient]))[0] as Answer;

beforeAll(async () => {
  const all = [...PEOPLE, ...ODD];
  const head = await publish(env, "example.com", [...all, "gone"]);
  await publish(env, "example.com", all, { expect: head });
  const short = await publish(env, "nograce.example", ["a", "b", "gone"], { policy: { grace: 0 } });
  await publish(env, "nograce.example", ["a", "b"], { expect: short, standing: { grace: 0 } });
  const end = await publish(env, "deleted.example", ["alice"]);
  await callJson(env, `/v1/domains/deleted.example?expect=${end}`, { method: "DELETE" });
  const watched = await publish(env, "watched.example", [...PEOPLE, "gone"], { mode: "observe" });
  await publish(env, "watched.example", PEOPLE, { expect: watched });
  await publish(env, "catchall.example", ["alice", ["bob", "disabled"]], { policy: { catchall: true } });
  await publish(env, "strict.example", ["Alice", ["postmaster", "disabled"]], {
    policy: { case: "sensitive", delimiters: "", text: "ask help@strict.example" },
  });
  await publish(env, "dots.example", ["first.last"], { policy: { dots: "ignored", delimiters: "-=" } });
  await publish(env, "nopostmaster.example", ["alice"], { policy: { postmaster: false } });
  await publish(env, "xn--bcher-kva.example", ["alice"]);
  await publish(env, "alias.example", [], { policy: { alias: "example.com" } });
});

/** recipient, verdict, what matched, and the parsed domain. */
type Row = readonly [
  recipient: string,
  verdict: Answer["verdict"],
  matched: string | null,
  domain: string | null,
];

const ROWS: readonly Row[] = [
  ["alice@example.com", "deliverable", "mailbox", "example.com"],
  ["bob@example.com", "disabled", "mailbox", "example.com"],
  ["fred@example.com", "full", "mailbox", "example.com"],
  ["mary@example.com", "moved", "mailbox", "example.com"],
  ["nobody@example.com", "unknown", null, "example.com"],
  ["gone@example.com", "departed", null, "example.com"],
  ["gone+tag@example.com", "departed", null, "example.com"],
  ["gone@nograce.example", "unknown", null, "nograce.example"],
  ["alice@deleted.example", "departed", null, "deleted.example"],
  ["nobody@deleted.example", "departed", null, "deleted.example"],
  ["alice@elsewhere.example", "not-served", null, "elsewhere.example"],
  ["alice@com", "not-served", null, "com"],
  ["alice@sub.example.com", "not-served", null, "sub.example.com"],
  ["alice@[192.0.2.1]", "not-served", null, null],
  ["alice@[IPv6:2001:db8::1]", "not-served", null, null],
  ["postmaster@elsewhere.example", "not-served", null, "elsewhere.example"],
  // Postmaster, in every case, bare and with a domain.
  ["postmaster", "deliverable", "postmaster", null],
  ["PostMaster", "deliverable", "postmaster", null],
  ["<POSTMASTER>", "deliverable", "postmaster", null],
  ["PostMaster@Example.Com", "deliverable", "postmaster", "example.com"],
  ['"postmaster"@example.com', "deliverable", "postmaster", "example.com"],
  ["POSTMASTER@strict.example", "disabled", "mailbox", "strict.example"],
  ["postmaster@nopostmaster.example", "unknown", null, "nopostmaster.example"],
  ["postmaster+x@example.com", "unknown", null, "example.com"],
  // Subaddresses: the exact name first.
  ["alice+anything@example.com", "deliverable", "subaddress", "example.com"],
  ["alice++@example.com", "deliverable", "subaddress", "example.com"],
  ["bob+x@example.com", "disabled", "subaddress", "example.com"],
  ["a+b@example.com", "deliverable", "mailbox", "example.com"],
  ["a+c@example.com", "unknown", null, "example.com"],
  ["+alice@example.com", "unknown", null, "example.com"],
  ["prvs=1234abcdef=alice@example.com", "deliverable", "mailbox", "example.com"],
  ["prvs=1234abcdef=alice+x@example.com", "deliverable", "subaddress", "example.com"],
  ["Alice+x@strict.example", "unknown", null, "strict.example"],
  ["firstlast-news@dots.example", "deliverable", "subaddress", "dots.example"],
  ["f.i.r.s.t.last=news@dots.example", "deliverable", "subaddress", "dots.example"],
  // A catch-all comes last, after any entry.
  ["anybody@catchall.example", "deliverable", "catch-all", "catchall.example"],
  ["alice@catchall.example", "deliverable", "mailbox", "catchall.example"],
  ["bob@catchall.example", "disabled", "mailbox", "catchall.example"],
  ["two..dots@catchall.example", "deliverable", "catch-all", "catchall.example"],
  // Case, spelling and script.
  ["ALICE@EXAMPLE.COM.", "deliverable", "mailbox", "example.com"],
  ["Alice@strict.example", "deliverable", "mailbox", "strict.example"],
  ["alice@strict.example", "unknown", null, "strict.example"],
  ["STRAßE@example.com", "deliverable", "mailbox", "example.com"],
  ["δίων@example.com", "deliverable", "mailbox", "example.com"],
  ["δι\u0301ων@example.com", "deliverable", "mailbox", "example.com"],
  ["alice@bücher.example", "deliverable", "mailbox", "xn--bcher-kva.example"],
  ["alice@BÜCHER.example", "deliverable", "mailbox", "xn--bcher-kva.example"],
  ["alice@bu\u0308cher.example", "deliverable", "mailbox", "xn--bcher-kva.example"],
  ["alice@XN--BCHER-KVA.EXAMPLE", "deliverable", "mailbox", "xn--bcher-kva.example"],
  ["alice@bücher。example", "deliverable", "mailbox", "xn--bcher-kva.example"],
  // Quoting, brackets and routes.
  ['"alice"@example.com', "deliverable", "mailbox", "example.com"],
  ['"al\\ice"@example.com', "deliverable", "mailbox", "example.com"],
  ["<alice@example.com>", "deliverable", "mailbox", "example.com"],
  ["<@relay.example,@b.example:alice@example.com>", "deliverable", "mailbox", "example.com"],
  ['"alice "@example.com', "unknown", null, "example.com"],
  ['"x@y"@example.com', "unknown", null, "example.com"],
  // An alias answers from its target's list.
  ["alice@alias.example", "deliverable", "mailbox", "alias.example"],
  ["nobody@alias.example", "unknown", null, "alias.example"],
  ["gone@alias.example", "departed", null, "alias.example"],
  // Syntax decides on a miss only.
  ["two..dots@example.com", "malformed", null, "example.com"],
  [".x@example.com", "malformed", null, "example.com"],
  ["three words here@example.com", "malformed", null, "example.com"],
  ['"open@example.com', "malformed", null, "example.com"],
  ["@example.com", "malformed", null, "example.com"],
  ["two..dots@elsewhere.example", "not-served", null, "elsewhere.example"],
  ["alice", "malformed", null, null],
  ["", "malformed", null, null],
  ["<>", "malformed", null, null],
  ["alice@", "malformed", null, null],
  ["alice@-.-..x", "malformed", null, null],
  ["alice@exa mple.com", "malformed", null, null],
  ["al\u0000ice", "malformed", null, null],
  ["al\u0000ice@example.com", "malformed", null, "example.com"],
  ["al\u0000ice@elsewhere.example", "not-served", null, "elsewhere.example"],
  ["al\u0000ice@catchall.example", "malformed", null, "catchall.example"],
  ["al\u0000ice@deleted.example", "departed", null, "deleted.example"],
];

describe("the verdict", () => {
  it.each(ROWS)("about %j is %s, by %s at %s", async (recipient, verdict, matched, domain) => {
    const answer = await answerTo(recipient);
    expect(answer).toMatchObject({ verdict, matched, domain, action: VERDICTS[verdict].action });
    expect(answer.mode).toBe(answer.generation === null ? null : "enforce");
  });

  it("is the same in a batch in a cold isolate", async () => {
    const recipients = ROWS.map(([recipient]) => recipient);
    const answers = await answersTo(recipients, freshEnv());
    const said = answers.map(({ recipient, verdict, matched, domain }) => [
      recipient,
      verdict,
      matched,
      domain,
    ]);
    expect(said).toEqual(ROWS.map((row) => [...row]));
  });

  it("can be every one except the two for faults", () => {
    const seen = new Set(ROWS.map(([, verdict]) => verdict));
    const rest = Object.keys(VERDICTS).filter((verdict) => !seen.has(verdict as Answer["verdict"]));
    expect(rest).toEqual(["throttled", "unavailable"]);
  });

  it.each(ODD)("is never malformed for a listed address, however unusual: %s", async (local) => {
    for (const written of [`${local}@example.com`, `"${local.replace(/["\\]/g, "\\$&")}"@example.com`]) {
      expect(await answerTo(written)).toMatchObject({ verdict: "deliverable", matched: "mailbox" });
    }
  });

  it("has the domain's own text after a refusal only", async () => {
    const refusal = await answerTo("alice@strict.example");
    expect(refusal.reply).toBe(
      "550 5.1.1 <alice@strict.example>: no such mailbox here; ask help@strict.example",
    );
    expect((await answerTo("Alice@strict.example")).reply).toBe(
      "250 2.1.5 <Alice@strict.example>: recipient ok",
    );
  });

  it("may be reused for a refusal only within its window, and never for a deferral", async () => {
    const [accept, refusal, deferral] = await answersTo([
      "alice@example.com",
      "nobody@example.com",
      "gone@example.com",
    ]);
    for (const { confirmed_age, max_age } of [accept as Answer, refusal as Answer]) {
      expect(confirmed_age).toBeGreaterThanOrEqual(0);
      expect((confirmed_age as number) + max_age).toBeLessThanOrEqual(30);
      expect(max_age).toBeGreaterThan(25);
    }
    expect((deferral as Answer).max_age).toBe(0);
  });
});

describe("observe mode", () => {
  it.each([
    ["nobody@watched.example", "unknown", "550 5.1.1"],
    ["bob@watched.example", "disabled", "550 5.2.1"],
    ["mary@watched.example", "moved", "550 5.1.6"],
    ["fred@watched.example", "full", "452 4.2.2"],
    ["gone@watched.example", "departed", "450 4.2.1"],
    ["two..dots@watched.example", "malformed", "501 5.1.3"],
    ['"open@watched.example', "malformed", "501 5.1.3"],
  ])("accepts %s, and says that it is %s", async (recipient, verdict, code) => {
    expect(await answerTo(recipient)).toMatchObject({
      verdict,
      action: "accept",
      reply: `250 2.1.5 <${recipient}>: recipient ok`,
      observed: expect.stringMatching(new RegExp(`^${code} <${recipient}>: `)),
      mode: "observe",
    });
  });

  it("leaves every other verdict as it is", async () => {
    const accepted = await answerTo("alice@watched.example");
    expect(accepted).toMatchObject({ verdict: "deliverable", action: "accept" });
    expect(accepted).not.toHaveProperty("observed");
  });

  it("accepts what no list can hold if its domain can be read, and does not apply otherwise", async () => {
    for (const local of ["al\u0000ice", "al\ufffdice", "a".repeat(2_100)]) {
      expect(await answerTo(`${local}@watched.example`)).toMatchObject({
        verdict: "malformed",
        action: "accept",
        reply: expect.stringMatching(/^250 2\.1\.5 /),
        observed: expect.stringMatching(/^501 5\.1\.3 /),
        mode: "observe",
        domain: "watched.example",
      });
      const enforced = await answerTo(`${local}@example.com`);
      expect(enforced).toMatchObject({ verdict: "malformed", action: "reject", mode: "enforce" });
      expect(enforced.confirmed_age).not.toBeNull();
    }
    for (const nowhere of ["alice", "al\u0000ice", "alice@watched.exa mple", "al\u0000ice@[192.0.2.1]"]) {
      expect(await answerTo(nowhere)).toMatchObject({ verdict: "malformed", action: "reject", mode: null });
    }
  });
});

describe("a floor", () => {
  const ask = (floor: Readonly<Record<string, number>>): Promise<Answer> =>
    callJson<{ results: Answer[] }>(env, "/v1/rcpt", {
      json: { recipients: ["alice@example.com"], floor },
    }).then(({ results }) => results[0] as Answer);

  it("is respected up to the head, and defers past it", async () => {
    const { generation } = await answerTo("alice@example.com");
    const head = generation as number;
    for (const floor of [0, 1, head]) {
      expect(await ask({ "example.com": floor })).toMatchObject({ verdict: "deliverable", generation: head });
    }
    expect(await ask({ "example.com": head + 1 })).toMatchObject({ verdict: "unavailable", action: "defer" });
    expect(await ask({ "example.com": head })).toMatchObject({ verdict: "deliverable" });
  });

  it("of another domain changes nothing", async () => {
    expect(await ask({ "watched.example": 1_000_000 })).toMatchObject({ verdict: "deliverable" });
  });
});
