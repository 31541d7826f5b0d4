import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chart, charted, LABELS } from "../../bench/report/chart.ts";
import { bar, figure, verdict } from "../../bench/report/figures.ts";
import { fromJson, toJson } from "../../bench/report/results.ts";
import { markdown, plainTable, withTable } from "../../bench/report/table.ts";
import { met, missed, results, shown, small } from "./support.ts";

describe("figures", () => {
  it("have their unit, and as many digits as are significant", () => {
    expect(figure(0.9, "x")).toBe("0.90 x");
    expect(figure(642.3, "x")).toBe("642 x");
    expect(figure(15_000, "/s")).toBe("15,000/s");
    expect(figure(5.07, "bytes")).toBe("5.07 B");
    expect(figure(64 * 1024 * 1024, "bytes")).toBe("64.0 MiB");
    expect(figure(0.0683, "s")).toBe("0.068 s");
    expect(figure(131, "count")).toBe("131");
  });

  it("meet a bar or not, in either direction", () => {
    expect([met, missed, small, shown].map(verdict)).toEqual(["met", "not met", "met", "shown"]);
    expect(verdict({ ...small, value: 5.31 })).toBe("not met");
    expect(bar(met)).toBe("≥ 0.85 x, aim 0.92 x");
    expect(bar(small)).toBe("≤ 5.30 B");
  });
});

describe("the table", () => {
  it("has a line for each measurement, with its spread and its bar", () => {
    const lines = plainTable([met, shown]).split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^POST, hot names.* 0\.90 x +0\.88 x to 0\.93 x +≥ 0\.85 x, aim 0\.92 x +met$/);
    expect(lines[2]).toMatch(/^cold check +34\.6 ms +shown$/);
  });

  it("is Markdown with as many columns in each row as in its head", () => {
    const rows = markdown(results)
      .split("\n")
      .filter((line) => line.startsWith("|"));
    const columns = rows.map((row) => row.replaceAll("\\|", "").split("|").length);
    expect(new Set(columns).size).toBe(1);
    expect(rows.filter((row) => /\| (?:not )?met \||\| shown \|/.test(row))).toHaveLength(4);
  });

  it("names the machine, and the suites that are missing", () => {
    expect(markdown(results)).toMatch(/^2026-11-24, 2 × A Processor, .*5 rounds of 2 s\.$/m);
    expect(markdown(results)).toContain("\n2 of 3 bars are met.\n");
    expect(markdown(results)).toContain("Not measured: postfix (needs the Debian package postfix).");
  });

  it("replaces what is between the marks of a page, and nothing else", () => {
    const page =
      "before\n<!-- measured: npm run bench -- --write -->\n<!-- end of what was measured -->\nafter\n";
    const once = withTable(page, "first");
    expect(once).toContain("first\n<!-- end");
    expect(withTable(once, "second")).toBe(withTable(page, "second"));
    expect(withTable(once, "second")).toMatch(/^before\n[\s\S]*\nafter\n$/);
    expect(() => withTable("no marks", "table")).toThrow("lacks the marks");
  });
});

describe("the chart", () => {
  const svg = chart(results.measurements);

  it("shows the ratios that have a bar to reach, and no others", () => {
    expect(charted(results.measurements)).toEqual([met, missed]);
    expect(svg.match(/<rect/g)).toHaveLength(2);
    expect(svg).toContain("POST of 1,000 &amp; &lt;more&gt;");
  });

  it("has room for every label of the results that are shown", () => {
    const { measurements } = fromJson(readFileSync("docs/performance/results.json", "utf8"));
    for (const { what } of charted(measurements)) expect(6.6 * what.length, what).toBeLessThan(LABELS - 10);
  });

  it("is well-formed: every element that is opened is closed, in its order", () => {
    const open: string[] = [];
    for (const [, end, name, alone] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
      if (end === "/") expect(open.pop()).toBe(name);
      else if (alone !== "/") open.push(name as string);
    }
    expect(open).toEqual([]);
    expect(svg.replaceAll(/<[^<>]*>/g, "")).not.toMatch(/[<>]|&(?!(?:amp|lt|gt|quot);)/);
  });

  it("has bars that cross the line if the bar is met, and end before it if not", () => {
    const line = Number(/class="line" x1="([\d.]+)"/.exec(svg)?.[1]);
    const ends = [...svg.matchAll(/<rect class="(\w+)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)].map(
      ([, name, x, width]) => [name, Number(x) + Number(width) >= line],
    );
    expect(ends).toEqual([
      ["met", true],
      ["missed", false],
    ]);
  });

  it("has colours for light and for dark", () => {
    expect(svg).toContain("@media (prefers-color-scheme: dark)");
  });
});

describe("results", () => {
  it("come back from JSON as they were", () => {
    expect(fromJson(toJson(results))).toEqual(results);
    expect(() => fromJson("[]")).toThrow("not a result of the benchmark");
  });
});
