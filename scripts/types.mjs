// @ts-check
// Checks the types of every part. Each tsconfig.*.json next to package.json is one part with its own globals.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
const projects = readdirSync(root).filter((name) => /^tsconfig\..+\.json$/.test(name));

const codes = await Promise.all(
  projects.map(
    (project) =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [tsc, "-p", project, "--pretty"], { cwd: root });
        let text = "";
        for (const stream of [child.stdout, child.stderr]) {
          stream.on("data", (data) => {
            text += data;
          });
        }
        child.on("error", (error) => {
          text += `${error.message}\n`;
        });
        child.on("close", (code) => {
          console.log(`${code === 0 ? "ok" : "failed"} ${project}`);
          if (text !== "") console.log(text.trimEnd());
          resolve(code);
        });
      }),
  ),
);
process.exitCode = codes.every((code) => code === 0) ? 0 : 1;
