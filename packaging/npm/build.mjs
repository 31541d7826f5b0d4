// @ts-check
// Packs rollcall-VERSION.tgz from dist/: the files that package.json names, pages whose links all lead to one of them, and
// a package.json without the scripts and tools of the clone, about which npm would warn.
//
//   node packaging/npm/build.mjs [--output FOLDER]
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packagedPage } from "../pages.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { values } = parseArgs({ options: { output: { type: "string", default: "dist/npm" } } });
const output = resolve(root, values.output);

const [report] = npm(["pack", "--dry-run"], root);
const files = /** @type {{ path: string }[]} */ (report.files).map(({ path }) => path);
const folders = new Set(
  files.flatMap((path) => path.split("/").map((_, i, parts) => parts.slice(0, i).join("/"))),
);

const stage = mkdtempSync(join(tmpdir(), "rollcall-npm-"));
try {
  for (const path of files) {
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    cpSync(join(root, path), join(stage, path));
    if (!path.endsWith(".md")) continue;
    const page = packagedPage(readFileSync(join(root, path), "utf8"), path, (target) =>
      files.includes(target) || folders.has(target) ? target : null,
    );
    writeFileSync(join(stage, path), page);
  }
  const {
    scripts: _,
    devDependencies: __,
    ...described
  } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(stage, "package.json"), `${JSON.stringify(described, null, 2)}\n`);
  mkdirSync(output, { recursive: true });
  const [{ filename }] = npm(["pack", "--pack-destination", output], stage);
  console.log(join(output, filename));
} finally {
  rmSync(stage, { recursive: true, force: true });
}

/** Runs npm, which may be the one that runs this. @param {string[]} args @param {string} cwd @returns {any[]} its report */
function npm(args, cwd) {
  const script = process.env.npm_execpath;
  const [file, before] =
    script !== undefined && existsSync(script) ? [process.execPath, [script]] : ["npm", []];
  const said = execFileSync(file, [...before, ...args, "--json", "--ignore-scripts"], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  // Newer releases of npm report by name.
  return Object.values(JSON.parse(said));
}
