import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { isBuilt, removeStamp, writeStamp } from "../../scripts/build-stamp.mjs";
import { temporaryFolder } from "../support/folders.ts";

const root = temporaryFolder();
const INPUT = "src/main.ts";
const OUTPUT = "dist/main.mjs";
const TOOLS = ["package.json", "package-lock.json", "scripts/build.mjs", "scripts/licences.mjs"];
/** Seconds: files are older than the build, unless a test says otherwise. */
const OLD = 1_000;
const BEGUN = 2_000_000;

function put(path: string, text: string, seconds = OLD): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), text);
  utimesSync(join(root, path), seconds, seconds);
}

beforeEach(() => {
  for (const path of [...TOOLS, INPUT]) put(path, "1");
  put(OUTPUT, "1", 3_000);
  writeStamp(root, [INPUT], [OUTPUT], BEGUN);
});

describe("a build is current", () => {
  it("while nothing has changed that it read or wrote", () => {
    expect(isBuilt(root)).toBe(true);
  });

  it.each([INPUT, OUTPUT, ...TOOLS])("no longer after a change of %s", (path) => {
    put(path, "2", 4_000);
    expect(isBuilt(root)).toBe(false);
  });

  it("no longer if the text of a file has another length and the same time", () => {
    put(INPUT, "12");
    expect(isBuilt(root)).toBe(false);
  });

  it("no longer if a file is missing", () => {
    rmSync(join(root, OUTPUT));
    expect(isBuilt(root)).toBe(false);
  });

  it("never if a file changed during the build", () => {
    put(INPUT, "2", 2_000);
    writeStamp(root, [INPUT], [OUTPUT], BEGUN);
    expect(isBuilt(root)).toBe(false);
  });

  it("never without its note, or with one that cannot be read", () => {
    writeFileSync(join(root, "dist/build-stamp.json"), "{");
    expect(isBuilt(root)).toBe(false);
    removeStamp(root);
    removeStamp(root);
    expect(isBuilt(root)).toBe(false);
  });
});
