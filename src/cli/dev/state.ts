import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DirectoryError, deriveDomainKey, readMasterKey, toBase64Url } from "../../directory/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import { inputError } from "../exit.ts";
import { lockState } from "./lock.ts";
import { readVars, writeVars } from "./vars.ts";

/** Secrets and settings of the local Worker, by name. */
export type Vars = Readonly<Record<string, string>>;

/** An opened state folder. */
export interface State {
  readonly vars: Vars;
  /** Where Miniflare stores KV and Durable Objects; `wrangler … --local --persist-to DIR` uses the same. */
  readonly storage: string;
  readonly adminTokenFile: string;
  /** Where the front end's token is stored between runs. */
  readonly checkTokenFile: string;
  readonly created: boolean;
  /** Whether it was made with another master key, and now uses this one. */
  readonly keyChanged: boolean;
  close(): void;
}

/** How to open a state folder. */
export interface Opening {
  /** A `.dev.vars` here overrides the folder's own. */
  readonly cwd: string;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Use the folder even if it was made with another key. */
  readonly newMasterKey: boolean;
}

const MARKER = "rollcall-state.json";
const FORMAT = 1;
const VARS = ".dev.vars";
/** Name of wrangler's storage inside the folder that `--persist-to` names. */
const STORAGE = "v3";
const OWN = new Set([MARKER, VARS, STORAGE, "admin-token", "check-token", "dev.lock", "tmp", "published"]);

/**
 * Opens the folder with a local edge's state, and creates it if it is missing or empty.
 *
 * @param directory absolute
 * @param shown the folder, as the user wrote it
 * @throws CliError exit 3 for a folder that has other files, is incomplete, has another key, or is in use
 */
export function openState(
  directory: string,
  shown: string,
  { cwd, randomBytes, newMasterKey }: Opening,
): State {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    refuseForeign(directory, shown);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const what = code === "EEXIST" || code === "ENOTDIR" ? "is not a folder" : `cannot be used: ${message}`;
    throw inputError(`the state folder ${shown} ${what}`, "choose another one with --state");
  }
  const release = lockState(directory, shown);
  try {
    const created = !existsSync(join(directory, MARKER));
    // The stored data is useless without the key that it was made with.
    if (created && existsSync(join(directory, STORAGE, "do"))) throw halfMade(shown, MARKER);
    const vars = readOwnOrGiven(directory, shown, cwd, created, randomBytes);
    const key = keyId(vars.ROLLCALL_MASTER_KEY as string);
    const keyChanged = !created && readMarker(directory, shown) !== key;
    if (keyChanged && !newMasterKey) {
      throw inputError(
        `the state folder ${shown} was made with another ROLLCALL_MASTER_KEY, so nothing in it can be read`,
        "put the old key back, choose another folder with --state, or rehearse a key change with --new-master-key",
      );
    }
    // Written last: a folder with a marker is complete.
    if (created || keyChanged) {
      write(join(directory, MARKER), `${JSON.stringify({ format: FORMAT, key })}\n`);
    }
    const adminTokenFile = join(directory, "admin-token");
    write(adminTokenFile, `${vars.ROLLCALL_ADMIN_TOKEN}\n`);
    return {
      vars,
      storage: join(directory, STORAGE),
      adminTokenFile,
      checkTokenFile: join(directory, "check-token"),
      created,
      keyChanged,
      close: release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** Writes a file that only its owner can read, atomically. */
export function write(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function refuseForeign(directory: string, shown: string): void {
  const stranger = readdirSync(directory).find((name) => !OWN.has(name.replace(/\.new$/, "")));
  if (stranger !== undefined && !existsSync(join(directory, MARKER))) {
    throw inputError(
      `the folder ${shown} has other files (such as ${stranger}) and no Rollcall state`,
      "choose a new or empty folder with --state",
    );
  }
}

function readOwnOrGiven(
  directory: string,
  shown: string,
  cwd: string,
  created: boolean,
  randomBytes: (count: number) => Uint8Array,
): Vars {
  const given = join(cwd, VARS);
  if (existsSync(given)) return readSecrets(given, VARS);
  const own = join(directory, VARS);
  if (existsSync(own)) return readSecrets(own, `${shown}/${VARS}`);
  if (!created) {
    throw inputError(
      `the secrets of the state folder ${shown} are missing: there is no ${VARS} in it or in the current folder`,
      `run this in the folder of the original ${VARS}, put ${shown}/${VARS} back, or remove ${shown}`,
    );
  }
  const made = {
    ROLLCALL_MASTER_KEY: toBase64Url(randomBytes(32)),
    ROLLCALL_ADMIN_TOKEN: toBase64Url(randomBytes(32)),
  };
  write(own, writeVars(made));
  return made;
}

function readSecrets(file: string, shown: string): Vars {
  const unusable = (
    why: string,
    hint = "create one with `rollcall init`; .dev.vars.example shows the format",
  ): Error => inputError(`${shown}: ${why}`, hint);
  let vars: Vars;
  try {
    vars = readVars(readFileSync(file, "utf8"));
  } catch (error) {
    throw unusable((error as Error).message);
  }
  for (const name of ["ROLLCALL_MASTER_KEY", "ROLLCALL_ADMIN_TOKEN"]) {
    if (!vars[name]) throw unusable(`${name} is missing`);
  }
  try {
    readMasterKey(vars.ROLLCALL_MASTER_KEY as string);
  } catch (error) {
    if (error instanceof DirectoryError) {
      throw unusable(`ROLLCALL_MASTER_KEY: ${error.message}`, "make one with `rollcall key new`");
    }
    throw error;
  }
  return vars;
}

function readMarker(directory: string, shown: string): string {
  let marker: { format?: unknown; key?: unknown };
  try {
    marker = JSON.parse(readFileSync(join(directory, MARKER), "utf8"));
  } catch {
    throw halfMade(shown, MARKER);
  }
  if (marker.format !== FORMAT || typeof marker.key !== "string") {
    throw inputError(
      `the state folder ${shown} was made by another release of Rollcall`,
      "use that release, or choose another folder with --state",
    );
  }
  return marker.key;
}

const halfMade = (shown: string, missing: string): Error =>
  inputError(
    `the state folder ${shown} is incomplete: ${missing} is missing or damaged`,
    `restore it from a copy, or remove ${shown} and publish again`,
  );

/** Identifies the master key without revealing it. */
const keyId = (text: string): string =>
  deriveDomainKey(stablelibHashing, readMasterKey(text), "state.invalid", 1).id;
