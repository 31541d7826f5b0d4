import * as v from "valibot";
import { combineSources } from "./combine.ts";
import { command } from "./command.ts";
import { dovecot } from "./dovecot.ts";
import { file } from "./file.ts";
import { http } from "./http.ts";
import type { SourceHost, SourceKind } from "./kind.ts";
import { ldap } from "./ldap.ts";
import { literalOf } from "./literal.ts";
import { mariadb } from "./mariadb.ts";
import { onlyOf } from "./other-domains.ts";
import { passwd } from "./passwd.ts";
import { postfix } from "./postfix.ts";
import { postgresql } from "./postgresql.ts";
import { PRESETS, presetsOf, withPreset } from "./presets.ts";
import { wholeNumber } from "./settings.ts";
import type { Source } from "./source.ts";
import { sqlite } from "./sqlite.ts";

/** Every kind of source. To add one, write its file, list it here, and add its section to docs/sources.md. */
const KINDS = {
  file,
  http,
  command,
  postfix,
  passwd,
  dovecot,
  ldap,
  postgresql,
  mariadb,
  sqlite,
} as const satisfies Readonly<Record<string, unknown>>;

/** Kinds whose lists are written for Rollcall, and may have patterns. A preset's are written by a product. */
const WITH_PATTERNS: ReadonlySet<string> = new Set(["file", "command"]);

const KIND_NAMES = Object.keys(KINDS).sort();

/** Settings that every kind has. */
const COMMON = {
  preset: v.optional(v.picklist(Object.keys(PRESETS), `must be one of ${Object.keys(PRESETS).join(", ")}`)),
  other_domains: v.optional(v.picklist(["refuse", "skip"], 'must be "refuse" or "skip"'), "refuse"),
  minimum: v.optional(wholeNumber(1)),
  max_left_out: v.optional(wholeNumber(0)),
};

/** The settings of one source, checked. Only {@link openSources} reads more of it. */
export interface SourceSettings {
  readonly kind: string;
  readonly other_domains: "refuse" | "skip";
  /** Has been applied. */
  readonly preset?: string | undefined;
  /** Fewest addresses that it must give, for all domains of rollcall.toml. */
  readonly minimum?: number | undefined;
  /** Most rows that it may leave out. */
  readonly max_left_out?: number | undefined;
}

const KIND = v.picklist(KIND_NAMES, `must be one of ${KIND_NAMES.join(", ")}`);

/** The settings of a source, with what its preset says. */
const OF_KIND: v.GenericSchema<unknown, SourceSettings> = v.lazy((input) => {
  const named = (input as { kind?: unknown } | null)?.kind;
  const isKnown = typeof named === "string" && Object.hasOwn(KINDS, named);
  // Without its kind, nothing is known about the other settings.
  return isKnown ? schemaOfKind(named) : v.looseObject({ kind: KIND, ...COMMON });
});

/** The settings of a source of one kind. */
function schemaOfKind(named: string): v.GenericSchema<unknown, SourceSettings> {
  const presets = presetsOf(named);
  const preset = v.optional(
    v.picklist(
      presets,
      presets.length === 0
        ? `is not for sources of kind ${named}`
        : `of kind ${named} must be one of ${presets.join(", ")}`,
    ),
  );
  return v.strictObject({ kind: KIND, ...COMMON, ...kindOf(named).settings, preset });
}

/** `[sources.NAME]` of rollcall.toml. */
export const SOURCE_SETTINGS: v.GenericSchema<unknown, SourceSettings> = v.pipe(
  v.unknown(),
  v.transform(withPreset),
  OF_KIND,
);

/** A kind of source, for the JSON schema of rollcall.toml. */
export interface DescribedKind {
  readonly kind: string;
  readonly schema: v.GenericSchema;
  /** By name: the settings that a preset for this kind sets. */
  readonly presets: Readonly<Record<string, readonly string[]>>;
}

export const describeKinds = (): readonly DescribedKind[] =>
  KIND_NAMES.map((kind) => ({
    kind,
    schema: schemaOfKind(kind),
    presets: Object.fromEntries(
      presetsOf(kind).map((preset) => [preset, Object.keys(PRESETS[preset]?.[kind] ?? {})]),
    ),
  }));

/** The settings that a kind of source has, for messages. */
export const knownSourceSettings = (name: unknown): readonly string[] =>
  typeof name === "string" && Object.hasOwn(KINDS, name)
    ? ["kind", ...Object.keys(COMMON), ...Object.keys(kindOf(name).settings)]
    : ["kind"];

/** The settings of each kind, beside those of every kind. `states` is described once for all. */
export const settingsByKind = (): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    KIND_NAMES.map((name) => [name, Object.keys(kindOf(name).settings).filter((each) => each !== "states")]),
  );

const kindOf = (name: string): SourceKind => (KINDS as Readonly<Record<string, unknown>>)[name] as SourceKind;

/** A source of a domain: its settings, and its name as messages show it. */
export interface NamedSource {
  readonly shown: string;
  readonly settings: SourceSettings;
}

/** The files that sources read, as their settings name them. Others cannot be watched. */
export const filesOfSources = (sources: readonly NamedSource[]): string[] =>
  sources.flatMap(({ settings }) => {
    const { kind, path } = settings as SourceSettings & { readonly path?: unknown };
    return kind === "file" && typeof path === "string" ? [path] : [];
  });

/** Opens the sources of one domain as one list. Nothing is read yet. @throws PublishError `input` */
export const openSources = (sources: readonly NamedSource[], host: Omit<SourceHost, "shown">): Source =>
  combineSources(
    sources.map(
      ({ shown, settings: { kind, other_domains, preset, minimum, max_left_out, ...settings } }) => {
        const opened = kindOf(kind).open(settings, { ...host, shown });
        const source = preset === undefined && WITH_PATTERNS.has(kind) ? opened : literalOf(opened);
        const own = other_domains === "skip" ? onlyOf(source, host.domain, host.domains) : source;
        return { ...own, identity: { name: shown, minimum, maxLeftOut: max_left_out } };
      },
    ),
  );

/** A list in a file, as `list = "lists/example.txt"` names it. */
export const fileList = (path: string): NamedSource => ({
  shown: path,
  settings: { kind: "file", other_domains: "refuse", path } as SourceSettings,
});
