/* A schema is the one authority on a message: what is read by it fits the description made from it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVERY_ROUTE, type Route, read, type Schema } from "../../src/api/index.ts";
import { openApiDocument } from "../../src/api/openapi.ts";
import { forAll } from "../directory/helpers.ts";
import { Description, type Document, nameOf } from "../edge/support/description.ts";

const description = new Description(JSON.parse(JSON.stringify(openApiDocument())) as Document);

const commit = {
  domain: "a.example",
  expect: 3,
  epoch: 1,
  key_id: "0123",
  canonicaliser: 1,
  sentinels: ["x"],
  policy: { delimiters: "+-", alias: null, guard: 0.5, grace: 60 },
  mode: "observe",
  shards: { bits: 0, inline: "AA" },
};
const planned = {
  domain: "a.example",
  expect: 3,
  key_id: "0123",
  canonicaliser: 1,
  accepted: 2,
  names: { gone: "AAAAAAAA", back: "" },
};

/** Requests that are right, by route. */
const RIGHT: Readonly<Record<string, readonly unknown[]>> = {
  "POST /v1/rcpt": [
    { recipient: "alice@a.example", floor: { "a.example": 3 }, client: "192.0.2.1", sender: "" },
    { recipients: ["alice@a.example", ""], floor: {} },
    ["alice@a.example"],
  ],
  "POST /v1/hooks/mta": [
    { context: { stage: "connect" } },
    { context: { stage: "rcpt" }, envelope: { to: [{ address: "alice@a.example" }, { address: "" }] } },
    { stage: "rcpt", envelope: { to: [{ address: "alice@a.example" }] } },
  ],
  "POST /v1/hooks/registrations": [
    { serialization: "json", inbound: { stages: ["rcpt"] } },
    {
      serialization: "json",
      inbound: { stages: ["data", "rcpt"], properties: ["/stage", "/action", "/envelope", "/tls"] },
      filter: null,
    },
    { serialization: "json", inbound: { stages: ["rcpt"], properties: null } },
  ],
  "POST /v1/commits": [
    { domains: [commit], force: true, note: "why" },
    { domains: [{ ...commit, expect: null, shards: { bits: 1, ids: ["0", "1"] } }], note: null },
  ],
  "POST /v1/plans": [{ domains: [planned] }, { domains: [{ ...planned, names: { accepted: "AAAAAAAA" } }] }],
  "POST /v1/domains/{domain}/rollback": [{ to: 1, expect: 2, note: "why" }],
  "POST /v1/changes": [
    { partition: 0, since: null, nonce: "n-1" },
    {
      partition: 3,
      since: { incarnation: 1, number: 2 },
      after: 4,
      nonce: "n-1",
      counts: [
        ["a.example", "enforce", "unknown", 2],
        ["", "fault", "kv_unreadable", 1],
      ],
    },
  ],
  "PATCH /v1/domains/{domain}/mailboxes": [
    { set: [{ recipient: "a@a.example", state: "full" }], remove: ["b@a.example"], force: true, now: false },
    { remove: ["b@a.example"] },
    { set: [{ recipient: "a@a.example", state: "disabled", listed: true }] },
  ],
  "PATCH /v1/domains/{domain}/mode": [{ mode: "observe" }, { mode: "enforce", expect: 3, note: "why" }],
  "POST /v1/registry/restored": [{ partition: 0, expect: 1 }],
  "POST /v1/registry/verify": [{ partition: 0 }, { partition: 1, after: "a.example 3" }],
  "POST /v1/tokens": [
    { role: "check", domains: null, expires_in: 60 },
    { role: "publish", domains: ["a.example"], note: "why" },
  ],
};

const ROUTES_WITH_JSON = EVERY_ROUTE.filter(
  ({ body }) => body !== undefined && body.schema !== "bytes",
) as readonly (Route & { readonly body: { readonly schema: Schema } })[];

const SCHEMAS = new Map(ROUTES_WITH_JSON.map((route) => [nameOf(route), route.body.schema]));

type Path = readonly (string | number)[];

/** Every place in a message. */
function placesIn(value: unknown, at: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [at];
  const members = Array.isArray(value) ? value.map((each, i) => [i, each] as const) : Object.entries(value);
  return [at, ...members.flatMap(([key, each]) => placesIn(each, [...at, key]))];
}

/** A message with another value in one place; undefined takes the member away. */
function changed(value: unknown, [key, ...rest]: Path, to: unknown): unknown {
  if (key === undefined) return to;
  if (Array.isArray(value)) return value.map((each, i) => (i === key ? changed(each, rest, to) : each));
  const members = Object.entries(value as object).map(
    ([name, each]) => [name, name === key ? changed(each, rest, to) : each] as const,
  );
  return Object.fromEntries(members.filter(([, each]) => each !== undefined));
}

