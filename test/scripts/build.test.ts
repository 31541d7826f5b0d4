import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../support/processes.ts";

const read = (name: string): string => readFileSync(join(ROOT, "dist", "edge", name), "utf8");

describe("the Worker as it is built", () => {
  it.each([
    ["the token is missing, malformed", "http.ts"],
    ["the Registry did not confirm in time", "step.ts"],
    ["DELETE FROM kv_deletions WHERE key = ?", "keys.ts"],
  ])("has a source map to the line of the source: %s", (text, file) => {
    const lines = read("worker.js").split("\n");
    const line = lines.findIndex((each) => each.includes(text));
    const map = new SourceMap(
      JSON.parse(read("worker.js.map")) as ConstructorParameters<typeof SourceMap>[0],
    );
    const found = map.findEntry(line, lines[line]?.indexOf(text) ?? -1);
    if (!("originalSource" in found)) throw new Error(`${text} has no entry in the map`);
    expect(basename(found.originalSource)).toBe(file);
    const source = readFileSync(join(ROOT, "dist", "edge", found.originalSource), "utf8").split("\n");
    expect(source.slice(found.originalLine, found.originalLine + 3).join("\n")).toContain(text);
  });
});
