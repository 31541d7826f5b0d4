// @ts-check
// Builds dist/: the command for Node 20 as one file that needs no package, OpenSMTPD's table process as another, its manual pages and shell completions, the
// Worker as it is deployed and `rollcall dev` runs it, and the OpenAPI document, which is deployed beside it. `npm ci` runs
// this as `prepare`, and wrangler before each deploy.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";
import { removeStamp, writeStamp } from "./build-stamp.mjs";
import { licencesOf } from "./licences.mjs";

const begun = Date.now();

/** With --readable the Worker keeps its names and lines, for a profile. */
const isReadable = process.argv.includes("--readable");
const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @type {import("esbuild").BuildOptions} */
const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  write: false,
  metafile: true,
  logLevel: "warning",
};

/** @type {import("esbuild").BuildOptions} */
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

const results = await Promise.all([command(), opensmtpdTable(), reference(), worker(), openApi()]).catch(
  (error) => {
    // esbuild has printed its own errors.
    if (!Array.isArray(error?.errors)) console.error(error);
    process.exit(1);
  },
);

// Written to a temporary file and renamed, so that a command that starts meanwhile never reads half a file.
for (const { outputFiles = [] } of results) {
  for (const { path, contents } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    const half = `${path}.${process.pid}.tmp`;
    try {
      writeFileSync(half, contents, { mode: path.endsWith(".mjs") ? 0o755 : 0o644 });
      renameSync(half, path);
    } finally {
      rmSync(half, { force: true });
    }
  }
}

// Tests build only if something has changed since.
if (isReadable) removeStamp(root);
else {
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}));
  const outputs = results.flatMap(({ outputFiles = [] }) =>
    outputFiles.map(({ path }) => relative(root, path)),
  );
  // What is no file is a part of this script.
  writeStamp(
    root,
    inputs.filter((path) => existsSync(join(root, path))),
    outputs,
    begun,
  );
}

// npm does not link a package's own command. With this link, `npx rollcall` runs it immediately. Without it, npx copies
// the clone into its cache first, and leaves half a copy if it is interrupted.
const bin = join(root, "node_modules", ".bin");
const link = join(bin, "rollcall");
if (process.platform !== "win32" && existsSync(bin) && !existsSync(link)) {
  rmSync(link, { force: true });
  symlinkSync(join("..", "..", "bin", "rollcall.js"), link);
}

/** The command, and the licences of the packages that it contains. */
async function command() {
  const { outputFiles = [], metafile = { inputs: {}, outputs: {} } } = await build({
    ...forNode,
    entryPoints: ["src/cli/main.ts"],
    outfile: "dist/cli/rollcall.mjs",
  });
  const licences = { path: join(root, "dist/cli/LICENCES.txt"), contents: licencesOf(root, metafile) };
  return { metafile, outputFiles: [...outputFiles, licences] };
}

/**
 * The table process of OpenSMTPD by itself. smtpd starts one for each table and keeps it, so it is a file that loads no
 * package and little of the command.
 */
function opensmtpdTable() {
  return build({
    ...forNode,
    banner: { js: "#!/usr/bin/env node" },
    entryPoints: ["src/cli/opensmtpd-table.ts"],
    outfile: "dist/cli/opensmtpd-table.mjs",
  });
}

/** The manual pages and completions, which the bundled code derives from the command's own options and help. */
async function reference() {
  const { metafile, outputFiles = [] } = await build({
    ...forNode,
    entryPoints: ["packaging/reference/pages.ts"],
    outfile: "x.mjs",
  });
  mkdirSync(join(root, "dist"), { recursive: true });
  const folder = mkdtempSync(join(root, "dist", "reference-"));
  try {
    const file = join(folder, "pages.mjs");
    writeFileSync(file, outputFiles[0]?.contents ?? "");
    /** @type {[path: string, text: string][]} */
    const pages = (await import(pathToFileURL(file).href)).referencePages();
    const files = pages.map(([path, contents]) => ({ path: join(root, "dist", path), contents }));
    return { metafile, outputFiles: files };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The Worker as it is deployed. esbuild minifies it, and terser what is left: together 4 % less than esbuild alone. */
async function worker() {
  const { metafile, outputFiles = [] } = await build({
    ...common,
    entryPoints: ["src/edge/worker.ts"],
    outfile: "dist/edge/worker.js",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    define: { ROLLCALL_WITHOUT_DESCRIPTIONS: "true" },
    minify: !isReadable,
    sourcemap: isReadable ? false : "external",
  });
  const [map, bundle] = outputFiles;
  if (bundle === undefined) return { metafile, outputFiles };
  const { code = "", map: whole = "" } = await minify(bundle.text, {
    module: true,
    // No getter of the Worker has an effect, so an access whose value nothing uses is left out.
    compress: { passes: 2, pure_getters: true },
    // By convention these are private to a library.
    mangle: { properties: { regex: /^_[a-z]/ } },
    sourceMap: { content: map?.text ?? "", filename: "worker.js", url: "worker.js.map" },
  });
  return {
    metafile,
    outputFiles: [
      { path: bundle.path, contents: code },
      { path: `${bundle.path}.map`, contents: String(whole) },
    ],
  };
}

/**
 * The document that the Worker's assets have under the path of its route. Bundled first, since Node 20 runs no
 * TypeScript.
 */
async function openApi() {
  const source = 'export * from "./src/api/openapi.ts"; export { ROUTES } from "./src/api/routes.ts";';
  const stdin = { contents: source, resolveDir: root };
  const { metafile, outputFiles = [] } = await build({ ...common, stdin });
  const code = outputFiles.map(({ text }) => encodeURIComponent(text)).join("");
  const { ROUTES, openApiDocument } = await import(`data:text/javascript,${code}`);
  const path = join(root, "dist/edge/assets", ROUTES.showOpenApi.path);
  return { metafile, outputFiles: [{ path, contents: JSON.stringify(openApiDocument()) }] };
}
