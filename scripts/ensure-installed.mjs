// @ts-check
// Runs before `npm start` and `npm test`, when node_modules may not exist, so it uses only Node's own modules, as of
// Node 20. Runs `npm ci` if a package of package-lock.json is missing or has another version.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: Rollcall needs Node 20.19 or newer; this is ${process.version}`);
  process.exit(2);
}

const lacking = whatIsLacking();
if (lacking !== null) {
  console.error(`installing packages: ${lacking}`);
  // npm sets this variable to its own script. Without npm (`node scripts/…`), look for npm on the PATH.
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.execPath, [npm, "ci"]] : ["npm", ["ci"]];
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) {
    console.error(
      `error: \`npm ci\` failed (${error?.message ?? `exit code ${status}`})\n` +
        "what to do: see npm's message above, and run `npm ci` yourself",
    );
    process.exit(1);
  }
}

/** @returns {string | null} */
function whatIsLacking() {
  const installed = lockedPackages(join(root, "node_modules", ".package-lock.json"));
  if (installed === null) return "node_modules does not exist yet";
  const wanted = lockedPackages(join(root, "package-lock.json")) ?? {};
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === "" || optional) continue;
    if (installed[path]?.version !== version)
      return `${path.replace(/^node_modules\//, "")} is not ${version}`;
    if (!existsSync(join(root, path, "package.json"))) return `${path} is missing`;
  }
  return null;
}

/** @param {string} file @returns {Record<string, { version?: string, optional?: boolean }> | null} */
function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
  } catch {
    return null;
  }
}
