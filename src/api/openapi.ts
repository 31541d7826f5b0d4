import { errorBody } from "./answers/errors.ts";
import { type DescribedRoute, EVERY_DESCRIBED_ROUTE, errorsOf } from "./answers/table.ts";
import { type ErrorCode, STATUS } from "./errors.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import { MAX_PAGE, MAX_WHOLE } from "./limits.ts";
import { type JsonSchema, type Schema, text, whole } from "./schema.ts";
import { VERSION } from "./version.ts";

/** The description of the API in OpenAPI 3.1, made from its routes and their schemas. */
export function openApiDocument(): JsonSchema {
  const schemas: Record<string, JsonSchema> = {};
  /** The JSON Schema of a message; what has a name is written once, and referred to. */
  const of = (schema: Schema): JsonSchema =>
    jsonSchemaOf(schema, (name, written) => {
      schemas[name] ??= written();
      return { $ref: `#/components/schemas/${name}` };
    });
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of EVERY_DESCRIBED_ROUTE) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, of) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Rollcall", version: VERSION, license: { name: "MIT", identifier: "MIT" } },
    paths,
    components: { schemas, securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  };
}

type Describe = (schema: Schema) => JsonSchema;

/** Errors that any route with a token may end in. */
const WITH_TOKEN: readonly ErrorCode[] = [
  // A query parameter that a route does not take is a bad request.
  "bad_request",
  "unauthorized",
  "forbidden",
  "unconfigured",
  "uninitialised",
  "unavailable",
];

function operation(route: DescribedRoute, of: Describe): JsonSchema {
  const {
    roles = [],
    summary,
    params = {},
    query = [],
    optionalQuery = [],
    headers = {},
    filters = {},
    paged,
    body,
    answer,
    status = 200,
    answersWith503,
  } = route;
  const isOpen = roles === "anyone";
  const codes = new Set([...(isOpen ? [] : WITH_TOKEN), ...errorsOf(route)]);
  const statuses = new Set<number>([...codes].map((code) => STATUS[code]));
  if (answersWith503) statuses.add(503);
  const problem = (status: number): JsonSchema => {
    const own = [...codes].filter((code) => STATUS[code] === status);
    const schemas = own.length === 0 ? [] : [of(errorBody)];
    if (status === 503 && answersWith503) schemas.push(of(answer as Schema));
    return {
      description: own.join(", "),
      content: jsonOrText(schemas.length === 1 ? (schemas[0] as JsonSchema) : { anyOf: schemas }),
    };
  };
  const content = (schema: Schema | "bytes"): JsonSchema => {
    if (schema === "bytes") return { "application/octet-stream": {} };
    return route.bound === "recipients" && !route.defersFaults
      ? jsonOrText(of(schema))
      : { "application/json": { schema: of(schema) } };
  };
  const parameters = [
    ...Object.entries(params).map(([name, schema]) => parameter("path", name, of(schema))),
    ...query.map((name) => parameter("query", name, of(whole))),
    ...optionalQuery.map((name) => ({ ...parameter("query", name, of(whole)), required: false })),
    ...Object.entries(headers).map(([name, schema]) => ({
      ...parameter("header", name, of(schema)),
      required: false,
    })),
    ...Object.entries(filters).map(([name, schema]) => ({
      ...parameter("query", name, of(schema)),
      required: false,
    })),
    ...(paged === undefined ? [] : pageParameters(of(paged === "generation" ? whole : text))),
  ];
  return {
    summary,
    security: isOpen ? [] : [{ token: [] }],
    ...(isOpen ? {} : { "x-roles": [...roles, "admin"] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: content(body.schema) } }),
    responses: {
      [status]: { description: "Done", content: content(answer) },
      ...Object.fromEntries([...statuses].map((status) => [status, problem(status)])),
    },
  };
}

const parameter = (place: "path" | "query" | "header", name: string, schema: JsonSchema): JsonSchema => ({
  name,
  in: place,
  required: true,
  schema,
});

const pageParameters = (after: JsonSchema): JsonSchema[] => [
  {
    ...parameter("query", "after", after),
    required: false,
    description: "`next` of the page before; left out for the first page",
  },
  {
    ...parameter("query", "limit", { type: "integer", minimum: 1, maximum: MAX_PAGE, default: MAX_PAGE }),
    required: false,
    description: `lines of a page. Without after and limit the whole list comes, or an error if it has more than ${MAX_WHOLE} lines`,
  },
];

/** JSON, or lines of text if those were asked for. */
const jsonOrText = (schema: JsonSchema): JsonSchema => ({
  "application/json": { schema },
  "text/plain": { schema: { type: "string" } },
});
