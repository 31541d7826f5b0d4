import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT, temporaryFolder } from "../support/processes.ts";

/* What the Debian package says after its installation. test/packaging/deb.test.ts installs it in a Debian. */

/** Runs postinst for a folder that stands for the root, without systemd. */
function configure(root: string, before = ""): string {
  const commands = join(root, "commands");
  mkdirSync(commands, { recursive: true });
  for (const name of ["systemd-sysusers", "systemd-tmpfiles", "deb-systemd-helper"])
    writeFileSync(join(commands, name), "#!/bin/sh\n", { mode: 0o755 });
  const { status, stdout, stderr } = spawnSync(
    "sh",
    [join(ROOT, "packaging", "deb", "postinst"), "configure", before],
    { encoding: "utf8", env: { PATH: `${commands}:/usr/bin:/bin`, DPKG_ROOT: root } },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

it("the first installation says what to do next, in files that the package has", () => {
  const root = temporaryFolder();
  const said = configure(root);
  expect(said).toMatch(/url in \/etc\/rollcall\/rollcall\.toml[\s\S]*role check[\s\S]*doctor --bridge/);
  const installed = [...said.matchAll(/\/usr\/share\/doc\/rollcall\/(\S+)/g)].map(
    ([, path]) => path as string,
  );
  expect(installed.length).toBeGreaterThan(1);
  for (const path of installed) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
  expect(readFileSync(join(ROOT, "packaging/etc/rollcall.toml"), "utf8")).toContain("# url =");
});

it("an upgrade, and a host with a token, are told nothing", () => {
  const root = temporaryFolder();
  expect(configure(root, "0.1.0-1")).toBe("");
  mkdirSync(join(root, "etc/rollcall"), { recursive: true });
  writeFileSync(join(root, "etc/rollcall/token"), "t");
  expect(configure(root)).toBe("");
});
