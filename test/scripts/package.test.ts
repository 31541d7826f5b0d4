import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { NODE_20, ROOT, Running, temporaryFolder } from "../support/processes.ts";

/** npm of the oldest Node that is supported, if both are on this machine. */
const NPM_20 = NODE_20 === undefined ? undefined : join(dirname(NODE_20), "npm");
const hasNpm20 = NPM_20 !== undefined && existsSync(NPM_20);

/** What `npm pack` would put into the tarball now. */
function packed(): string[] {
  // Such as the one that `npm run deploy:dry-run` leaves.
  const otherBuild = mkdtempSync(join(ROOT, "dist", "other-build-"));
  writeFileSync(join(otherBuild, "worker.js"), "");
  let said: string;
  try {
    said = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } finally {
    rmSync(otherBuild, { recursive: true });
  }
  const report = JSON.parse(said) as unknown;
  const [first] = Array.isArray(report) ? report : Object.values(report as object);
  return (first as { files: { path: string }[] }).files.map(({ path }) => path);
}

/** Parts that only a clone has: for working on Rollcall, and a Worker that is deployed from there. */
const OF_A_CLONE = /^(?:src|test|testing|bench|simulation|mutation|scripts|integrations\/email-workers)\//;

describe("the npm package", () => {
  it("has the build that the command runs, and no other", () => {
    const files = packed();
    expect(files).toEqual(expect.arrayContaining(["bin/rollcall.js", "dist/cli/LICENCES.txt"]));
    const command = ["dist/cli/rollcall.mjs", "dist/cli/opensmtpd-table.mjs"];
    expect(files).toEqual(expect.arrayContaining(command));
    expect(files.filter((file) => /^dist\/(?!cli\/|man\/|completion\/)/.test(file))).toEqual([]);
    const schema = "dist/cli/rollcall.schema.json";
    expect(files.filter((file) => file.startsWith("dist/cli/")).sort()).toEqual(
      ["dist/cli/LICENCES.txt", ...command, schema].sort(),
    );
    expect(files.filter((file) => OF_A_CLONE.test(file))).toEqual([]);
  });

  it("keeps the flags of V8 that save memory, though the build drops what is not used", () => {
    const command = readFileSync(join(ROOT, "dist/cli/rollcall.mjs"), "utf8");
    expect(command).toMatch(/if \(process\.argv\.includes\("bridge"\)\) saveMemory\(\)/);
    expect(command).toContain('setFlagsFromString("--optimize-for-size")');
  });

  it("has what its documentation links to", () => {
    const files = new Set(packed());
    const dead: string[] = [];
    for (const page of [...files].filter((file) => file.endsWith(".md"))) {
      for (const [, link = ""] of readFileSync(join(ROOT, page), "utf8").matchAll(/\]\(([^)#\s]+)/g)) {
        if (/^[a-z]+:/.test(link)) continue;
        const target = normalize(join(dirname(page), link)).replace(/\/$/, "");
        const there = files.has(target) || [...files].some((file) => file.startsWith(`${target}/`));
        if (!there && !OF_A_CLONE.test(`${target}/`)) dead.push(`${page}: ${link}`);
      }
    }
    expect(dead).toEqual([]);
    expect(files).toContain("examples/smtp-front-end.mjs");
  });

  it("runs without any package", async () => {
    const folder = temporaryFolder();
    for (const part of ["bin", "dist/cli/rollcall.mjs", "package.json"]) {
      cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    }
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    for (const file of ["bin/rollcall.js", "dist/cli/rollcall.mjs"]) {
      expect(await new Running(NODE_20 ?? process.execPath, [join(folder, file), "--version"]).ended).toEqual(
        { code: 0, stdout: `${version}\n`, stderr: "" },
      );
    }
  });

  it.skipIf(!hasNpm20)("installs on Node 20 without a warning", async () => {
    const folder = temporaryFolder();
    for (const file of ["package.json", "package-lock.json", ".npmrc"]) {
      cpSync(join(ROOT, file), join(folder, file));
    }
    const { code, stderr } = await new Running(
      NODE_20 as string,
      [NPM_20 as string, "ci", "--dry-run", "--ignore-scripts", "--offline"],
      {
        cwd: folder,
        env: {
          HOME: folder,
          npm_config_update_notifier: "false",
          PATH: `${dirname(NODE_20 as string)}:/usr/bin:/bin`,
        },
      },
    ).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});
