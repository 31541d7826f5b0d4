import { describe, expect, it } from "vitest";
import { readArguments } from "../../bench/settings.ts";
import { suites } from "../../bench/suites/index.ts";

const NAMES = ["checks", "batch"];

describe("the benchmark's command line", () => {
  it("runs everything by default, and less of it with --quick", () => {
    expect(readArguments([], NAMES)).toEqual({
      extent: { isQuick: false, rounds: 5, seconds: 2 },
      only: null,
      json: null,
      write: false,
      record: [],
      strict: false,
    });
    expect(readArguments(["--quick"], NAMES).extent).toEqual({ isQuick: true, rounds: 1, seconds: 1 });
    expect(readArguments(["--quick", "--rounds", "7"], NAMES).extent.rounds).toBe(7);
  });

  it("accepts names of suites, and lists them for an unknown one", () => {
    expect(readArguments(["--only", "batch,checks"], NAMES).only).toEqual(["batch", "checks"]);
    expect(() => readArguments(["--only", "batches"], NAMES)).toThrow(
      "no suite batches; there are checks, batch",
    );
  });

  it("refuses what is not a number, and to write a quick run into the docs", () => {
    for (const bad of ["0", "-1", "1.5", "many"]) {
      expect(() => readArguments([`--rounds=${bad}`], NAMES)).toThrow("--rounds must be a whole number");
    }
    expect(() => readArguments(["--write", "--quick"], NAMES)).toThrow("leave out --quick");
  });

  it("writes the results of some suites, and those of earlier runs", () => {
    expect(readArguments(["--write", "--only", "batch"], NAMES)).toMatchObject({
      write: true,
      only: ["batch"],
    });
    expect(readArguments(["--record", "a.json,b.json"], NAMES).record).toEqual(["a.json", "b.json"]);
  });

  it("knows each suite by a name of its own", () => {
    const names = suites.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("checks");
  });
});