const written = (path: Path): string =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .replace(/^\./, "");

describe("what a request is read by", () => {
  it("is tried for every route that takes JSON", () => {
    expect(Object.keys(RIGHT).sort()).toEqual(ROUTES_WITH_JSON.map(nameOf).sort());
  });

  it.each([...SCHEMAS])(
    "takes what is right, and nothing that its description forbids: %s",
    (name, schema) => {
      let refused = 0;
      for (const right of RIGHT[name] as readonly unknown[]) {
        expect(read(schema, right).fault).toBeUndefined();
        expect(description.requestFault(name, right)).toBeNull();
        const places = placesIn(right);
        forAll<[Path, unknown]>(
          [
            fc.constantFrom(...places),
            fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(undefined, -1, 1.5, "", "x", [], {})),
          ],
          (path, to) => {
            const request: unknown = JSON.parse(JSON.stringify(changed(right, path, to)) ?? "null");
            const { fault } = read(schema, request);
            if (fault === undefined)
              return expect(description.requestFault(name, withKnown(name, request))).toBeNull();
            refused++;
            // The message names the place, one around or inside it, or one beside it that is missing now.
            const [, named = ""] = /^(?:unknown member: )?([\w.[\]-]+)/.exec(fault) ?? [];
            const place = written(path);
            const isNear =
              place.startsWith(named) ||
              named.startsWith(written(path.slice(0, -1))) ||
              fault.startsWith("the body");
            expect([isNear, fault, place]).toEqual([true, fault, place]);
          },
        );
      }
      expect(refused).toBeGreaterThan(50);
    },
  );

  it.each<[string, string, unknown, string]>([
    [
      "a number out of range",
      "POST /v1/commits",
      { domains: [commit, { ...commit, domain: "b.example", policy: { guard: 2 } }] },
      "domains[1].policy.guard must be a number from 0 to 1",
    ],
    [
      "a member that is missing",
      "POST /v1/plans",
      { domains: [{ ...planned, epoch: undefined, expect: undefined }] },
      "domains[0].expect is missing",
    ],
    [
      "a member inside a choice",
      "POST /v1/plans",
      { domains: [{ ...planned, names: { gone: 1, back: "" } }] },
      "domains[0].names.gone must be text",
    ],
    [
      "a member that is not known",
      "POST /v1/tokens",
      { role: "check", domains: null, ttl: 1 },
      "unknown member: ttl; known are role, domains, expires_in, note",
    ],
    [
      "a domain twice",
      "POST /v1/commits",
      { domains: [commit, { ...commit, domain: "A.Example." }] },
      "domains names a domain twice",
    ],
    ["domains that are left out", "POST /v1/tokens", { role: "check" }, "domains is missing"],
    ["no object", "POST /v1/tokens", [], "the body must be an object"],
    ["a role", "POST /v1/tokens", { role: "admin" }, "role must be check, publish or replica"],
    [
      "a domain in a list",
      "POST /v1/tokens",
      { role: "check", domains: ["a.example", "*"] },
      "domains[1] is not a domain: *",
    ],
    [
      "a floor",
      "POST /v1/rcpt",
      { recipient: "a@b", floor: { "b.example": -1 } },
      "floor must give a whole number for each name, but has another value for b.example",
    ],
    [
      "both forms",
      "POST /v1/rcpt",
      { recipient: "a", recipients: ["a"] },
      "the body must hold one of recipient (text) and recipients (a list of text)",
    ],
  ])("says where and what is wrong: %s", (_, name, request, message) => {
    const schema = SCHEMAS.get(name) as Schema;
    expect(read(schema, JSON.parse(JSON.stringify(request))).fault).toBe(message);
  });

  it("keeps the floor of a domain that is called as a member of every object is", () => {
    const request: unknown = JSON.parse('{"recipient":"a@b","floor":{"__proto__":1,"constructor":2}}');
    const { value } = read(SCHEMAS.get("POST /v1/rcpt") as Schema, request) as {
      value: { floor: Record<string, number> };
    };
    expect(Object.entries(value.floor)).toEqual([
      ["__proto__", 1],
      ["constructor", 2],
    ]);
  });
});

/** A check ignores what it does not know; Description allows no member that is not described. */
function withKnown(name: string, request: unknown): unknown {
  if (name !== "POST /v1/rcpt" || Array.isArray(request)) return request;
  const known = ["recipient", "recipients", "floor", "client", "sender"];
  const members = Object.entries(request as object).filter(([member]) => known.includes(member));
  // Text that decides nothing is not checked.
  return Object.fromEntries(members.filter(([member]) => member !== "client" && member !== "sender"));
}
