// @ts-check
// Builds dist/: the command for Node 20 as one file that needs no package, its manual pages and shell completions, and the
// Worker as one module for `rollcall dev`. `npm ci` runs it as `prepare`; wrangler bundles the Worker by itself.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { licencesOf } from "./licences.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @type {import("esbuild").BuildOptions & { write: false, metafile: true }} */
const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  write: false,
  metafile: true,
  logLevel: "warning",
};

/** @type {import("esbuild").BuildOptions & { write: false, metafile: true }} */
const forNode = {
  ...common,
  platform: "node",
  target: "node20",
  // Loaded by `rollcall dev` only, which works in a clone.
  external: ["miniflare"],
  banner: {
    // Packages in the format of CommonJS require Node's modules.
    js: '#!/usr/bin/env node\nimport { createRequire as createRequireOfBundle } from "node:module";\nconst require = createRequireOfBundle(import.meta.url);',
  },
};

const [command, reference, worker] = await Promise.all([
  build({ ...forNode, entryPoints: ["src/cli/main.ts"], outfile: "dist/cli/rollcall.mjs" }),
  build({ ...forNode, entryPoints: ["packaging/reference/pages.ts"], outfile: "dist/reference.mjs" }),
  build({
    ...common,
    entryPoints: ["src/edge/worker.ts"],
    outfile: "dist/edge/worker.js",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
  }),
]).catch(() => {
  // esbuild has printed the errors.
  process.exit(1);
});

for (const { path, contents } of command.outputFiles) write(path, contents, 0o755);
for (const { path, contents } of worker.outputFiles) write(path, contents);
write(join(root, "dist/cli/LICENCES.txt"), licencesOf(root, command.metafile));
for (const [path, text] of await referencePages()) write(join(root, "dist", path), text);

// npm does not link a package's own command. With this link, `npx rollcall` runs it immediately. Without it, npx copies
// the clone into its cache first, and leaves half a copy if it is interrupted.
const bin = join(root, "node_modules", ".bin");
const link = join(bin, "rollcall");
if (process.platform !== "win32" && existsSync(bin) && !existsSync(link)) {
  rmSync(link, { force: true });
  symlinkSync(join("..", "..", "bin", "rollcall.js"), link);
}

/**
 * Written to a temporary file and renamed, so that a command that starts meanwhile never reads half a file.
 * @param {string} path @param {string | Uint8Array} contents @param {number} [mode]
 */
function write(path, contents, mode = 0o644) {
  mkdirSync(dirname(path), { recursive: true });
  const half = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(half, contents, { mode });
    renameSync(half, path);
  } finally {
    rmSync(half, { force: true });
  }
}

/**
 * The manual pages and completions, which the built code derives from the command's own options and help.
 * @returns {Promise<[path: string, text: string][]>}
 */
async function referencePages() {
  mkdirSync(join(root, "dist"), { recursive: true });
  const folder = mkdtempSync(join(root, "dist", "reference-"));
  try {
    const file = join(folder, "pages.mjs");
    writeFileSync(file, /** @type {Uint8Array} */ (reference.outputFiles[0]?.contents));
    return (await import(pathToFileURL(file).href)).referencePages();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
