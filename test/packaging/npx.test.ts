import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withSubcommands } from "../../packaging/reference/describe.ts";
import { commandReference, referencePages } from "../../packaging/reference/pages.ts";
import { ROOT } from "../support/processes.ts";

/*
 * The package `rollcall` of the npm registry is not ours. In a clone npx finds the command that was built there; anywhere
 * else it would download and run the other one.
 */

const NPX = /\bnp(?:x|m exec)(?: -\S+)* rollcall\b/;

const filesBelow = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((it) => it.isFile())
    .map((it) => `${it.parentPath}/${it.name}`.slice(ROOT.length + 1));

/** Lines that tell to use npx, outside a block of commands that says in its first line that it runs in a clone. */
function misleading(text: string): string[] {
  let isInClone = false;
  let isFirst = false;
  let isBlock = false;
  return text.split("\n").filter((line) => {
    if (line.startsWith("```")) {
      isBlock = !isBlock;
      isFirst = isBlock;
      isInClone = false;
      return false;
    }
    if (isFirst) isInClone = /^npm ci\b|^# in the clone\b/.test(line);
    isFirst = false;
    return NPX.test(line) && !(isBlock && isInClone);
  });
}

describe("npx rollcall", () => {
  it("is noticed where it is not in a clone", () => {
    expect(misleading("Run `npx rollcall bridge`.")).toHaveLength(1);
    expect(misleading("```sh\nnpx --yes rollcall check\n```")).toHaveLength(1);
    expect(misleading("```sh\nnpm ci\nnpx rollcall init\n```\nthen npm exec rollcall")).toHaveLength(1);
    expect(misleading("```sh\n# in the clone\nnpx rollcall check\n```")).toEqual([]);
  });

  it("is in no page, example or unit but in commands of a clone", () => {
    const files = ["README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md"];
    for (const folder of ["docs", "examples", "packaging", "bin"]) files.push(...filesBelow(folder));
    const found = files.flatMap((file) =>
      misleading(readFileSync(join(ROOT, file), "utf8")).map((line) => `${file}: ${line}`),
    );
    expect(found).toEqual([]);
  });

  it("is in no help and no manual page", () => {
    const texts = referencePages().map(([, text]) => text);
    for (const { about, text, options } of withSubcommands(commandReference())) {
      texts.push(about, text, ...options.map((option) => option.about));
    }
    expect(texts.filter((text) => NPX.test(text))).toEqual([]);
  });

  it("is in no message of the command but that of `init`, which repeats how it was started", () => {
    const found = filesBelow("src").filter((file) => NPX.test(readFileSync(join(ROOT, file), "utf8")));
    expect(found).toEqual(["src/cli/commands/init.ts"]);
    const [line = "", ...others] = readFileSync(join(ROOT, "src/cli/commands/init.ts"), "utf8")
      .split("\n")
      .filter((it) => NPX.test(it));
    expect(line).toContain('npm_command === "exec" ? "npx rollcall" : "rollcall"');
    expect(others).toEqual([]);
  });
});
