import type * as v from "valibot";
import { settings } from "./answers/policy.ts";
import type { JsonSchema } from "./schema.ts";

/** The parts of a schema that its JSON Schema is made of. */
interface Parts {
  readonly type: string;
  readonly name?: string;
  readonly json?: JsonSchema;
  readonly wrapped?: v.GenericSchema;
  readonly default?: unknown;
  readonly item?: v.GenericSchema;
  readonly values?: v.GenericSchema;
  readonly setting?: keyof typeof settings;
  readonly entries?: Readonly<Record<string, v.GenericSchema>>;
  readonly options?: readonly v.GenericSchema[];
}

/**
 * The JSON Schema of a schema that schema.ts and valibot's `exactOptional`, `optional` and `nullable` made.
 * @param refer what stands for a schema that has a name
 */
export function jsonSchemaOf(
  schema: v.GenericSchema,
  refer: (name: string, whole: () => JsonSchema) => JsonSchema,
): JsonSchema {
  const of = (part: v.GenericSchema): JsonSchema => jsonSchemaOf(part, refer);
  const { type, name, json, wrapped, item, values, setting, entries, options } = schema as unknown as Parts;
  const structure = (): JsonSchema => {
    if (entries !== undefined) {
      return {
        type: "object",
        properties: Object.fromEntries(Object.entries(entries).map(([key, part]) => [key, of(part)])),
        required: Object.keys(entries).filter((key) => isRequired(entries[key] as v.GenericSchema)),
        ...(type === "strict_object" ? { additionalProperties: false } : {}),
      };
    }
    if (item !== undefined) return { type: "array", items: of(item) };
    if (setting !== undefined) return of(settings[setting]);
    if (values !== undefined) return { additionalProperties: of(values) };
    if (wrapped !== undefined) {
      return type === "nullable" ? { anyOf: [of(wrapped), { type: "null" }] } : of(wrapped);
    }
    if (options === undefined) return {};
    return options.length === 1 ? of(options[0] as v.GenericSchema) : { anyOf: options.map(of) };
  };
  const whole = (): JsonSchema => ({ ...structure(), ...json });
  return name === undefined ? whole() : refer(name, whole);
}

/** What `orNull` made is always sent: only a reader does without. */
const isRequired = (schema: v.GenericSchema): boolean =>
  !schema.type.endsWith("optional") || (schema as unknown as Parts).default === null;
