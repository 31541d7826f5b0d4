// @ts-check
// Whether dist/ is what a build would make: the files that the last one read and wrote are as it left them.
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const STAMP = "dist/build-stamp.json";

/** Files that every build reads, besides those that esbuild names. */
const TOOLS = ["package.json", "package-lock.json", "scripts/build.mjs", "scripts/licences.mjs"];

/**
 * @param {string} root
 * @param {string} path below root
 */
function stateOf(root, path) {
  const { mtimeMs, size } = statSync(join(root, path));
  return { mtimeMs, size };
}

/**
 * Notes what a build read and wrote. If a file changed meanwhile, the next check finds nothing.
 *
 * @param {string} root
 * @param {readonly string[]} inputs below root
 * @param {readonly string[]} outputs below root
 * @param {number} begun when the build began, Unix milliseconds
 */
export function writeStamp(root, inputs, outputs, begun) {
  const states = [...new Set([...TOOLS, ...inputs, ...outputs])].map((path) => ({
    path,
    ...stateOf(root, path),
  }));
  const read = new Set([...TOOLS, ...inputs]);
  if (states.some(({ path, mtimeMs }) => read.has(path) && mtimeMs >= begun)) removeStamp(root);
  else writeFileSync(join(root, STAMP), JSON.stringify(states));
}

/** @param {string} root */
export function removeStamp(root) {
  rmSync(join(root, STAMP), { force: true });
}

/**
 * @param {string} root
 * @returns {boolean} false if there is any doubt
 */
export function isBuilt(root) {
  try {
    /** @type {readonly { path: string, mtimeMs: number, size: number }[]} */
    const states = JSON.parse(readFileSync(join(root, STAMP), "utf8"));
    return states.every(({ path, mtimeMs, size }) => {
      const now = stateOf(root, path);
      return now.mtimeMs === mtimeMs && now.size === size;
    });
  } catch {
    return false;
  }
}
