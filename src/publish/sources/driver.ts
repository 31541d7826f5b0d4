import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";

/**
 * Loads the package of a source that only some hosts need. It is searched for beside the settings file first, then beside
 * the command.
 * @param version that this release was tested with
 * @throws PublishError `input` with the command that installs it
 */
export async function loadDriver<M>(name: string, version: string, { shown, path }: SourceHost): Promise<M> {
  for (const from of [join(path("."), "rollcall.toml"), import.meta.filename]) {
    let file: string;
    try {
      file = createRequire(from).resolve(name);
    } catch {
      continue;
    }
    return (await import(pathToFileURL(file).href)) as M;
  }
  throw new PublishError(
    "input",
    `${shown} needs the package ${name}, which is not installed`,
    `install it beside rollcall.toml: npm install --prefix ${path(".")} ${name}@${version}`,
  );
}
