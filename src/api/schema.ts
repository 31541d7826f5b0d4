/**
 * Building blocks of the messages. A schema says once what a value must be: its type, how it is checked, the words of
 * the error, and its JSON Schema.
 */
import * as v from "valibot";

export type Schema<T = unknown> = v.GenericSchema<unknown, T>;
/** The type of a message. */
export type Infer<S extends Schema> = DeepReadonly<v.InferOutput<S>>;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

export type JsonSchema = Readonly<Record<string, unknown>>;

type Message = string | ((issue: v.BaseIssue<unknown>) => string);

/** Defined by scripts/build.mjs in the Worker, which makes no OpenAPI document: its bundle has no descriptions. */
declare const ROLLCALL_WITHOUT_DESCRIPTIONS: true | undefined;

/** The schema with what the OpenAPI document says about it. */
export const documented = <S extends Schema>(schema: Schema, description: object): S =>
  (typeof ROLLCALL_WITHOUT_DESCRIPTIONS === "undefined" ? { ...schema, ...description } : schema) as S;

/** A schema that says its own JSON Schema. */
type Kind<T> = Schema<T> & { readonly json: JsonSchema };

/**
 * A value without members of its own in the schema.
 * @param message what it must be, to follow the path of the value: "must be text"
 */
export const kind = <T>(test: (value: unknown) => boolean, message: Message, json: JsonSchema): Kind<T> =>
  documented(v.custom<T>(test, message), { json });

/** The same schema with more of JSON Schema. */
export const described = <T>(schema: Kind<T>, json: JsonSchema): Kind<T> => ({
  ...schema,
  json: { ...schema.json, ...json },
});

/** A schema under a name that the OpenAPI document refers to. */
export const named = <S extends Schema>(name: string, schema: S): S => documented(schema, { name });

const isText = (value: unknown): value is string => typeof value === "string";
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

export const text = kind<string>(isText, "must be text", { type: "string" });
export const flag = kind<boolean>((value) => typeof value === "boolean", "must be true or false", {
  type: "boolean",
});
/** A whole number that is not negative. */
export const whole = kind<number>(isWhole, "must be a whole number", { type: "integer", minimum: 0 });
/** Checked in one pass and not copied: a list of recipients or shard ids may be long. */
export const texts = kind<readonly string[]>(
  (value) => Array.isArray(value) && value.every((each) => typeof each === "string"),
  "must be a list of text",
  { type: "array", items: { type: "string" } },
);

/** One of these words. */
export const oneOf = <const W extends string>(...words: readonly W[]): Schema<W> =>
  kind((value) => words.includes(value as W), `must be ${words.join(", ").replace(/, (?=[^,]*$)/, " or ")}`, {
    type: "string",
    enum: words,
  });

/** One of these words in an answer; a later release may use others. */
export const knownWord = <const W extends string>(...words: readonly W[]): Schema<W> =>
  kind(isText, "must be text", { type: "string", enum: words });

/** Null, or missing in the answer of an edge that does not know the member. */
export const orNull = <T>(schema: Schema<T>) => v.optional(v.nullable(schema), null);

/**
 * An object with one kind of value under any name. Its members are not copied one by one, so that a domain called
 * `__proto__` or `constructor` keeps its value.
 * @param what the values are, in words
 */
export const mapOf = <T>(item: Schema<T>, what: string): Schema<Record<string, T>> => {
  const map = kind<Record<string, T>>(
    (value) => isRecord(value) && wrongMember(value, item) === undefined,
    ({ input }) =>
      isRecord(input)
        ? `must give ${what} for each name, but has another value for ${wrongMember(input, item)?.slice(0, 100)}`
        : "must be an object",
    { type: "object" },
  );
  return documented(map, { values: item });
};

function wrongMember(value: Readonly<Record<string, unknown>>, item: Schema): string | undefined {
  for (const name in value) if (!v.safeParse(item, value[name]).success) return name;
  return undefined;
}

/** A list of messages: of any length, or of 1 to `most`. */
export const listOf = <T>(item: Schema<T>, most?: number): Schema<T[]> => {
  if (most === undefined) return v.array(item, "must be a list");
  const message = `must be a list of 1 to ${most}`;
  return v.pipe(
    v.array(item, message),
    v.check(({ length }) => length >= 1 && length <= most, message),
  );
};

/**
 * One of several schemas, chosen by the value, so that an error is about the one that was meant.
 * @param pick another schema than those of `options` is for values that are none of them
 */
export const choice = <S extends Schema>(
  options: readonly S[],
  pick: (value: unknown) => S | Schema<never>,
): Schema<v.InferOutput<S>> => documented(v.lazy(pick), { options });

const notAnObject = kind<never>(() => false, "must be an object", {});

const objectOf = <S extends Schema>(schema: S): Schema<v.InferOutput<S>> =>
  choice([schema], (value) => (isRecord(value) ? schema : notAnObject));

/** An object of an answer, or of a check: members that are not known are ignored. */
export const open = <const E extends v.ObjectEntries>(
  members: E,
): Schema<v.InferOutput<v.ObjectSchema<E, undefined>>> => objectOf(v.object(members, () => "is missing"));

/**
 * An object of a request that changes something: members that are not known are an error. They may have been meant to
 * matter.
 */
export const closed = <const E extends v.ObjectEntries>(
  members: E,
): Schema<v.InferOutput<v.ObjectSchema<E, undefined>>> => {
  const names = Object.keys(members);
  const known = names.length === 0 ? "none are taken here" : `known are ${names.join(", ")}`;
  return objectOf(
    v.strictObject(members, ({ expected }) => (expected === UNKNOWN_MEMBER ? known : "is missing")),
  );
};

/** What valibot expects of a member that a strict object does not know. */
const UNKNOWN_MEMBER = "never";

/** A message that was read, or what is wrong with it, in words that name where. */
export type Reading<T> =
  | { readonly value: T; readonly fault?: undefined }
  | { readonly value?: undefined; readonly fault: string };

/** Checks a value against a schema. */
export function read<S extends Schema>(schema: S, value: unknown, what = "the body"): Reading<Infer<S>> {
  const { issues, output } = v.safeParse(schema, value, { abortEarly: true });
  if (issues === undefined) return { value: output as Infer<S> };
  const [issue] = issues;
  const path = (issue.path ?? [])
    .map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${String(key).slice(0, 100)}`))
    .join("")
    .replace(/^\./, "");
  return {
    fault:
      issue.expected === UNKNOWN_MEMBER
        ? `unknown member: ${path}; ${issue.message}`
        : `${path || what} ${issue.message}`,
  };
}
