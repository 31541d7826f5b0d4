/** What `rollcall.toml` may say, as a schema: checks, messages, and the JSON schema for editors derive from it. */
import * as v from "valibot";
import { Fault, readSetting, SETTING_NAMES, SETTINGS } from "../bridge/index.ts";
import {
  DEFAULT_POLICY,
  type DomainPolicy,
  MODES,
  POLICY_SETTINGS,
  policyFault,
} from "../directory/index.ts";
import {
  knownSourceSettings,
  SOURCE_SETTINGS,
  tableSetting,
  textSetting,
  wholeNumber,
} from "../publish/index.ts";

/** Part of a JSON schema. */
type Json = Readonly<Record<string, unknown>>;

/**
 * What editors are told about the settings of a policy, whose rules are functions. A test compares the two with many values.
 * The empty text and alias remove the stored one.
 */
const POLICY_JSON: Readonly<Record<keyof DomainPolicy, Json>> = {
  delimiters: { type: "string", pattern: "^[-+=_#~.!%/]{0,4}$" },
  catchall: { type: "boolean" },
  case: { type: "string", enum: ["insensitive", "sensitive"] },
  dots: { type: "string", enum: ["significant", "ignored"] },
  postmaster: { type: "boolean" },
  alias: { type: "string", pattern: "^(?:[a-z0-9_-]{1,63}(?:\\.[a-z0-9_-]{1,63})*)?$", maxLength: 253 },
  text: { type: "string", pattern: "^[ -~]*$", maxLength: 200 },
  grace: { type: "integer", minimum: 0, maximum: 30 * 86_400 },
  guard: { type: "number", minimum: 0, maximum: 1 },
};

const policyEntries = Object.fromEntries(
  POLICY_SETTINGS.map((name) => [
    name,
    v.optional(
      v.pipe(
        v.unknown(),
        v.metadata({ ...POLICY_JSON[name], default: DEFAULT_POLICY[name] ?? "" }),
        // TOML has no null: an empty text or alias removes the stored one.
        v.transform((value) => ((name === "alias" || name === "text") && value === "" ? null : value)),
        v.rawCheck(({ dataset, addIssue }) => {
          const fault = dataset.typed ? policyFault(name, dataset.value) : null;
          if (fault !== null) addIssue({ message: fault });
        }),
      ),
    ),
  ]),
);

const bridgeEntries = Object.fromEntries(
  SETTING_NAMES.map((name) => [
    name,
    v.optional(
      v.pipe(
        v.unknown(),
        v.metadata(SETTINGS[name].json),
        v.rawTransform(({ dataset, addIssue, NEVER }) => {
          const read = readSetting(name, dataset.value);
          if (!(read instanceof Fault)) return read;
          addIssue({ message: read.why });
          return NEVER;
        }),
      ),
    ),
  ]),
);

const MODE = v.optional(v.picklist(MODES, 'must be "observe", "defer" or "enforce"'));
const PATCHED = v.optional(v.picklist(["keep", "drop"], 'must be "keep" or "drop"'));

const ADDRESSES = v.optional(v.array(textSetting("must be addresses"), "must be a list of addresses"), []);

const URL_FORM = 'must be a complete URL, such as "https://rollcall.example.org"';

/** A table `[domains."example.com"]`. */
const DOMAIN = tableSetting(
  v.strictObject({
    list: v.optional(textSetting("must be the path of a list")),
    sources: v.optional(
      v.pipe(
        v.array(textSetting("must be names of sources"), 'must be a list of names, such as ["staff"]'),
        v.nonEmpty("must name a source"),
      ),
    ),
    mode: MODE,
    patched: PATCHED,
    canaries: ADDRESSES,
    minimum: v.optional(wholeNumber(1)),
    must_not_appear: ADDRESSES,
    ...policyEntries,
  }),
);

/** `rollcall.toml`, without the rules between its tables. */
export const SETTINGS_SCHEMA = v.strictObject({
  url: v.optional(
    v.pipe(
      v.string(URL_FORM),
      v.check((text) => /^https?:\/\//i.test(text) && URL.canParse(text), URL_FORM),
      v.metadata({ pattern: "^[Hh][Tt][Tt][Pp][Ss]?://" }),
    ),
  ),
  keep_lists: v.optional(v.boolean("must be true or false"), true),
  bridge: v.optional(tableSetting(v.strictObject(bridgeEntries)), {}),
  defaults: v.optional(tableSetting(v.strictObject({ mode: MODE, patched: PATCHED, ...policyEntries })), {}),
  sources: v.optional(
    tableSetting(v.record(v.string(), SOURCE_SETTINGS, "must be tables such as [sources.staff]")),
    {},
  ),
  domains: v.optional(
    tableSetting(
      v.record(
        // Labels of ASCII, or anything in other scripts; readSettings() checks the name as IDNA does.
        v.pipe(
          v.string(),
          v.metadata({ pattern: "^(?:[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*\\.?|.*[^\\x00-\\x7f].*)$" }),
        ),
        DOMAIN,
        'must be tables such as [domains."example.com"]',
      ),
    ),
    {},
  ),
});

/** The settings that a table has, for a message about one that it has not. @param path of the unknown one */
export function knownKeys(path: readonly string[], issue: v.BaseIssue<unknown>): readonly string[] {
  if (path.length === 1) return ["url", "keep_lists", "bridge", "sources", "defaults", "domains"];
  if (path[0] === "bridge") return SETTING_NAMES;
  if (path[0] === "sources") {
    const table = issue.path?.at(-1) as { input?: { kind?: unknown } } | undefined;
    return knownSourceSettings(table?.input?.kind);
  }
  return path[0] === "defaults"
    ? ["mode", "patched", ...POLICY_SETTINGS]
    : ["list", "sources", "mode", "patched", "canaries", "minimum", "must_not_appear", ...POLICY_SETTINGS];
}
