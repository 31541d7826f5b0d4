import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const NAME = "rollcall.schema.json";

/** The JSON schema of rollcall.toml: beside the installed command, or in dist/ of a clone. Null if it is not built. */
export function settingsSchemaFile(): string | null {
  const places = [NAME, `../../dist/cli/${NAME}`].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return places.find((path) => existsSync(path)) ?? null;
}
