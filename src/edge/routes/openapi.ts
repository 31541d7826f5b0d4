import type { ErrorCode } from "../../api/contract.ts";
import { VERSION } from "../../api/version.ts";
import { type DEFAULT_POLICY, ENTRY_STATES, VERDICTS } from "../../directory/index.ts";
import { STATUS } from "../http.ts";
import type { Route } from "./route.ts";

/** A JSON Schema, as far as this API uses it. */
type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: "string" };
const whole: Schema = { type: "integer", minimum: 0 };
const flag: Schema = { type: "boolean" };
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const list = (items: Schema): Schema => ({ type: "array", items });
const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });
const oneOf = (...words: readonly string[]): Schema => ({ type: "string", enum: words });
const mapOf = (schema: Schema): Schema => ({ type: "object", additionalProperties: schema });

/** An object whose properties are all required, but for those named in `optional`. */
function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  return {
    type: "object",
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
  };
}

const policy: Readonly<Record<keyof typeof DEFAULT_POLICY, Schema>> = {
  delimiters: { type: "string", maxLength: 4 },
  catchall: flag,
  case: oneOf("insensitive", "sensitive"),
  dots: oneOf("significant", "ignored"),
  postmaster: flag,
  alias: nullable(text),
  text: nullable({ type: "string", maxLength: 200 }),
  grace: whole,
  guard: { type: "number", minimum: 0, maximum: 1 },
};

const summary: Readonly<Record<string, Schema>> = {
  domain: text,
  generation: whole,
  time: whole,
  mode: oneOf("enforce", "observe"),
  counts: ref("Counts"),
  alias: nullable(text),
  deleted_until: nullable(whole),
};

const token: Readonly<Record<string, Schema>> = {
  id: text,
  role: oneOf("check", "publish", "replica"),
  domains: nullable(list(text)),
  expires: nullable(whole),
  created: whole,
  revoked: nullable(whole),
  note: nullable(text),
};

/** Every body of the API by name. */
const SCHEMAS: Readonly<Record<string, Schema>> = {
  Answer: object(
    {
      recipient: text,
      verdict: oneOf(...Object.keys(VERDICTS)),
      action: oneOf("accept", "reject", "defer"),
      reply: { type: "string", maxLength: 500 },
      matched: nullable(oneOf("mailbox", "subaddress", "catch-all", "postmaster")),
      domain: nullable(text),
      generation: nullable(whole),
      incarnation: nullable(whole),
      origin: nullable(oneOf("registry", "kv")),
      mode: nullable(oneOf("enforce", "observe")),
      confirmed_age: nullable(whole),
      contact_age: nullable(whole),
      max_age: whole,
      observed: text,
      detail: text,
    },
    ["observed", "detail"],
  ),
  CheckRequest: {
    anyOf: [
      object({ recipient: text, floor: mapOf(whole), client: text, sender: text }, [
        "floor",
        "client",
        "sender",
      ]),
      object({ recipients: list(text), floor: mapOf(whole), client: text, sender: text }, [
        "floor",
        "client",
        "sender",
      ]),
      list(text),
    ],
  },
  CheckAnswer: { anyOf: [ref("Answer"), object({ results: list(ref("Answer")) })] },
  Counts: object(Object.fromEntries(ENTRY_STATES.map((state) => [state, whole]))),
  Policy: object(policy),
  PolicyChange: object(policy, Object.keys(policy)),
  ShardTable: {
    anyOf: [object({ bits: whole, ids: list(text) }), object({ bits: { const: 0 }, inline: text })],
  },
  DomainList: object({ domains: list(object(summary)) }),
  DomainDescription: object({
    ...summary,
    origin: oneOf("registry", "kv"),
    partition: whole,
    policy: ref("Policy"),
    epoch: whole,
    key_id: text,
    canonicaliser: whole,
    shards: ref("ShardTable"),
    departures: whole,
    kv: object({
      state: oneOf("equal", "behind", "missing", "conflict", "damaged", "unreadable"),
      generation: nullable(whole),
    }),
  }),
  DomainKeyBody: object({
    domain: text,
    epoch: whole,
    key: text,
    key_id: text,
    canonicaliser: whole,
    partition: whole,
  }),
  Done: object({ done: { const: true } }),
  GenerationList: object({
    domain: text,
    generations: list(
      object({
        generation: whole,
        time: whole,
        action: oneOf("commit", "rollback", "delete"),
        by: text,
        forced: flag,
        note: nullable(text),
        mode: oneOf("enforce", "observe"),
        counts: ref("Counts"),
        departures: whole,
      }),
    ),
  }),
  CommitRequest: object(
    {
      domains: list(
        object(
          {
            domain: text,
            expect: nullable(whole),
            epoch: whole,
            key_id: text,
            canonicaliser: whole,
            sentinels: list(text),
            policy: ref("PolicyChange"),
            mode: oneOf("enforce", "observe"),
            shards: ref("ShardTable"),
          },
          ["policy", "mode"],
        ),
      ),
      force: flag,
      note: { type: "string", maxLength: 200 },
    },
    ["force", "note"],
  ),
  CommitResult: object({ generations: mapOf(whole), unchanged: list(text) }),
  RollbackRequest: object({ to: whole, expect: whole, note: text }, ["note"]),
  HeadResult: object({ domain: text, generation: whole }),
  TokenRequest: object(
    {
      role: oneOf("check", "publish", "replica"),
      domains: nullable(list(text)),
      expires_in: nullable(whole),
      note: text,
    },
    ["domains", "expires_in", "note"],
  ),
  TokenRecord: object(token),
  TokenCreated: object({ ...token, token: text }),
  TokenList: object({ tokens: list(ref("TokenRecord")) }),
  RegistryStatus: object({
    partitions: list(
      object({
        partition: whole,
        incarnation: nullable(whole),
        as_of: whole,
        kv_pending: whole,
        kv_error: nullable(text),
      }),
    ),
    kv_readable: flag,
    kv_cache_ttl: whole,
  }),
  AuditList: object({
    audit: list(object({ time: whole, action: text, by: text, subject: text, detail: nullable(text) })),
  }),
  Health: object({ status: oneOf("ok", "unconfigured"), version: text, faults: list(text) }),
  OpenApi: { type: "object" },
  Error: object({
    error: object(
      {
        code: oneOf(...Object.keys(STATUS)),
        message: text,
        domain: text,
        head: nullable(whole),
        missing: mapOf(list(text)),
        refusals: mapOf(text),
      },
      ["domain", "head", "missing", "refusals"],
    ),
  }),
};

