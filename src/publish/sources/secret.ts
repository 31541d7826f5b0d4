import { readFileSync } from "node:fs";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";
import { textSetting } from "./settings.ts";

/** The settings of a secret: `NAME_file` or `NAME_env`. The secret itself is never in the settings file. */
export const secretSettings = <const N extends string>(name: N) =>
  ({
    [`${name}_file`]: v.optional(textSetting("must be the path of a file that contains the secret")),
    [`${name}_env`]: v.optional(textSetting("must be the name of an environment variable")),
  }) as Record<`${N}_${"file" | "env"}`, v.OptionalSchema<ReturnType<typeof textSetting>, undefined>>;

/**
 * Reads a secret.
 * @returns null if the settings name none
 * @throws PublishError `input` if it cannot be read or is empty
 */
export function readSecret<const N extends string>(
  name: N,
  settings: { readonly [K in `${N}_${"file" | "env"}`]?: string | undefined },
  { shown, env, path }: SourceHost,
): string | null {
  const at = settings as Readonly<Record<string, string | undefined>>;
  const file = at[`${name}_file`];
  const variable = at[`${name}_env`];
  if (file !== undefined && variable !== undefined) {
    throw new PublishError("input", `${shown} has ${name}_file and ${name}_env`, "keep one of them");
  }
  if (variable !== undefined) {
    const value = env[variable];
    if (value) return value;
    throw new PublishError(
      "input",
      `${shown}: the environment variable ${variable} (${name}_env) is not set`,
      "set it for the user and the service that publish",
    );
  }
  if (file === undefined) return null;
  let text: string;
  try {
    text = readFileSync(path(file), "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new PublishError(
      "input",
      `${shown}: ${file} (${name}_file) cannot be read: ${(error as NodeJS.ErrnoException).code}`,
      "check the path and its permissions",
    );
  }
  if (text !== "") return text;
  throw new PublishError("input", `${shown}: ${file} (${name}_file) is empty`, "write the secret into it");
}
