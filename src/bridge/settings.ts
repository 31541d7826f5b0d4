import { ADDRESS_FORMS, type ListenAddress, parseAddress } from "./address.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";

const DAY = 86_400;

/** Everything that can be set about a bridge; `[bridge]` of rollcall.toml and its flags. */
export interface BridgeSettings {
  readonly socketmap: readonly ListenAddress[];
  readonly policy: readonly ListenAddress[];
  readonly line: readonly ListenAddress[];
  readonly metrics: readonly ListenAddress[];
  /** Permissions of unix sockets. */
  readonly socket_mode: number;
  /** Seconds within which every question is answered. */
  readonly timeout: number;
  /** Seconds for which accepts go on while the edge is away. */
  readonly accept_grace: number;
  readonly cache_bytes: number;
  readonly max_connections: number;
  /** Questions to the edge at the same time. */
  readonly max_questions: number;
  /** Failed requests in a row that open the circuit breaker. */
  readonly breaker_failures: number;
  readonly log_level: LogLevel;
  /** Whether each recipient is logged whom observe mode accepted and enforce mode would not. */
  readonly log_observed: boolean;
}

export const DEFAULTS: BridgeSettings = {
  socketmap: [],
  policy: [],
  line: [],
  metrics: [],
  socket_mode: 0o660,
  timeout: 3,
  accept_grace: 7 * DAY,
  cache_bytes: 12 * 1024 * 1024,
  max_connections: 20_000,
  max_questions: 64,
  breaker_failures: 5,
  log_level: "info",
  log_observed: false,
};

export type SettingName = keyof BridgeSettings;

/** How a setting is read from TOML or from a flag. */
interface Reader {
  /** @returns the value, or what is wrong with it, as a {@link Fault} */
  read(value: unknown): unknown;
  /** For `--help`. */
  readonly about: string;
  /** Null where the flag is a switch. */
  readonly placeholder: string | null;
}

/** What is wrong with a value. */
export class Fault {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

const addresses = (about: string): Reader => ({
  about: `${about} (${ADDRESS_FORMS}; may be repeated)`,
  placeholder: "address",
  read(value) {
    const list = Array.isArray(value) ? value : [value];
    const read: ListenAddress[] = [];
    for (const item of list) {
      if (typeof item !== "string") return new Fault(`must be addresses: ${ADDRESS_FORMS}`);
      const address = parseAddress(item);
      if (typeof address === "string") return new Fault(`"${item}" ${address}`);
      read.push(address);
    }
    return read;
  },
});

const number = (about: string, placeholder: string, least: number, most: number, whole = true): Reader => ({
  about,
  placeholder,
  read(value) {
    const read = typeof value === "string" && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
    const isOne = typeof read === "number" && read >= least && read <= most;
    if (isOne && (!whole || Number.isInteger(read))) return read;
    return new Fault(`must be a ${whole ? "whole " : ""}number from ${least} to ${most}`);
  },
});

/** Every setting, in the order of the documentation. */
export const READERS: { readonly [K in SettingName]: Reader } = {
  socketmap: addresses("listen for Postfix and Sendmail socketmaps"),
  policy: addresses("listen for Postfix policy delegation"),
  line: addresses("listen for lines of one address, as Exim's readsocket sends them"),
  metrics: addresses("serve /metrics, /healthz and /readyz"),
  socket_mode: {
    about: 'permissions of unix sockets, such as "0660"',
    placeholder: "mode",
    read: (value) =>
      typeof value === "string" && /^0?[0-7]{3}$/.test(value)
        ? Number.parseInt(value, 8)
        : new Fault('must be an octal text such as "0660"'),
  },
  timeout: number("answer every question within so many seconds", "seconds", 0.1, 4, false),
  accept_grace: number("go on accepting for so long while the edge is away", "seconds", 0, 30 * DAY),
  cache_bytes: number("memory for answers", "bytes", 65_536, 4 * 1024 ** 3),
  max_connections: number("connections of MTAs at the same time", "count", 1, 1_000_000),
  max_questions: number("questions to the edge at the same time", "count", 1, 1_000),
  breaker_failures: number(
    "failed requests in a row after which one question at a time is tried",
    "count",
    1,
    1_000,
  ),
  log_level: {
    about: `least important log lines that are written: ${LOG_LEVELS.join(", ")}`,
    placeholder: "level",
    read: (value) =>
      LOG_LEVELS.find((level) => level === value) ?? new Fault(`must be one of ${LOG_LEVELS.join(", ")}`),
  },
  log_observed: {
    about: "log each recipient whom observe mode accepted and enforce mode would not",
    placeholder: null,
    read: (value) => (typeof value === "boolean" ? value : new Fault("must be true or false")),
  },
};

export const SETTING_NAMES = Object.keys(READERS) as readonly SettingName[];

/** The flag of a setting: `--cache-bytes` for `cache_bytes`. */
export const flagOf = (name: SettingName): string => `--${name.replaceAll("_", "-")}`;

/**
 * Reads one setting.
 * @throws never; @returns the value, or what is wrong with it
 */
export const readSetting = (name: SettingName, value: unknown): unknown => READERS[name].read(value);
