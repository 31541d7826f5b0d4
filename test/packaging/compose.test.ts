import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { environment, ROOT, temporaryFolder } from "../support/processes.ts";
import { whatIsMissing } from "./support/debian-root.ts";

const FILE = join(ROOT, "packaging/container/compose.yml");

/** What Compose makes of a file. */
interface Project {
  readonly services: Readonly<
    Record<
      string,
      { read_only?: boolean; cap_drop?: string[]; volumes: { source: string; target: string }[] }
    >
  >;
  readonly configs: Readonly<Record<string, { content: string }>>;
}

describe.skipIf(whatIsMissing(["docker-compose"]) !== null)("packaging/container/compose.yml", () => {
  const home = temporaryFolder();
  const config = (file: string) =>
    spawnSync("docker-compose", ["--file", file, "config", "--format", "json"], {
      encoding: "utf8",
      env: environment(home),
    });

  it("is accepted by Compose, with a bridge that cannot write and shares only its socket with Postfix", () => {
    const { status, stdout, stderr } = config(FILE);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { services, configs } = JSON.parse(stdout) as Project;
    const { rollcall, postfix } = services;
    expect(rollcall).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
    expect(rollcall).not.toHaveProperty("ports");
    const shared = { type: "volume", source: "sockets", target: "/run/rollcall" };
    for (const service of [rollcall, postfix]) expect(service?.volumes).toMatchObject([shared]);
    expect(configs.bridge?.content).toContain('socketmap = "unix:/run/rollcall/socketmap"');
  });

  it("would be refused with a word that Compose does not know", () => {
    mkdirSync(join(home, "changed"));
    const changed = join(home, "changed", "compose.yml");
    writeFileSync(changed, readFileSync(FILE, "utf8").replace("read_only:", "read_onyl:"));
    expect(config(changed).status).not.toBe(0);
  });
});
