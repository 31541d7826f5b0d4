import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT, temporaryFolder } from "../support/processes.ts";

describe("scripts/count-tests.mjs", () => {
  const file = join(temporaryFolder(), "report.json");

  function count(
    results: { status: string; tests: string[] }[],
    success = true,
  ): { code: number | null; out: string } {
    const testResults = results.map(({ status, tests }, i) => ({
      name: `file ${i}`,
      status,
      message: "",
      assertionResults: tests.map((each, j) => ({ status: each, fullName: `test ${j}`, title: "" })),
    }));
    writeFileSync(file, JSON.stringify({ success, testResults }));
    return run();
  }

  function run(): { code: number | null; out: string } {
    const script = join(ROOT, "scripts", "count-tests.mjs");
    const { status, stdout } = spawnSync(process.execPath, [script, file], { encoding: "utf8" });
    return { code: status, out: stdout };
  }

  it("counts, and succeeds if all passed", () => {
    const all = [
      { status: "passed", tests: ["passed", "passed"] },
      { status: "passed", tests: ["passed"] },
    ];
    expect(count(all)).toEqual({ code: 0, out: "3 passed, 0 failed\n" });
  });

  it("fails for a failure, a skipped test, a broken file, an unhandled error, or no tests", () => {
    expect(count([{ status: "failed", tests: ["passed", "failed"] }], false)).toEqual({
      code: 1,
      out: "1 passed, 1 failed\n",
    });
    expect(count([{ status: "passed", tests: ["passed", "skipped"] }])).toEqual({
      code: 1,
      out: "skipped: test 1\n1 passed, 0 failed\n",
    });
    expect(count([{ status: "failed", tests: [] }], false)).toMatchObject({
      code: 1,
      out: expect.stringMatching(/\n0 passed, 1 failed\n$/),
    });
    expect(count([{ status: "passed", tests: ["passed"] }], false)).toMatchObject({ code: 1 });
    expect(count([])).toEqual({ code: 1, out: "0 passed, 0 failed\n" });
    writeFileSync(file, "");
    expect(run()).toMatchObject({ code: 1, out: expect.stringMatching(/\n0 passed, 1 failed\n$/) });
  });
});
