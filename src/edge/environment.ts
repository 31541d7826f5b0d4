import { MAX_WINDOW } from "../api/index.ts";
import { DirectoryError, readMasterKey } from "../directory/index.ts";
import type { ReaderSettings } from "../reader/index.ts";
import type { RegistrySettings } from "../registry/index.ts";

/** The operator's settings, checked once. */
export interface Settings extends ReaderSettings, RegistrySettings {
  readonly adminToken: string;
}

/** The bindings and variables of a deployment, as far as they are plain text. */
export interface RawEnvironment {
  readonly ROLLCALL_MASTER_KEY?: unknown;
  readonly ROLLCALL_ADMIN_TOKEN?: unknown;
  readonly ROLLCALL_WINDOW?: unknown;
  readonly ROLLCALL_ACCEPT_GRACE?: unknown;
  readonly ROLLCALL_CACHE_BYTES?: unknown;
  readonly ROLLCALL_PARTITIONS?: unknown;
  readonly ROLLCALL_HISTORY_DAYS?: unknown;
  readonly ROLLCALL_KV_WRITES?: unknown;
  readonly ROLLCALL_PAUSED?: unknown;
  readonly ROLLCALL_KV?: unknown;
  readonly REGISTRY?: unknown;
}

export type CheckedEnvironment =
  | { readonly settings: Settings; readonly faults: readonly [] }
  | { readonly settings: null; readonly faults: readonly string[] };

const DAY = 86_400_000;
/** About 20 KB: what a Registry can send to every isolate that starts. */
export const MOST_HEADS = 500;
/** Anyone could guess a shorter admin token. */
const MIN_ADMIN_TOKEN = 24;

/** Reads the environment. Reports everything that is missing or wrong, without repeating a secret. */
export function readEnvironment(env: RawEnvironment): CheckedEnvironment {
  const faults: string[] = [];
  const fault = (message: string): undefined => {
    faults.push(message);
  };
  for (const binding of ["ROLLCALL_KV", "REGISTRY"] as const) {
    if (typeof env[binding] !== "object") fault(`${binding}: binding is missing; see wrangler.toml`);
  }
  const secret = (name: "ROLLCALL_MASTER_KEY" | "ROLLCALL_ADMIN_TOKEN"): string | undefined => {
    const value = env[name];
    // A file from which it was set may end with a line break.
    if (typeof value === "string" && value.trim() !== "") return value.trim();
    return fault(`${name}: secret is missing; set it with \`wrangler secret put ${name}\``);
  };
  const number = (name: keyof RawEnvironment, fallback: number, low: number, high: number): number => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    fault(`${name}: must be a whole number from ${low} to ${high}`);
    return fallback;
  };
  const paused = env.ROLLCALL_PAUSED ?? "";
  if (!["", "false", "true"].includes(paused as string)) fault("ROLLCALL_PAUSED: must be true or false");
  const masterText = secret("ROLLCALL_MASTER_KEY");
  const adminToken = secret("ROLLCALL_ADMIN_TOKEN");
  let masterKey: Uint8Array | undefined;
  try {
    if (masterText !== undefined) masterKey = readMasterKey(masterText);
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
    fault(`ROLLCALL_MASTER_KEY: ${error.message}; \`rollcall key new\` makes one`);
  }
  if (adminToken !== undefined && adminToken.length < MIN_ADMIN_TOKEN) {
    fault(`ROLLCALL_ADMIN_TOKEN: must have at least ${MIN_ADMIN_TOKEN} characters`);
  }
  const rest = {
    window: 1000 * number("ROLLCALL_WINDOW", 30, 2, MAX_WINDOW),
    acceptGrace: 1000 * number("ROLLCALL_ACCEPT_GRACE", 7 * 86_400, 0, 90 * 86_400),
    cacheBytes: number("ROLLCALL_CACHE_BYTES", 64 * 1024 * 1024, 1024 * 1024, 100 * 1024 * 1024),
    partitions: number("ROLLCALL_PARTITIONS", 1, 1, 256),
    history: DAY * number("ROLLCALL_HISTORY_DAYS", 30, 2, 365),
    kvWrites: number("ROLLCALL_KV_WRITES", 1_000, 100, 1_000_000_000),
    mostHeads: MOST_HEADS,
    paused: paused === "true",
  };
  if (faults.length > 0 || masterKey === undefined || adminToken === undefined)
    return { settings: null, faults };
  return { settings: { masterKey, adminToken, ...rest }, faults: [] };
}
