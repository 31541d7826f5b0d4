/* Whatever an MTA hook says, and whatever is answered, in each dialect, as its clients read it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verdictOf } from "../../integrations/mta-hooks/hook-client.ts";
import { replyOf } from "../../integrations/stalwart/hook-client.ts";
import { DIALECTS, hookAnswer, hookDeferral, readHook } from "../../src/api/index.ts";
import { answer } from "../../src/directory/index.ts";

/** What each client makes of an answer; null if it cannot read it, so that it defers or does what its settings say. */
const READERS = {
  stalwart: (value: unknown) => orNull(() => replyOf(value)),
  draft: (value: unknown) => orNull(() => verdictOf(value)),
  jsonPatch: (value: unknown) => orNull(() => verdictOf({ set: changesIn(value) })),
};
/** The members of a request that a JSON Patch adds or replaces; nothing else is expected in one. */
const changesIn = (patch: unknown): object[] =>
  (patch as { readonly op: string }[]).map(({ op, ...change }) => {
    if (op !== "add") throw new Error(`the operation ${op}`);
    return change;
  });
const orNull = (read: () => string): string | null => {
  try {
    return read();
  } catch {
    return null;
  }
};
const NAMES = ["stalwart", "draft", "jsonPatch"] as const;
const named = fc.constantFrom(null, DIALECTS.draft, DIALECTS.jsonPatch);

const STAGES = ["connect", "ehlo", "auth", "mail", "data", "route", "delivery", "defer", "dsn"];
const address = fc.oneof(fc.constantFrom("a@a.example", "", "b@b.example"), fc.jsonValue());
const envelope = fc.oneof(
  fc.record({ to: fc.array(fc.oneof(fc.record({ address }), fc.jsonValue()), { maxLength: 3 }) }),
  fc.jsonValue(),
);
const stage = fc.oneof(fc.constantFrom("rcpt", "RCPT", ...STAGES), fc.jsonValue());
const context = fc.oneof(fc.record({ stage }), fc.jsonValue());
/** Often nearly a request of one dialect or of both. */
const request = fc.oneof(fc.record({ stage, context, envelope }, { requiredKeys: [] }), fc.jsonValue());
const body = fc.oneof(
  { weight: 5, arbitrary: request.map((value) => JSON.stringify(value)) },
  fc.string({ unit: "binary" }),
  request.map((value) => JSON.stringify(value).slice(0, -1)),
);

describe("a hook of any kind", () => {
  it("asks about the last recipient of a request at rcpt in one dialect, or about nobody", () => {
    fc.assert(
      fc.property(body, named, (text, ofHeaders) => {
        const hook = readHook(text, ofHeaders);
        if (hook.kind === "fault") return;
        const {
          stage: own,
          context: inside,
          envelope: sent,
        } = JSON.parse(text) as {
          readonly stage?: unknown;
          readonly context?: { readonly stage?: unknown };
          readonly envelope?: { readonly to: readonly { readonly address: string }[] };
        };
        expect(own === undefined).toBe(inside !== undefined);
        expect(hook.dialect).toBe(own === undefined ? DIALECTS.stalwart : (ofHeaders ?? DIALECTS.draft));
        const said = String(own ?? inside?.stage).toLowerCase();
        if (hook.kind === "other") expect(STAGES).toContain(said);
        else expect([said, hook.recipient]).toEqual(["rcpt", sent?.to.at(-1)?.address]);
      }),
    );
  });

  it("gets a deferral for each client that may have sent it, even for one that ignores unknown members", () => {
    fc.assert(
      fc.property(body, named, (text, ofHeaders) => {
        const { dialect } = readHook(text, ofHeaders);
        const told = hookDeferral(dialect, "why");
        if (dialect === DIALECTS.jsonPatch) {
          expect(READERS.jsonPatch(told)).toBe("451 4.3.0 why");
          return;
        }
        const { set } = told as { readonly set?: unknown };
        if (dialect !== DIALECTS.draft) expect(READERS.stalwart(told)).toBe("451 4.3.0 why");
        if (dialect !== DIALECTS.stalwart) expect(READERS.draft({ set })).toBe("451 4.3.0 why");
        // A strict client defers if it cannot read an answer.
        expect(READERS.draft(told) ?? "451 4.3.0 why").toBe("451 4.3.0 why");
      }),
    );
  });
});

describe.each(NAMES)("an answer in the dialect of %s", (name) => {
  const action = fc.oneof(fc.constantFrom("accept", "reject", "defer"), fc.string());
  const reply = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.integer({ min: 100, max: 999 }), fc.integer({ min: 0, max: 9 }), fc.string())
      .map(([code, kind, text]) => `${code} ${kind}.1.1 ${text}`),
  );

  it("is read as the action of the check, and a refusal only with a permanent reply", () => {
    fc.assert(
      fc.property(action, reply, (act, line) => {
        const given = { ...answer("x@a.example", "unknown"), action: act as "reject", reply: line };
        const read = READERS[name](hookAnswer(DIALECTS[name], given)) ?? "nothing";
        if (act === "accept") expect(read).toMatch(/^250 /);
        else if (act !== "reject") expect(read).toMatch(/^(?:4|nothing)/);
        else expect(read).toMatch(/^(?:5\d\d 5\.|451 4\.3\.0 |nothing)/);
      }),
    );
  });

  it("is never an accept for a client of another", () => {
    const refusal = hookAnswer(DIALECTS[name], answer("x@a.example", "unknown"));
    expect(READERS[name](refusal)).toMatch(/^550 5\.1\.1 /);
    for (const other of NAMES)
      if (other !== name) expect([other, READERS[other](refusal)]).toEqual([other, null]);
  });
});
