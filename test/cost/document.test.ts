import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { readCounts } from "../../bench/cost/counts.ts";
import { partsOf, RESULTS } from "../../bench/cost/document.ts";
import { fill } from "../../bench/cost/format.ts";
import { ROUND } from "./counts.ts";

const root = join(import.meta.dirname, "../..");
const FIXTURE = "test/cost/fixture/results.json";
/** The benchmark's results once they are there; until then an example, and docs/cost.md says that it is one. */
const SOURCE = existsSync(join(root, RESULTS)) ? RESULTS : FIXTURE;

describe("docs/cost.md", () => {
  const document = readFileSync(join(root, "docs/cost.md"), "utf8");

  it("is what the script makes of the results (if not, run `npm run cost -- --write`)", () => {
    expect(document).toBe(fill(document, partsOf(readCounts(join(root, SOURCE)), SOURCE)));
  });

  it("says where its counts are from", () => {
    expect(document).toContain(`Counts: \`${SOURCE}\``);
    expect(document.includes("They are an example")).toBe(SOURCE === FIXTURE);
  });

  it("has a row for every size", () => {
    const [, table = ""] = document.split("<!-- computed: table -->\n");
    const rows = table.split("<!-- end -->")[0]?.trim().split("\n").slice(2) ?? [];
    expect(rows).toHaveLength(36);
    for (const row of rows) expect(row.split("|")).toHaveLength(14);
  });
});

describe("filling in", () => {
  const parts = { one: "1", two: "2" };
  const marked = (name: string): string => `<!-- computed: ${name} -->\nold\n<!-- end -->\n`;

  it("puts every part between its markers, again and again", () => {
    const once = fill(`a\n${marked("one")}b\n${marked("two")}`, parts);
    expect(once).toBe(`a\n${marked("one").replace("old", "1")}b\n${marked("two").replace("old", "2")}`);
    expect(fill(once, parts)).toBe(once);
  });

  it("complains of markers without a part, and of parts without markers", () => {
    expect(() => fill(marked("three"), parts)).toThrow("three");
    expect(() => fill(marked("one"), parts)).toThrow("computed: two");
  });

  it("contains only numbers", () => {
    const all = Object.values(partsOf(ROUND, FIXTURE)).join("\n");
    expect(all).not.toMatch(/NaN|undefined|Infinity|null/);
  });
});

describe("npm run cost", () => {
  const cost = (...args: string[]) =>
    promisify(execFile)(process.execPath, ["bench/cost.ts", "--results", FIXTURE, ...args], { cwd: root });

  it("prints one size", async () => {
    const given = ["--mailboxes", "1_000_000", "--checks", "1e8", "--isolates", "5", "--changesPerDay", "0"];
    const { stdout } = await cost(...given);
    expect(stdout).toMatch(/^\| 1,000,000 mailboxes, 100,000,000 checks a month \|/);
    expect(stdout).toContain("| isolates | 5 |");
    expect(stdout).toContain("| first publication: KV writes | 130, $0.00 | 1 M, $0.00 |");
    expect(stdout).toMatch(/paid plan \| \$32\.\d\d.* \| \$7\d\.\d\d/);
    expect(stdout).toContain("| free plan | exceeds Worker requests 6.57 M against 100 k");
  });

  it("describes its usage", async () => {
    expect((await cost("--help")).stdout).toMatch(/^npm run cost -- --mailboxes N/);
  });

  it.each([
    [["--mailboxes", "0", "--checks", "5"], /above 0/],
    [["--mailboxes", "many", "--checks", "5"], /many is not a number/],
    [["--mailboxes", "5"], /--checks must be given/],
    [["--mailbox", "5"], /--mailbox/],
    [["--results", "nowhere.json", "--mailboxes", "5", "--checks", "5"], /no results at nowhere\.json/],
  ])("complains of %j", async (args, message) => {
    await expect(cost(...args)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
  });
});
