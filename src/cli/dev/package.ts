import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CliError, EXIT } from "../exit.ts";

/** A file of this package, whether it runs from dist/ or from src/. @throws CliError if it is missing */
export function packageFile(...path: string[]): string {
  const file = join(packageRoot(), ...path);
  if (existsSync(file)) return file;
  throw new CliError(
    EXIT.failed,
    `${path.join("/")} is missing`,
    path[0] === "dist"
      ? "build it with `npm run build`"
      : "run this in a clone of the repository, after `npm ci`",
  );
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isRoot(folder)) {
    const above = dirname(folder);
    if (above === folder) throw new Error("package.json of rollcall is missing");
    folder = above;
  }
  return folder;
}

function isRoot(folder: string): boolean {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name === "rollcall";
  } catch {
    return false;
  }
}
