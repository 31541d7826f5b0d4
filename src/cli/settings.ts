import { dirname } from "node:path";
import * as v from "valibot";
import type { BridgeSettings } from "../bridge/index.ts";
import { type DomainPolicy, type Mode, parseRecipient, toALabel } from "../directory/index.ts";
import { fileList, type NamedSource, type SourceSettings } from "../publish/index.ts";
import { knownKeys, SETTINGS_SCHEMA } from "./settings-schema.ts";
import { TomlFile } from "./toml-file.ts";

/** Name of the settings file in the working directory. */
export const SETTINGS_FILE = "rollcall.toml";

/** One domain of `rollcall.toml`. */
export interface DomainSettings {
  /** In A-labels. */
  readonly domain: string;
  /** Where its list comes from; none for an alias. */
  readonly sources: readonly NamedSource[];
  readonly policy: Partial<DomainPolicy>;
  readonly mode: Mode | undefined;
  readonly canaries: readonly string[];
  /** What a publish does with single changes that the list does not know; undefined: it asks for a decision. */
  readonly patched: "keep" | "drop" | undefined;
  /** Fewest names that the list must accept. */
  readonly minimum: number | undefined;
  /** Addresses that the list must not have. */
  readonly mustNotAppear: readonly string[];
}

export interface Settings {
  /** The file, as messages name it. */
  readonly file: string;
  /** Directory of the file, from which relative paths in it start. */
  readonly directory: string;
  /** The edge to talk to, unless an option or ROLLCALL_URL names one. */
  readonly url: string | undefined;
  /** Whether this host stores the names of the list that it published last. */
  readonly keepLists: boolean;
  readonly domains: readonly DomainSettings[];
  /** `[bridge]`: only what the file sets. */
  readonly bridge: Partial<BridgeSettings>;
  /** The place of a key, `FILE:LINE`. @param path tables and key, such as `["bridge", "line"]` */
  placeOf(path: readonly string[]): string;
}

/**
 * Reads `rollcall.toml`.
 * @param path absolute
 * @returns null if there is no such file
 * @throws CliError exit 3, with one line per error
 */
export function readSettings(path: string, shown: string): Settings | null {
  const file = TomlFile.read(path, shown);
  if (file === null) return null;
  const parsed = v.safeParse(SETTINGS_SCHEMA, file.values());
  if (!parsed.success) throw file.faulty(parsed.issues.map((issue) => describeIssue(issue, file)));
  const { output } = parsed;
  const faults: string[] = [];
  const domains = Object.entries(output.domains).map(([name, table]) => {
    const at = file.placeOf(["domains", name]);
    const fault = (text: string): void => {
      faults.push(`${at}: ${text}`);
    };
    return readDomain(name, table, output, fault);
  });
  if (faults.length > 0) throw file.faulty(faults);
  return {
    file: shown,
    directory: dirname(path),
    url: output.url,
    keepLists: output.keep_lists,
    domains,
    bridge: output.bridge,
    placeOf: (path) => file.placeOf(path),
  };
}

type Table = v.InferOutput<typeof SETTINGS_SCHEMA>["domains"][string];
type Common = Pick<v.InferOutput<typeof SETTINGS_SCHEMA>, "defaults" | "sources">;

function readDomain(
  name: string,
  table: Table,
  { defaults, sources: known }: Common,
  fault: (text: string) => void,
): DomainSettings {
  const domain = toALabel(name);
  if (domain === null) fault(`"${name}" is not a domain name`);
  const { list, sources, mode, patched, canaries, minimum, must_not_appear: mustNotAppear, ...own } = table;
  const { mode: defaultMode, patched: defaultPatched, ...common } = defaults;
  const policy = { ...common, ...own } as Partial<DomainPolicy>;
  const alias = policy.alias ?? null;
  const hasList = list !== undefined || sources !== undefined;
  if (alias === null && !hasList)
    fault('list is missing: name the file, such as list = "lists/example.txt", or sources');
  if (alias !== null && hasList) fault("has a list and an alias: an alias has no list of its own");
  if (list !== undefined && sources !== undefined) {
    fault('has list and sources: make the file a source too, with kind = "file"');
  }
  for (const source of sources ?? []) {
    if (!Object.hasOwn(known, source)) fault(`names source ${source}, but there is no [sources.${source}]`);
  }
  const expected = Object.entries({
    canaries: canaries.length,
    minimum,
    must_not_appear: mustNotAppear.length,
  });
  for (const [key] of expected.filter(([, value]) => alias !== null && value)) {
    fault(`has ${key} and an alias: put ${key} in the table of the alias's target`);
  }
  const isOwn = (address: string): boolean => {
    const read = parseRecipient(address);
    return read.kind === "mailbox" && read.domain === domain;
  };
  for (const canary of canaries) if (!isOwn(canary)) fault(`canary ${canary} is not an address of ${name}`);
  for (const address of mustNotAppear) {
    if (!isOwn(address)) fault(`must_not_appear names ${address}, which is not an address of ${name}`);
    if (canaries.includes(address)) fault(`canaries and must_not_appear both name ${address}`);
  }
  return {
    domain: domain ?? name,
    sources: [
      ...(list === undefined ? [] : [fileList(list)]),
      ...(sources ?? []).map((source) => ({
        shown: `source ${source}`,
        settings: known[source] as SourceSettings,
      })),
    ],
    policy,
    mode: mode ?? defaultMode,
    patched: patched ?? defaultPatched,
    canaries,
    minimum,
    mustNotAppear,
  };
}

/** The parts of a name such as `[domains.acme.test]`, which TOML reads as a table in a table; null for anything else. */
function dottedDomain(issue: v.BaseIssue<unknown>, path: readonly string[]): string[] | null {
  if (path[0] !== "domains" || path.length < 3) return null;
  const parts = path.slice(1);
  let inner = (issue.path?.at(-1) as { value?: unknown } | undefined)?.value;
  if (!isTable(inner)) return null;
  // `[domains.acme.co.uk]`: each further part is a table with nothing but the next one.
  for (;;) {
    const [only, ...others] = Object.entries(inner as object);
    if (only === undefined || others.length > 0 || !isTable(only[1])) return parts;
    parts.push(only[0]);
    inner = only[1];
  }
}

const isTable = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function describeIssue(issue: v.BaseIssue<unknown>, file: TomlFile): string {
  const path = (issue.path ?? []).map((item) => String((item as { key: unknown }).key));
  const key = path.at(-1) ?? "";
  const dotted = dottedDomain(issue, path);
  if (dotted !== null)
    return `${file.placeOf(["domains", ...dotted])}: quote the name: [domains."${dotted.join(".")}"]`;
  const at = file.placeOf(path);
  if (issue.type === "strict_object" && issue.expected === "never") {
    return `${at}: unknown setting ${key}; known here: ${knownKeys(path, issue).join(", ")}`;
  }
  const isObject = issue.type === "strict_object" || issue.type === "loose_object";
  const what = !isObject ? issue.message : issue.expected === "Object" ? "must be a table" : "is missing";
  return `${at}: ${key} ${what}`;
}
