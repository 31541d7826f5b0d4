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
  /** Where Miniflare keeps KV and Durable Objects; `wrangler … --local --persist-to DIR` uses the same. */
  readonly storage: string;
  readonly adminTokenFile: string;
  /** Where the front end's token is kept from one run to the next. */
  readonly checkTokenFile: string;
  readonly created: boolean;
  /** Whether it was made with another master key, and goes on under this one. */
  readonly keyChanged: boolean;
  close(): void;
}

/** How a state folder is opened. */
export interface Opening {
  /** Where a `.dev.vars` takes the place of the folder's own. */
  readonly cwd: string;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Go on where the folder was made with another key. */
  readonly newMasterKey: boolean;
}

const MARKER = "rollcall-state.json";
const FORMAT = 1;
const VARS = ".dev.vars";
/** wrangler puts its storage under this name into the folder that `--persist-to` names. */
const STORAGE = "v3";
const OWN = new Set([MARKER, VARS, STORAGE, "admin-token", "check-token", "dev.lock", "tmp", "published"]);

/**
 * Opens the folder that holds a local edge's state, and makes it where it is missing or empty.
 *
 * @param directory absolute
 * @param shown the folder as it was given
 * @throws CliError exit 3 for a folder that is someone else's, incomplete, of another key, or in use
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
    const what = code === "EEXIST" || code === "ENOTDIR" ? "is no folder" : `cannot be used: ${message}`;
    throw inputError(`the state folder ${shown} ${what}`, "name another one with --state");
  }
  const release = lockState(directory, shown);
  try {
    const created = !existsSync(join(directory, MARKER));
    // What was stored is of no use without the key that it was made with.
    if (created && existsSync(join(directory, STORAGE, "do"))) throw halfMade(shown, MARKER);
    const vars = readOwnOrGiven(directory, shown, cwd, created, randomBytes);
    const key = keyId(vars.ROLLCALL_MASTER_KEY as string);
    const keyChanged = !created && readMarker(directory, shown) !== key;
    if (keyChanged && !newMasterKey) {
      throw inputError(
        `the state folder ${shown} was made with another ROLLCALL_MASTER_KEY, and nothing in it could be read`,
        "give back the key it was made with, name another folder with --state, or rehearse a change of the key: --new-master-key",
      );
    }
    // Last of all: a folder with a marker is complete.
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

/** Writes a file that only its owner may read, whole or not at all. */
export function write(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function refuseForeign(directory: string, shown: string): void {
  const stranger = readdirSync(directory).find((name) => !OWN.has(name.replace(/\.new$/, "")));
  if (stranger !== undefined && !existsSync(join(directory, MARKER))) {
    throw inputError(
      `the folder ${shown} holds other things (such as ${stranger}) and no state of Rollcall`,
      "name a new or empty folder with --state",
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
      `the secrets of the state folder ${shown} are missing: there is no ${VARS} in it, and none here`,
      `run it where the ${VARS} is that it was made with, put ${shown}/${VARS} back, or remove ${shown}`,
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
  const unusable = (why: string): Error =>
    inputError(`${shown}: ${why}`, "`rollcall init` writes one; .dev.vars.example shows its form");
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
    if (error instanceof DirectoryError) throw unusable(`ROLLCALL_MASTER_KEY: ${error.message}`);
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
      "use that release, or name another folder with --state",
    );
  }
  return marker.key;
}

const halfMade = (shown: string, missing: string): Error =>
  inputError(
    `the state folder ${shown} is half-made: ${missing} is missing or damaged`,
    `put it back from a copy, or remove ${shown} and publish again`,
  );

/** Names the master key without telling it. */
const keyId = (text: string): string =>
  deriveDomainKey(stablelibHashing, readMasterKey(text), "state.invalid", 1).id;
