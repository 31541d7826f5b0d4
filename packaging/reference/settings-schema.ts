/** The JSON schema of rollcall.toml, with which editors check, complete and explain it. */
import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { SETTINGS, type SettingName } from "../../src/bridge/index.ts";
import { SETTINGS_SCHEMA } from "../../src/cli/settings-schema.ts";
import { type DescribedKind, describeKinds } from "../../src/publish/index.ts";
import { DOMAIN_TEXTS, FILE_TEXTS, SOURCE_TEXTS } from "./setting-texts.ts";

export type Json = { readonly [key: string]: unknown };
type Properties = Readonly<Record<string, Json>>;
type Table = Json & { readonly properties: Properties; readonly required?: readonly string[] };

/** A check that is a function cannot be converted: a pattern beside it says what editors need. */
const converted = (schema: v.GenericSchema): Table => {
  const { $schema: _, ...table } = toJsonSchema(schema, { typeMode: "input", ignoreActions: ["check"] });
  return table as unknown as Table;
};

export function settingsJsonSchema(): Json {
  const file = converted(SETTINGS_SCHEMA);
  const { bridge, defaults, domains, sources } = file.properties as Readonly<Record<string, Table>>;
  const tables = {
    bridge: explained(bridge, (name) => SETTINGS[name as SettingName].about),
    defaults: explained(defaults, (name) => DOMAIN_TEXTS[name]),
    domains: {
      ...domains,
      additionalProperties: explained(domains?.additionalProperties as Table, (name) => DOMAIN_TEXTS[name]),
    },
    sources: { ...sources, additionalProperties: sourceSchema(describeKinds()) },
  };
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "rollcall.toml",
    ...explained({ ...file, properties: { ...file.properties, ...tables } }, (name) => FILE_TEXTS[name]),
    ...either(
      {
        required: ["defaults"],
        properties: { defaults: { required: ["alias"], properties: { alias: SET } } },
      },
      { properties: { domains: { additionalProperties: domainRules(true) } } },
      { properties: { domains: { additionalProperties: domainRules(false) } } },
    ),
  };
}

/** The table with a text for each of its settings. @throws Error for a setting without one */
function explained(table: Table | undefined, textOf: (name: string) => string | undefined): Table {
  const properties = Object.entries(table?.properties ?? {}).map(([name, property]) => {
    const description = textOf(name);
    if (description === undefined) throw new Error(`setting-texts.ts has no text for ${name}`);
    return [name, { description, ...property }] as const;
  });
  return { ...table, properties: Object.fromEntries(properties) };
}

const either = (condition: Json, then: Json, otherwise: Json): Json => ({
  if: condition,
  then,
  else: otherwise,
});

/** A text that is not empty. */
const SET: Json = { minLength: 1 };
const ABSENT = false;

/**
 * What readSettings() asks of a domain beyond single settings: an alias has no list, and nothing that is compared with one; any
 * other domain has a list or sources.
 */
const domainRules = (isAliasByDefault: boolean): Json =>
  either(
    { properties: { alias: SET }, required: isAliasByDefault ? [] : ["alias"] },
    {
      properties: {
        list: ABSENT,
        sources: ABSENT,
        minimum: ABSENT,
        canaries: { maxItems: 0 },
        must_not_appear: { maxItems: 0 },
      },
    },
    either({ required: ["sources"] }, { properties: { list: ABSENT } }, { required: ["list"] }),
  );

/**
 * A table `[sources.NAME]`. Its properties are those of all kinds, from which editors complete. The branch of its kind says
 * which of them it may have, so that an error is about one setting and not about the whole table.
 */
function sourceSchema(kinds: readonly DescribedKind[]): Json {
  const tables = kinds.map((each) => ({ ...each, table: sourceTable(each) }));
  const names = new Set(tables.flatMap(({ table }) => Object.keys(table.properties)));
  const byKind = tables.reduceRight<Json>(
    (others, { kind, presets, table: { required = [], ...table } }) =>
      either(
        { properties: { kind: { const: kind } }, required: ["kind"] },
        { ...table, anyOf: requirements(required, presets) },
        others,
      ),
    {},
  );
  const properties = [...names].map((name) => [
    name,
    ofAnyKind(
      tables.flatMap(({ kind, table }) =>
        Object.hasOwn(table.properties, name) ? [[kind, table.properties[name] as Json]] : [],
      ),
    ),
  ]);
  return { type: "object", properties: Object.fromEntries(properties), required: ["kind"], ...byKind };
}

/** A preset sets what would otherwise be required. */
const requirements = (required: readonly string[], presets: DescribedKind["presets"]): Json[] => [
  { required },
  ...Object.entries(presets).map(([preset, sets]) => ({
    properties: { preset: { const: preset } },
    required: ["preset", ...required.filter((name) => !sets.includes(name))],
  })),
];

/** A setting that several kinds have, possibly with different values and meanings. */
function ofAnyKind(properties: readonly (readonly [kind: string, property: Json])[]): Json {
  const values = new Map(
    properties.map(([, { description: _, ...value }]) => [JSON.stringify(value), value]),
  );
  const texts = new Set(properties.map(([, { description }]) => description));
  const description =
    texts.size === 1
      ? [...texts][0]
      : properties.map(([kind, { description: text }]) => `${kind}: ${text}`).join("\n");
  const [value] = values.values();
  return values.size === 1 ? { description, ...value } : { description, anyOf: [...values.values()] };
}

const sourceTable = ({ kind, schema, presets }: DescribedKind): Table => {
  const within = (table: string, property: Json): Json =>
    property.properties === undefined
      ? property
      : explained(property as Table, (name) => SOURCE_TEXTS[`${table}.${name}`]);
  const { properties: all, ...table } = converted(schema);
  const { preset, ...others } = all;
  const properties: Properties =
    Object.keys(presets).length === 0 || preset === undefined ? others : { ...others, preset };
  const nested = Object.entries(properties).map(([name, property]) => [name, within(name, property)]);
  return explained(
    { ...table, properties: Object.fromEntries(nested) },
    (name) => SOURCE_TEXTS[`${kind}.${name}`] ?? SOURCE_TEXTS[name],
  );
};
