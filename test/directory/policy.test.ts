import { describe, expect, it } from "vitest";
import {
  DEFAULT_POLICY,
  type DomainPolicy,
  isMode,
  MODES,
  milderMode,
  POLICY_SETTINGS,
  policyFault,
  readPolicy,
  uncountableChanges,
} from "../../src/directory/address/policy.ts";
import { faultOf, policyWith } from "./helpers.ts";

/** For each setting, values that it takes and values that it does not. */
const VALUES: {
  readonly [K in keyof DomainPolicy]: { good: readonly DomainPolicy[K][]; bad: readonly unknown[] };
} = {
  delimiters: {
    good: ["", "+", "-", "+-", "=_#~", ".!%/"],
    bad: ["a", "@", " ", "+-=_#", '"', "\\", "é", "\n", null, 1],
  },
  catchall: { good: [true, false], bad: [0, 1, "true", null] },
  case: { good: ["insensitive", "sensitive"], bad: ["", "Sensitive", null, true] },
  dots: { good: ["significant", "ignored"], bad: ["", "ignore", null, false] },
  postmaster: { good: [true, false], bad: ["yes", null] },
  alias: {
    good: [null, "example.org", "xn--bcher-kva.example"],
    bad: ["", "Example.org", "example.org.", "bücher.example", "a b", "[192.0.2.1]", 5, {}],
  },
  text: {
    good: [null, "", "see https://example.com/help", "x".repeat(200)],
    bad: ["x".repeat(201), "two\nlines", "two\r\nlines", "tab\t", "é", "\0", 5],
  },
  grace: {
    good: [0, 1, 3600, 30 * 86_400],
    bad: [-1, 0.5, 30 * 86_400 + 1, Number.NaN, Infinity, "1", null],
  },
  guard: { good: [0, 0.2, 1], bad: [-0.1, 1.1, Number.NaN, Infinity, "0.2", null] },
};

const settings = Object.entries(VALUES) as [keyof DomainPolicy, (typeof VALUES)[keyof DomainPolicy]][];

describe("a domain's policy", () => {
  it("has exactly the settings that are tested here", () => {
    expect([...POLICY_SETTINGS].sort()).toEqual(Object.keys(VALUES).sort());
    expect(Object.keys(DEFAULT_POLICY).sort()).toEqual(Object.keys(VALUES).sort());
  });

  it("follows RFC 5321 and RFC 5233 by default, and is guarded", () => {
    expect(readPolicy(DEFAULT_POLICY)).toEqual(DEFAULT_POLICY);
    expect(DEFAULT_POLICY).toEqual({
      delimiters: "+",
      catchall: false,
      case: "insensitive",
      dots: "significant",
      postmaster: true,
      alias: null,
      text: null,
      grace: 3600,
      guard: 0.2,
    });
  });

  it.each(settings)("accepts valid values of %s and refuses others by name", (name, { good, bad }) => {
    for (const value of good) {
      expect(policyFault(name, value)).toBeNull();
      expect(readPolicy({ [name]: value })).toEqual({ [name]: value });
    }
    for (const value of [...bad, undefined, [], {}]) {
      expect(policyFault(name, value), `${name}: ${String(value)}`).toMatch(/^must be/);
      expect(() => readPolicy({ [name]: value })).toThrow(`policy.${name} must be`);
    }
  });

  it.each(["catch-all", "Catchall", "constructor", "__proto__", "toString", ""])(
    "has no setting %j",
    (name) => {
      expect(policyFault(name, true)).toBe("is not a policy setting");
      const given: unknown = JSON.parse(`{${JSON.stringify(name)}: true}`);
      expect(faultOf(() => readPolicy(given))).toBe("invalid");
    },
  );

  it.each([null, undefined, "x", 5, [], [DEFAULT_POLICY], true])("is not %j", (value) => {
    expect(faultOf(() => readPolicy(value))).toBe("invalid");
  });

  it("may be given partly", () => {
    expect(readPolicy({})).toEqual({});
    expect(readPolicy({ catchall: true, grace: 0 })).toEqual({ catchall: true, grace: 0 });
  });
});

describe("changes that the guard cannot count", () => {
  const other: Partial<DomainPolicy> = {
    delimiters: "-",
    catchall: true,
    case: "sensitive",
    dots: "ignored",
    alias: "example.org",
    postmaster: false,
    text: "gone",
    grace: 0,
    guard: 1,
  };

  it.each(["delimiters", "catchall", "case", "dots", "alias"] as const)(
    "are those of %s, both ways",
    (name) => {
      const changed = policyWith({ [name]: other[name] });
      expect(uncountableChanges(policyWith(), changed)).toEqual([name]);
      expect(uncountableChanges(changed, policyWith())).toEqual([name]);
    },
  );

  it.each(["text", "grace"] as const)("are not those of %s", (name) => {
    expect(uncountableChanges(policyWith(), policyWith({ [name]: other[name] }))).toEqual([]);
  });

  it("include the end of the postmaster, and not its beginning", () => {
    expect(uncountableChanges(policyWith(), policyWith({ postmaster: false }))).toEqual(["postmaster"]);
    expect(uncountableChanges(policyWith({ postmaster: false }), policyWith())).toEqual([]);
  });

  it("include a guard that allows more loss, and not one that allows less", () => {
    expect(uncountableChanges(policyWith({ guard: 0.2 }), policyWith({ guard: 0.3 }))).toEqual(["guard"]);
    expect(uncountableChanges(policyWith({ guard: 0.2 }), policyWith({ guard: 0.1 }))).toEqual([]);
  });

  it("are all named, and none if nothing changes", () => {
    expect(uncountableChanges(policyWith(), policyWith())).toEqual([]);
    expect(uncountableChanges(policyWith(), policyWith(other)).sort()).toEqual(
      ["alias", "case", "catchall", "delimiters", "dots", "guard", "postmaster"].sort(),
    );
  });
});

describe("what is wrong with a setting", () => {
  it.each([
    ["case", "must be one of insensitive, sensitive"],
    ["grace", "must be a whole number from 0 to 2592000"],
    ["guard", "must be a number from 0 to 1"],
  ] as const)("names what %s may be", (name, message) => {
    expect(policyFault(name, "x")).toBe(message);
  });
});

describe("a mode", () => {
  it("is one of three", () => {
    expect(["observe", "defer", "enforce", "Enforce", "", 0, null, undefined].filter(isMode)).toEqual(MODES);
  });

  it("gives way to a milder one", () => {
    const milder = MODES.map((a) => MODES.map((b) => milderMode(a, b)));
    expect(milder).toEqual([
      ["observe", "observe", "observe"],
      ["observe", "defer", "defer"],
      ["observe", "defer", "enforce"],
    ]);
  });
});
