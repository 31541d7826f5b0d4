import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { packagedPage } from "../../packaging/pages.mjs";
import { ROOT, temporaryFolder } from "../support/processes.ts";
import { buildDeb } from "./support/deb.ts";
import { whatIsMissing } from "./support/debian-root.ts";

/* Every link of every page, in the tree of each package. */

const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

/** Links of the pages below a folder that lead nowhere. @param root where absolute links start */
function deadLinks(folder: string, root: string): { pages: number; links: number; dead: string[] } {
  const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".md"),
  );
  const headings = (page: string): string[] =>
    [...readFileSync(page, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading]) => slug(heading as string));
  let links = 0;
  const dead = pages.flatMap((page) =>
    [...readFileSync(join(folder, page), "utf8").matchAll(/\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)/g)]
      .filter(([, path = "", anchor]) => {
        links++;
        const own = join(folder, page);
        const target = path === "" ? own : path.startsWith("/") ? join(root, path) : join(dirname(own), path);
        return !existsSync(target) || (anchor !== undefined && !headings(target).includes(anchor));
      })
      .map(([link]) => `${page}: ${link}`),
  );
  return { pages: pages.length, links, dead };
}

/** The npm package, unpacked. */
function unpackedNpm(): string {
  const folder = temporaryFolder();
  const script = join(ROOT, "packaging", "npm", "build.mjs");
  const file = execFileSync(process.execPath, [script, "--output", folder], { encoding: "utf8" }).trim();
  execFileSync("tar", ["-xzf", file, "-C", folder]);
  return join(folder, "package");
}

describe("the pages of the packages have no dead link", () => {
  it.skipIf(whatIsMissing(["dpkg-deb"]) !== null)("in the Debian package", () => {
    const folder = temporaryFolder();
    const tree = join(folder, "tree");
    mkdirSync(tree);
    execFileSync("dpkg-deb", ["-x", buildDeb(folder), tree]);
    const { pages, links, dead } = deadLinks(join(tree, "usr/share/doc/rollcall"), tree);
    expect(dead).toEqual([]);
    expect(pages).toBeGreaterThan(40);
    expect(links).toBeGreaterThan(250);
    // What the pages tell people to paste is there, also where the package has it elsewhere.
    const service = readFileSync(join(tree, "usr/share/doc/rollcall/docs/bridge/service.md"), "utf8");
    expect(service).toContain("(/usr/lib/systemd/system/rollcall-bridge.service)");
  });

  it("in the npm package, about which npm has nothing to warn", () => {
    const folder = unpackedNpm();
    const { pages, links, dead } = deadLinks(folder, folder);
    expect(dead).toEqual([]);
    expect(pages).toBeGreaterThan(40);
    expect(links).toBeGreaterThan(250);
    const described = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as object;
    expect(described).not.toHaveProperty("scripts");
    expect(described).toMatchObject({ name: "rollcall", bin: { rollcall: "bin/rollcall.js" } });
  });
});

describe("a page of a package", () => {
  it("keeps a link to what the package has, moves one to what it has elsewhere, and writes out any other", () => {
    const places = new Map([
      ["docs/a.md", "docs/a.md"],
      ["packaging/x.service", "/usr/lib/x.service"],
    ]);
    const page = (text: string): string =>
      packagedPage(text, "docs/b.md", (path) => places.get(path) ?? null);
    for (const [text, packaged] of [
      ["see [a](a.md#part) and [here](#part)", "see [a](a.md#part) and [here](#part)"],
      ["[the unit](../packaging/x.service)", "[the unit](/usr/lib/x.service)"],
      ["| [law-1.test.ts](../test/law-1.test.ts) |", "| law-1.test.ts |"],
      ["[`f`](../src/f.ts#L1), [net](https://example.org/a.md)", "`f`, [net](https://example.org/a.md)"],
    ])
      expect(page(text as string)).toBe(packaged);
  });
});