/** The description of the API in OpenAPI 3.1, made from the routes themselves. */
export function describeRoutes(routes: readonly Route[]): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Rollcall", version: VERSION, license: { name: "MIT", identifier: "MIT" } },
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

/** Errors that any route with a token may end in. */
const ALWAYS: readonly ErrorCode[] = ["unconfigured", "uninitialised", "unavailable"];

function operationOf(route: Route): Schema {
  const pathParameters = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => parameter("path", name, text));
  const parameters = [
    ...pathParameters,
    ...(route.query ?? []).map((name) => parameter("query", name, whole)),
  ];
  const open = route.roles === "anyone";
  const codes = new Set<ErrorCode>([
    ...(open ? [] : (["unauthorized", "forbidden"] as const)),
    ...(parameters.length === 0 ? [] : (["bad_request"] as const)),
    ...route.errors,
    ...(open ? [] : ALWAYS),
  ]);
  const statuses = new Set([...codes].map((code) => STATUS[code]));
  if (route.answersWith503) statuses.add(503);
  const problems = [...statuses].sort().map((status) => {
    const own = [...codes].filter((code) => STATUS[code] === status);
    const schemas = [
      ...(own.length === 0 ? [] : [ref("Error")]),
      ...(status === 503 && route.answersWith503 ? [ref(route.answer)] : []),
    ];
    const schema = schemas.length === 1 ? (schemas[0] as Schema) : { anyOf: schemas };
    return [String(status), { description: own.join(", "), content: jsonOrText(schema) }] as const;
  });
  return {
    summary: route.summary,
    security: open ? [] : [{ token: [] }],
    ...(open ? {} : { "x-roles": [...route.roles, "admin"] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: content(route.body, route) } }),
    responses: {
      "200": { description: "Done", content: content(route.answer, route) },
      ...Object.fromEntries(problems),
    },
  };
}

const parameter = (place: "path" | "query", name: string | undefined, schema: Schema): Schema => ({
  name,
  in: place,
  required: true,
  schema,
});

function content(name: string, route: Route): Schema {
  if (name === "octets") return { "application/octet-stream": {} };
  return route.bound === "recipients" ? jsonOrText(ref(name)) : { "application/json": { schema: ref(name) } };
}

/** JSON, or lines of text where those were asked for. */
const jsonOrText = (schema: Schema): Schema => ({
  "application/json": { schema },
  "text/plain": { schema: text },
});
