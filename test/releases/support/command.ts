/** The command of one release, run against a host. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ReleaseHost } from "./host.ts";

/** Names of a list: so many, numbered. */
export const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

export class ReleaseCommand {
  readonly #bin: string;
  readonly #folder: string;

  /** @param tree the release's built tree. @param folder where its lists are written */
  constructor(tree: string, folder: string) {
    this.#bin = join(tree, "bin", "rollcall.js");
    this.#folder = folder;
  }

  /** Runs `rollcall …` as the administrator. @throws with `stderr` if it fails */
  async run(host: ReleaseHost, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, [this.#bin, ...args], {
      cwd: this.#folder,
      env: { ROLLCALL_URL: host.url, ROLLCALL_TOKEN: host.admin, HOME: this.#folder, NO_COLOR: "1" },
    });
    return stdout;
  }

  /** Publishes a list of local parts, each with its state behind a comma if that is not active. */
  publish(
    host: ReleaseHost,
    domain: string,
    lines: readonly string[],
    ...options: string[]
  ): Promise<string> {
    mkdirSync(join(this.#folder, "lists"), { recursive: true });
    const file = join("lists", `${domain}.csv`);
    const records = lines.map((line) => {
      const [name, state = ""] = line.split(",");
      return `${name}@${domain},${state}`;
    });
    writeFileSync(join(this.#folder, file), `address,state\n${records.join("\n")}\n`);
    const isSaid = ["--defer", "--observe"].some((mode) => options.includes(mode));
    const mode = isSaid ? [] : ["--enforce"];
    return this.run(
      host,
      "publish",
      "--domain",
      domain,
      file,
      ...mode,
      "--yes",
      "--no-keep-list",
      ...options,
    );
  }

  /** Publishes an alias. */
  async publishAlias(host: ReleaseHost, domain: string, target: string): Promise<void> {
    writeFileSync(
      join(this.#folder, "alias.toml"),
      `[domains."${domain}"]\nalias = "${target}"\nmode = "enforce"\n`,
    );
    await this.run(host, "publish", "--config", "alias.toml", "--force", "--yes");
  }
}
