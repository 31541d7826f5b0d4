/** Builds dist/ if anything that it is made of has changed: a plain run of vitest must not test an earlier build. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { isBuilt } from "../../scripts/build-stamp.mjs";

const ROOT = join(import.meta.dirname, "..", "..");

if (!isBuilt(ROOT)) execFileSync(process.execPath, [join(ROOT, "scripts", "build.mjs")]);
