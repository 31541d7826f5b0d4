import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FULL, ifFull } from "../support/full.ts";
import { ROOT, temporaryFolder } from "../support/processes.ts";
import { whatIsMissing } from "./support/debian-root.ts";

/** Sizes in docs/installing.md, in bytes, by the command that makes the file. */
function documented(command: string): number {
  const page = readFileSync(join(ROOT, "docs", "installing.md"), "utf8");
  const line = page.split("\n").find((it) => it.startsWith(`| \`${command}\` |`)) ?? "";
  return 1e6 * Number(/ ([\d.]+) MB \|$/.exec(line)?.[1]);
}

/** Within a tenth: a size changes a little with each release. */
const expectAbout = (size: number, command: string): void => {
  expect(
    documented(command) / size,
    `${command}: docs/installing.md should say ${size / 1e6} MB`,
  ).toBeGreaterThan(0.9);
  expect(
    documented(command) / size,
    `${command}: docs/installing.md should say ${size / 1e6} MB`,
  ).toBeLessThan(1.1);
};

it.runIf(FULL)(ifFull("docs/installing.md has the size of the command and of the npm package"), () => {
  expectAbout(statSync(join(ROOT, "dist/cli/rollcall.mjs")).size, "npm run build");
  const script = join(ROOT, "packaging", "npm", "build.mjs");
  const tarball = execFileSync(process.execPath, [script, "--output", temporaryFolder()], {
    encoding: "utf8",
  });
  expectAbout(statSync(tarball.trim()).size, "npm run package:npm");
});

it.skipIf(whatIsMissing(["dpkg-deb"]) !== null || !FULL)(
  ifFull("docs/installing.md has the size of the Debian package"),
  () => {
    const script = join(ROOT, "packaging/deb/build.mjs");
    const deb = execFileSync(process.execPath, [script, "--output", temporaryFolder()], { encoding: "utf8" });
    expectAbout(statSync(deb.trim()).size, "npm run package:deb");
  },
);
