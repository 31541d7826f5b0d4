/** Checks requests and responses against the API's own OpenAPI description. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { Route } from "../../../src/api/index.ts";

type Json = Readonly<Record<string, unknown>>;
interface Content {
  readonly content: Readonly<Record<string, { readonly schema?: Json }>>;
}
export interface Operation {
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content & { readonly description: string }>>;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly "x-roles"?: readonly string[];
}
export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Json;
}

/** Name of a route as in the description: `GET /v1/domains/{domain}`. */
export const nameOf = ({ method, path }: Pick<Route, "method" | "path">): string =>
  `${method} ${path.replace(/:(\w+)/g, "{$1}")}`;

/** What a description says of bodies. */
export class Description {
  readonly #document: Document;
  readonly #ajv: Ajv2020;
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(document: Document) {
    this.#document = closed(document) as Document;
    this.#ajv = new Ajv2020({ strict: true, allErrors: true });
    this.#ajv.addVocabulary(Object.keys(document));
    this.#ajv.addSchema({ $id: "api", ...this.#document });
  }

  /** Every operation by name. */
  get operations(): ReadonlyMap<string, Operation> {
    return new Map(
      Object.entries(this.#document.paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, it]) => [`${method.toUpperCase()} ${path}`, it] as const),
      ),
    );
  }

  operation(name: string): Operation {
    const operation = this.operations.get(name);
    if (operation === undefined) throw new Error(`${name} is not described`);
    return operation;
  }

  /** Codes of the documented errors of a route. */
  codes(name: string): string[] {
    return Object.values(this.operation(name).responses).flatMap(({ description }) =>
      description.split(", "),
    );
  }

  /** What is wrong with a request's JSON, or null. */
  requestFault(name: string, json: unknown): string | null {
    const schema = this.operation(name).requestBody?.content["application/json"]?.schema;
    return schema === undefined ? "its body is not described" : this.#fault(schema, json);
  }

  /** What is wrong with a response, or null. Its body may lack JSON only if the description says so. */
  async responseFault(name: string, response: Response): Promise<string | null> {
    const described = this.operation(name).responses[response.status];
    if (described === undefined) return `status ${response.status} is not described`;
    const type = (response.headers.get("Content-Type") ?? "").split(";")[0] as string;
    const content = described.content[type];
    if (content === undefined) return `${type} under ${response.status} is not described`;
    if (type !== "application/json") return null;
    return content.schema === undefined ? "no schema" : this.#fault(content.schema, await response.json());
  }

  #fault(schema: Json, value: unknown): string | null {
    const key = JSON.stringify(schema);
    let validate = this.#compiled.get(key);
    if (validate === undefined) {
      validate = this.#ajv.compile(JSON.parse(key.replaceAll('"#/', '"api#/')) as Json);
      this.#compiled.set(key, validate);
    }
    return validate(value) ? null : this.#ajv.errorsText(validate.errors);
  }
}

/** The same schemas, but an object may have no members that are not described. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, each]) => [name, closed(each)]));
  const isObject = copy.type === "object" && "properties" in copy && typeof copy.properties === "object";
  return isObject ? { ...copy, additionalProperties: false } : copy;
}
