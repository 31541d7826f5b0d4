/** What the benchmark runs on. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { root } from "./processes.ts";

export type Machine = ReturnType<typeof thisMachine>;

export function thisMachine() {
  const processors = cpus();
  const workerd = JSON.parse(readFileSync(join(root, "node_modules/workerd/package.json"), "utf8")) as {
    version: string;
  };
  // wrk prints its version and ends with an error.
  const { stdout } = spawnSync("wrk", ["--version"], { encoding: "utf8" });
  return {
    cpu: processors[0]?.model.trim() ?? "unknown processor",
    cores: processors.length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    workerd: workerd.version,
    /** Null if it is not installed. */
    wrk: /^wrk (\S+)/.exec(stdout ?? "")?.[1] ?? null,
  };
}
