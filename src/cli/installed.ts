import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The files of the packages on a host that publishes or asks. Commands use them where they find no others. */
export interface InstalledFiles {
  readonly folder: string;
  readonly settings: string;
  /** Variables of the services, such as HTTPS_PROXY and secrets of sources. */
  readonly environment: string;
  /** The token of the bridge. */
  readonly token: string;
  /** The token of sync. */
  readonly publishToken: string;
  /** The state folder of sync. */
  readonly state: string;
  /** The folder docs of the Debian package. */
  readonly pages: string;
}

/** @param root of the file system */
export function installedFiles(root: string): InstalledFiles {
  const folder = join(root, "etc", "rollcall");
  return {
    folder,
    settings: join(folder, "rollcall.toml"),
    environment: join(folder, "environment"),
    token: join(folder, "token"),
    publishToken: join(folder, "publish-token"),
    state: join(root, "var", "lib", "rollcall", "sync"),
    pages: join(root, "usr", "share", "doc", "rollcall", "docs"),
  };
}

/** The first file that exists, null if none does. */
export const firstOf = (files: readonly string[]): string | null =>
  files.find((file) => existsSync(file)) ?? null;

export function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads a file of `NAME=value` lines, as systemd reads an EnvironmentFile: with comments, and quotes around values.
 * @returns no variable if there is no such file
 * @throws if it cannot be read
 */
export function readEnvironment(file: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
  const variables: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, value = ""] = /^\s*([A-Za-z_]\w*)=(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) variables[name] = value.replace(/^(["'])(.*)\1$/, "$2");
  }
  return variables;
}
