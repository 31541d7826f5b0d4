import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const { dependencies = {}, devDependencies } = JSON.parse(read("package.json")) as {
  dependencies?: Record<string, string>;
  devDependencies: Record<string, string>;
};
const all = { ...dependencies, ...devDependencies };

/** The packages that a section of docs/dependencies.md names. */
const namedIn = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) =>
      [...(line.split("|")[1] as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name as string),
    );
const [, inTheCommand = "", besideTheCommand = "", forDevelopment = ""] =
  read("docs/dependencies.md").split(/^## /m);

describe("dependencies", () => {
  it("are pinned exactly", () => {
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual(
      [],
    );
  });

  it("each have a reason in docs/dependencies.md, which has no others", () => {
    expect([inTheCommand, besideTheCommand, forDevelopment].flatMap(namedIn).sort()).toEqual(
      Object.keys(all).sort(),
    );
  });

  it("are none of the npm package's: the build puts what the command uses into one file", () => {
    expect(dependencies).toEqual({});
  });

  it("are imported by src exactly if the page says that the command or the Worker contains them", () => {
    const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".ts"),
    );
    const whole = sources.map((file) => read(join("src", file))).join("\n");
    const code = whole.replace(/^import type [^;]+;/gm, "");
    const imported = Object.keys(all).filter((name) => new RegExp(`from "${name}["/]`).test(code));
    expect(imported.sort()).toEqual(namedIn(inTheCommand).sort());
    const loaded = [...whole.matchAll(/\bloadDriver<[\s\S]{0,200}?>\(\s*"([^"]+)"/g)].map(([, name]) => name);
    expect(loaded.sort()).toEqual(namedIn(besideTheCommand).sort());
  });

  it("come from any registry that npm is configured for", () => {
    expect(read("package-lock.json")).not.toContain('"resolved"');
  });
});
