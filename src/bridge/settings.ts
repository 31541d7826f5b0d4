import { toALabel } from "../directory/index.ts";
import { secondsOf } from "../runtime/time-text.ts";
import {
  ADDRESS_FORMS,
  isLocal,
  type ListenAddress,
  parseAnyAddress,
  showAddress,
} from "./listeners/address.ts";
import { NETWORK_FORMS, type Network, parseNetwork } from "./listeners/peers.ts";
import { LOG_LEVELS, type LogLevel } from "./observability/log.ts";
import { LOOKUP_NAMES, LOOKUPS, type LookupName } from "./protocols/lookups.ts";

const DAY = 86_400;

/** Where each protocol listens. */
export type ProtocolAddresses = { readonly [P in LookupName]: readonly ListenAddress[] };

/** All settings of a bridge: `[bridge]` of rollcall.toml, and its flags. */
export interface BridgeSettings extends ProtocolAddresses {
  readonly metrics: readonly ListenAddress[];
  /** Permissions of unix sockets. */
  readonly socket_mode: number;
  /** Networks whose clients may connect. Without any, only loopback and unix sockets are listened on. */
  readonly allow_remote: readonly Network[];
  /** Seconds within which every question is answered. */
  readonly timeout: number;
  /** Seconds for which accepts hold while the edge is away. */
  readonly accept_grace: number;
  readonly cache_bytes: number;
  readonly max_connections: number;
  /** Questions to the edge at the same time. */
  readonly max_questions: number;
  /** Failed requests in a row that open the circuit breaker. */
  readonly breaker_failures: number;
  /** Folder of the replica; null to ask the edge about every recipient. */
  readonly replica: string | null;
  /** Domains that the replica holds; none for all that the token covers. */
  readonly domain: readonly string[];
  /** Memory for the replica's lists. */
  readonly replica_bytes: number;
  /** PEM file of further certificate authorities for the edge and for a proxy; null for none. */
  readonly ca_file: string | null;
  readonly log_level: LogLevel;
  /** Whether to log each recipient to which observe or defer mode gives a milder reply than enforce mode. */
  readonly log_observed: boolean;
}

export type SettingName = keyof BridgeSettings;

