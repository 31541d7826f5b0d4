/**
 * `npm run store-release -- NAME [--tree FOLDER]`: stores a release for the tests of later ones, under
 * test/fixtures/releases/NAME. FOLDER is a built tree of that release; left out, it is this one.
 * test/fixtures/releases/README.md has the rest.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeRelease } from "../test/releases/support/make-release.ts";
import { writeRelease } from "../test/releases/support/stored-release.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { tree: { type: "string" } } });
const tree = resolve(values.tree ?? dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), "rollcall-store-release-"));
try {
  const [name] = positionals;
  if (name === undefined) throw new RangeError("usage: npm run store-release -- NAME [--tree FOLDER]");
  const { code, ...state } = await makeRelease(tree, folder);
  writeRelease(name, code, state);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
