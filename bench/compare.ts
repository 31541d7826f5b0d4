/**
 * Compares two runs of the benchmark, and ends with 1 if a figure became worse by more than its spread.
 *
 *   npm run bench -- --json before.json        in each of the two trees, on one machine within an hour
 *   npm run bench:compare -- before.json after.json
 */
import { readFileSync } from "node:fs";
import { compare, comparisonOf } from "./report/comparison.ts";
import { fromJson } from "./report/results.ts";

const files = process.argv.slice(2);
if (files.length !== 2) throw new Error("usage: npm run bench:compare -- before.json after.json");
const [before, after] = files.map((file) => fromJson(readFileSync(file, "utf8")).measurements);
if (before !== undefined && after !== undefined) {
  console.log(comparisonOf(before, after));
  if (compare(before, after).some(({ isWorse }) => isWorse)) process.exitCode = 1;
}
