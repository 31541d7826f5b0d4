import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EVERY_ROUTE } from "../src/api/index.ts";

const ROOT = join(import.meta.dirname, "..");
const OWN_PATH = "test/documentation.test.ts";
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const pages = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => `docs/${path}`),
];

/** Archaic, literary or ambiguous words, and words for which the glossary of CONTRIBUTING.md has another one. */
const WORDS = new RegExp(
  `\\b(?:${[
    "whoever",
    "anew",
    "afresh",
    "to be had",
    "in earnest",
    "mend(?:s|ed|ing)?",
    "goes? on to",
    "thereof",
    "whence",
    "lest",
    "albeit",
    "nobody's",
    "lets? go of",
    "told of",
    "stands in",
    "by and by",
    "for want of",
    "made good",
    "signs? of life",
    "time-outs?",
  ].join("|")})\\b`,
  "gi",
);

/** Folders that still have such words. */
const NOT_CLEAN: readonly string[] = [
  "CHANGELOG.md",
  "bench/",
  "docs/bridge.md",
  "docs/consistency.md",
  "docs/cost.md",
  "docs/mta/",
  "docs/performance.md",
  "simulation/",
  "src/bridge/",
  "src/reader/",
  "src/registry/",
  "src/runtime/",
  "test/",
  "testing/",
];

/** Every text file that people write: code, tests, scripts and pages. */
function writtenFiles(): string[] {
  const folders = ["bench", "bin", "docs", "examples", "scripts", "simulation", "src", "test", "testing"];
  const nested = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`),
  );
  return [...readdirSync(ROOT), ...nested].filter(
    (path) => /\.(?:ts|mjs|js|c|sh|lua|md|toml|cf|service)$/.test(path) && path !== OWN_PATH,
  );
}

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

  it("and all other files use plain English", () => {
    const found = writtenFiles()
      .filter((path) => !NOT_CLEAN.some((folder) => path.startsWith(folder)))
      .flatMap((path) =>
        read(path)
          .split("\n")
          .flatMap((line, i) => (line.match(WORDS) ?? []).map((word) => `${path}:${i + 1} ${word}`)),
      );
    expect(found).toEqual([]);
  });
});