/** What is wrong with a value. */
export class Fault {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

type Json = Readonly<Record<string, unknown>>;

const oneOrMany = (items: Json): Json => ({ anyOf: [items, { type: "array", items }] });
const nonEmpty: Json = { type: "string", minLength: 1 };

/** One setting: its default, its help text, and how its value is read from TOML or from a flag. */
interface Setting<T> {
  readonly preset: T;
  /** For `--help`. */
  readonly about: string;
  /** Null if the flag takes no value. */
  readonly placeholder: string | null;
  /** Of its value in TOML, in JSON Schema, for editors. */
  readonly json: Json;
  read(value: unknown): T | Fault;
}

/** A setting with any number of values. In TOML, one may stand without its list. */
const many = <T>(
  about: string,
  [placeholder, form]: readonly [placeholder: string, form: string],
  pattern: string,
  parse: (text: string) => T | string,
): Setting<readonly T[]> => ({
  preset: [],
  about,
  placeholder,
  json: oneOrMany({ type: "string", pattern }),
  read(value) {
    const read: T[] = [];
    for (const item of Array.isArray(value) ? value : [value]) {
      if (typeof item !== "string") return new Fault(`must be ${form}`);
      const one = parse(item);
      if (typeof one === "string") return new Fault(`"${item}" ${one}`);
      read.push(one);
    }
    return read;
  },
});

const addresses = (about: string): Setting<readonly ListenAddress[]> =>
  many(
    `${about} (${ADDRESS_FORMS}; may be repeated)`,
    ["address", `addresses: ${ADDRESS_FORMS}`],
    "^(?:unix:/.*|\\d+\\.\\d+\\.\\d+\\.\\d+:\\d{1,5}|\\[[0-9a-fA-F:.]+\\]:\\d{1,5})$",
    parseAnyAddress,
  );

/** The number of a flag; with the placeholder `time` in seconds, as in TOML, or with a unit. */
function fromFlag(text: string, placeholder: string): number | null {
  if (placeholder === "time") return secondsOf(text);
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : null;
}

const number = (
  preset: number,
  about: string,
  placeholder: string,
  [min, max]: readonly [min: number, max: number],
  isWhole = true,
): Setting<number> => ({
  preset,
  about,
  placeholder,
  json: { type: isWhole ? "integer" : "number", minimum: min, maximum: max, default: preset },
  read(value) {
    const read = typeof value === "string" ? fromFlag(value, placeholder) : value;
    const isInRange = typeof read === "number" && read >= min && read <= max;
    if (isInRange && (!isWhole || Number.isInteger(read))) return read;
    return new Fault(`must be a ${isWhole ? "whole " : ""}number from ${min} to ${max}`);
  },
});

const protocolSettings = Object.fromEntries(
  LOOKUP_NAMES.map((name) => [name, addresses(`listen for ${LOOKUPS[name].about}`)]),
) as Record<LookupName, Setting<readonly ListenAddress[]>>;

/** All settings, in the order of the documentation. */
export const SETTINGS: { readonly [K in SettingName]: Setting<BridgeSettings[K]> } = {
  ...protocolSettings,
  metrics: addresses("serve /metrics, /healthz and /readyz"),
  socket_mode: {
    preset: 0o660,
    about: 'permissions of unix sockets, such as "0660"',
    placeholder: "mode",
    json: { type: "string", pattern: "^0?[0-7]{3}$", default: "0660" },
    read: (value) =>
      typeof value === "string" && /^0?[0-7]{3}$/.test(value)
        ? Number.parseInt(value, 8)
        : new Fault('must be an octal string such as "0660"'),
  },
  allow_remote: many(
    `also listen beyond loopback, for clients of this network (${NETWORK_FORMS}; may be repeated)`,
    ["cidr", `networks: ${NETWORK_FORMS}`],
    "^[0-9a-fA-F:.]+(?:/\\d{1,3})?$",
    parseNetwork,
  ),
  timeout: number(3, "answer every question within this time", "time", [0.1, 4], false),
  accept_grace: number(7 * DAY, "keep accepting for this long while the edge is away", "time", [0, 30 * DAY]),
  cache_bytes: number(12 * 1024 ** 2, "memory for cached answers", "bytes", [65_536, 4 * 1024 ** 3]),
  max_connections: number(20_000, "mail server connections at the same time", "count", [1, 1_000_000]),
  max_questions: number(64, "questions to the edge at the same time", "count", [1, 1_000]),
  breaker_failures: number(5, "failed requests in a row that open the circuit breaker", "count", [1, 1_000]),
  replica: {
    preset: null,
    about: "answer from a replica of the lists, kept in this folder; needs a token of role replica",
    placeholder: "folder",
    json: nonEmpty,
    read: (value) =>
      typeof value === "string" && value !== "" ? value : new Fault("must be the path of a folder"),
  },
  domain: {
    preset: [],
    about: "domain that the replica holds (default: all that the token covers; may be repeated)",
    placeholder: "domain",
    json: oneOrMany(nonEmpty),
    read(value) {
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      const domains = list.map((name) => (typeof name === "string" ? toALabel(name) : null));
      const wrong = domains.indexOf(null);
      if (wrong >= 0) return new Fault(`must be domain names, and ${JSON.stringify(list[wrong])} is not one`);
      return domains as string[];
    },
  },
  replica_bytes: number(96 * 1024 ** 2, "memory for the lists of the replica", "bytes", [
    8 * 1024 ** 2,
    64 * 1024 ** 3,
  ]),
  ca_file: {
    preset: null,
    about: "PEM file of further certificate authorities, for the edge and for a proxy",
    placeholder: "file",
    json: nonEmpty,
    read: (value) =>
      typeof value === "string" && value !== "" ? value : new Fault("must be the path of a PEM file"),
  },
  log_level: {
    preset: "info",
    about: `lowest level of log lines to write: ${LOG_LEVELS.join(", ")}`,
    placeholder: "level",
    json: { type: "string", enum: LOG_LEVELS, default: "info" },
    read: (value) =>
      LOG_LEVELS.find((level) => level === value) ?? new Fault(`must be one of ${LOG_LEVELS.join(", ")}`),
  },
  log_observed: {
    preset: false,
    about: "log each recipient to which observe or defer mode gives a milder reply than enforce mode",
    placeholder: null,
    json: { type: "boolean", default: false },
    read: (value) => (typeof value === "boolean" ? value : new Fault("must be true or false")),
  },
};

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

export const DEFAULTS = Object.fromEntries(
  SETTING_NAMES.map((name) => [name, SETTINGS[name].preset]),
) as unknown as BridgeSettings;

/** The flag of a setting: `--cache-bytes` for `cache_bytes`. */
export const flagOf = (name: SettingName): string => `--${name.replaceAll("_", "-")}`;

/** Reads one setting. @returns the value, or what is wrong with it */
export const readSetting = (name: SettingName, value: unknown): unknown => SETTINGS[name].read(value);

/** Names of the settings that are addresses to listen on. */
export const LISTENER_NAMES = [...LOOKUP_NAMES, "metrics"] as const;
export type ListenerName = (typeof LISTENER_NAMES)[number];

/** The first address beyond loopback that nothing allows: its setting, and what is wrong with it; null if there is none. */
export function remoteFault(
  settings: BridgeSettings,
): { setting: ListenerName; address: string; why: string } | null {
  if (settings.allow_remote.length > 0) return null;
  for (const setting of LISTENER_NAMES) {
    const address = settings[setting].find((each) => !isLocal(each));
    if (address === undefined) continue;
    const why =
      "must be a loopback address, unless --allow-remote CIDR (allow_remote) names the networks of its clients";
    return { setting, address: showAddress(address), why };
  }
  return null;
}
