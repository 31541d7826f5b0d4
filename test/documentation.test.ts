import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EVERY_ROUTE } from "../src/api/index.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const pages = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => `docs/${path}`),
];

describe("the documentation", () => {
  it("shows the two commands that try and test a fresh clone near the top of README.md, each enough alone", () => {
    const [, block = ""] = /```sh\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
    const commands = block
      .split("\n")
      .map((line) => line.replace(/\s+#.*/, ""))
      .filter((line) => line !== "");
    expect(commands).toEqual(["npm start", "npm test"]);
    const above = read("README.md").split(block)[0] as string;
    expect(above.split("\n").length).toBeLessThan(25);
    // Each installs what it lacks.
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const script of ["prestart", "pretest"]) expect(scripts[script]).toContain("ensure-installed.mjs");
  });

  it("has every route of the API in docs/api.md", () => {
    const text = read("docs/api.md").replaceAll(/\s+/g, " ");
    const lacking = EVERY_ROUTE.map(
      ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`,
    ).filter((route) => ![..."`? "].some((end) => text.includes(`\`${route}${end}`)));
    expect(lacking).toEqual([]);
  });

  it("writes no token into a file that others may read", () => {
    for (const page of pages) {
      const open = read(page)
        .split("\n")
        .filter((line) => /token create.*>/.test(line) && !line.includes("umask 077"));
      expect(open, page).toEqual([]);
    }
  });

  it("speaks of restoring a Registry in one place, to which the others link", () => {
    const place = "docs/deploying.md";
    expect(read(place)).toContain("## When a Registry is lost");
    for (const page of pages) {
      if (page === place || !/(?:restor\w+|point in time)[^.]*Registry|Registry[^.]*restor/i.test(read(page)))
        continue;
      expect(read(page), page).toContain("deploying.md#when-a-registry-is-lost");
    }
  });
});
