import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
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

/** Every text file that people write: code, tests, scripts and pages. */
function writtenFiles(): string[] {
  const folders = [
    "bench",
    "bin",
    "docs",
    "examples",
    "integrations",
    "mutation",
    "packaging",
    "scripts",
    "simulation",
    "src",
    "test",
    "testing",
  ];
  const nested = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`),
  );
  return [...readdirSync(ROOT), ...nested].filter(
    (path) =>
      /\.(?:ts|mjs|js|c|sh|lua|md|toml|cf|conf|service|socket|py|yml)$/.test(path) &&
      !path.includes("/fixtures/") &&
      path !== OWN_PATH,
  );
}

describe("the documentation", () => {
  it("shows the two commands for a fresh clone near the top of README.md, each sufficient alone", () => {
    const [, block = ""] = /```sh\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
    const commands = block
      .split("\n")
      .map((line) => line.replace(/\s+#.*/, ""))
      .filter((line) => line !== "");
    expect(commands).toEqual(["npm start", "npm test"]);
    const above = read("README.md").split(block)[0] as string;
    expect(above.split("\n").length).toBeLessThan(25);
    // Each installs missing packages.
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const script of ["prestart", "pretest"]) expect(scripts[script]).toContain("ensure-installed.mjs");
  });

  it("fits two screens in README.md before the table of pages, which names every page", () => {
    const [above = "", table = ""] = read("README.md").split("\n## Documentation\n");
    expect(above.split("\n").length).toBeLessThanOrEqual(100);
    const unnamed = readdirSync(join(ROOT, "docs")).filter(
      (name) => name.endsWith(".md") && name !== "dependencies.md" && !table.includes(`(docs/${name})`),
    );
    expect(unnamed).toEqual([]);
  });

  it("links to files and headings that exist", () => {
    const slug = (heading: string): string =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-");
    const headings = (page: string): string[] =>
      [...read(page).matchAll(/^#+ (.+)$/gm)].map((match) => slug(match[1] as string));
    const broken = ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ...pages].flatMap((page) =>
      [...read(page).matchAll(/\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)/g)]
        .filter(([, path, anchor]) => {
          const target = path ? join(dirname(page), path) : page;
          if (!existsSync(join(ROOT, target))) return true;
          return anchor !== undefined && !headings(target).includes(anchor);
        })
        .map(([link]) => `${page}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  it("has no table that a blank line cuts in two", () => {
    const headless = ["CONTRIBUTING.md", ...pages].flatMap((page) => {
      const lines = read(page).split("\n");
      const isRow = (i: number): boolean => lines[i]?.startsWith("|") === true;
      const isCut = (i: number): boolean => isRow(i) && !isRow(i - 1) && !lines[i + 1]?.startsWith("|---");
      return lines.flatMap((line, i) => (isCut(i) ? [`${page}:${i + 1} ${line}`] : []));
    });
    expect(headless).toEqual([]);
  });

  it("has every route of the API in docs/api.md", () => {
    const text = read("docs/api.md").replaceAll(/\s+/g, " ");
    const lacking = EVERY_ROUTE.map(
      ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`,
    ).filter((route) => ![..."`? "].some((end) => text.includes(`\`${route}${end}`)));
    expect(lacking).toEqual([]);
  });

  it("writes no token into a file that other users can read", () => {
    for (const page of pages) {
      const open = read(page)
        .split("\n")
        .filter((line) => /token create.*>/.test(line) && !line.includes("umask 077"));
      expect(open, page).toEqual([]);
    }
  });

  it("and every text to paste create tokens for named domains", () => {
    const open = writtenFiles()
      .filter((path) => !/^(?:bench|test|testing|mutation)\//.test(path))
      .flatMap((path) =>
        read(path)
          .split("\n")
          .filter((line) => /token create --role (?!\w+ --domain |publish \| )/.test(line))
          .map((line) => `${path}: ${line.trim()}`),
      );
    expect(open).toEqual([]);
  });

  it("describes restoring a Registry in one place, to which other pages link", () => {
    const place = "docs/restoring.md";
    expect(read(place)).toContain("# Restoring a Registry to an earlier time");
    for (const page of pages) {
      if (page === place || !/(?:restor\w+|point in time)[^.]*Registry|Registry[^.]*restor/i.test(read(page)))
        continue;
      expect(read(page), page).toMatch(/restoring\.md|deploying\.md#when-a-registry-is-lost/);
    }
  });

  it("and all other files use plain English", () => {
    const found = writtenFiles().flatMap((path) =>
      read(path)
        .split("\n")
        .flatMap((line, i) => (line.match(WORDS) ?? []).map((word) => `${path}:${i + 1} ${word}`)),
    );
    expect(found).toEqual([]);
  });
});
