/** A release as `npm run store-release` keeps it: its bundle, and a state that its own code made. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StoredRow, StoredTables } from "./host.ts";

export const RELEASES = join(import.meta.dirname, "..", "..", "fixtures", "releases");

/** The content of `state.json`. Bytes that occur in several places are stored once, under `blobs`. */
export interface StoredState {
  /** When it was stored, Unix milliseconds. */
  readonly time: number;
  /** Secrets and variables of the Worker; made for this fixture alone. */
  readonly vars: Readonly<Record<string, string>>;
  /** The tokens that were issued, by what they are for. */
  readonly tokens: Readonly<Record<string, { readonly id: string; readonly token: string }>>;
  /** What the release itself answered, by recipient. */
  readonly answers: Readonly<Record<string, { readonly verdict: string; readonly reply: unknown }>>;
  readonly tables: StoredTables;
  readonly kv: Readonly<Record<string, string>>;
}

export interface StoredRelease extends StoredState {
  readonly name: string;
  /** The Worker's bundle. */
  readonly code: string;
}

/** Base64 from here on is shared. */
const SHARED_LENGTH = 1_000;

export function writeRelease(name: string, code: string, state: StoredState): void {
  const folder = join(RELEASES, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "worker.js"), code);
  const blobs: string[] = [];
  const text = JSON.stringify(
    state,
    (key, value) => {
      if (typeof value !== "string" || value.length < SHARED_LENGTH || key === "sql") return value;
      if (!blobs.includes(value)) blobs.push(value);
      return { blob: blobs.indexOf(value) };
    },
    1,
  );
  writeFileSync(
    join(folder, "state.json"),
    `${JSON.stringify({ blobs, state: JSON.parse(text) }, null, 1)}\n`,
  );
}

export function readRelease(name: string): StoredRelease {
  const folder = join(RELEASES, name);
  const { blobs, state } = JSON.parse(readFileSync(join(folder, "state.json"), "utf8")) as {
    blobs: string[];
    state: unknown;
  };
  const whole = JSON.parse(JSON.stringify(state), (_, value) =>
    typeof value?.blob === "number" ? blobs[value.blob] : value,
  ) as StoredState;
  return { ...whole, name, code: readFileSync(join(folder, "worker.js"), "utf8") };
}

/** Names of the releases that are stored, in order. */
export const storedReleases = (): string[] =>
  readdirSync(RELEASES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

/** Rows of one table. */
export const rowsOf = ({ rows }: StoredTables, table: string): readonly StoredRow[] => rows[table] ?? [];
