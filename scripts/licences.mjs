// @ts-check
// The licences of the packages inside a bundle: each asks that its text comes along with the code.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @param {string} root the folder that the bundle's inputs are relative to
 * @param {import("esbuild").Metafile} metafile
 * @returns {string} name, version, licence and licence text of each package, by name
 * @throws if a package states no licence, or has no text of it
 */
export function licencesOf(root, metafile) {
  const folders = new Set(
    Object.keys(metafile.inputs).flatMap(
      (file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [],
    ),
  );
  const parts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const file = readdirSync(join(root, folder)).find((it) => /^licen[cs]e/i.test(it));
    if (typeof license !== "string") throw new Error(`${folder}/package.json states no licence`);
    if (file === undefined) throw new Error(`${folder} has no file with the text of its licence`);
    const text = readFileSync(join(root, folder, file), "utf8");
    return `${name} ${version} (${license})\n\n${text.trim().replaceAll("\r\n", "\n")}\n`;
  });
  return parts.join(`\n${"=".repeat(78)}\n\n`);
}
