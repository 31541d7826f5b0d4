import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const { dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<
  "dependencies" | "devDependencies",
  Record<string, string>
>;
const all = { ...dependencies, ...devDependencies };

describe("dependencies", () => {
  it("are pinned exactly", () => {
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual(
      [],
    );
  });

  it("each have a reason in docs/dependencies.md, which has no others", () => {
    const named = read("docs/dependencies.md")
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .flatMap((line) => [...(line.split("|")[1] as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name));
    expect(named.sort()).toEqual(Object.keys(all).sort());
  });

  it("are used if they are run-time dependencies", () => {
    const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".ts"),
    );
    const code = sources.map((file) => read(join("src", file))).join("\n");
    const unused = Object.keys(dependencies).filter((name) => !code.includes(`from "${name}`));
    expect(unused).toEqual([]);
  });

  it("come from any registry that npm is configured for", () => {
    expect(read("package-lock.json")).not.toContain('"resolved"');
  });
});
