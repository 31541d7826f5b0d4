import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../support/processes.ts";
import type { DebianRoot } from "./debian-root.ts";

export const SERVICE = "rollcall-bridge.service";
export const SETTINGS = "/etc/rollcall/rollcall.toml";
export const TOKEN = "/etc/rollcall/token";

/** Builds the package with the script of the repository. @returns its path */
export function buildDeb(output: string, options: { revision?: string; tree?: string } = {}): string {
  const { revision = "1", tree = ROOT } = options;
  const script = join(tree, "packaging", "deb", "build.mjs");
  return execFileSync(process.execPath, [script, "--revision", revision, "--output", output], {
    encoding: "utf8",
    cwd: "/",
    env: { ...process.env, SOURCE_DATE_EPOCH: "1767225600" },
  }).trim();
}

/** Puts a package into a system. @returns its path there */
export function give(root: DebianRoot, deb: string): string {
  copyFileSync(deb, join(root.path, "var", "cache", "rollcall.deb"));
  return "/var/cache/rollcall.deb";
}
