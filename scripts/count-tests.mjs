// @ts-check
// Reads vitest's JSON report and prints `N passed, N failed`. Exits with 1 unless all tests ran and passed.
import { readFileSync } from "node:fs";

const file = process.argv[2] ?? "";
/** @typedef {{ status: string, fullName: string, title: string }} Assertion */
/** @type {{ numPassedTests: number, numFailedTests: number, success: boolean, testResults: { name: string, status: string, message: string, assertionResults: Assertion[] }[] }} */
let report;
try {
  report = JSON.parse(readFileSync(file, "utf8"));
} catch (error) {
  console.log(`vitest wrote no report: ${error instanceof Error ? error.message : error}`);
  console.log("0 passed, 1 failed");
  process.exit(1);
}

const tests = report.testResults.flatMap((each) => each.assertionResults);
const skipped = tests.filter(({ status }) => status !== "passed" && status !== "failed");
for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
// A file that could not be loaded has no tests to count, but is a failure.
const broken = report.testResults.filter(
  (each) => each.status === "failed" && each.assertionResults.every(({ status }) => status !== "failed"),
);
for (const { name, message } of broken) console.log(`failed: ${name}: ${message}`);

const passed = tests.filter(({ status }) => status === "passed").length;
const failed = tests.filter(({ status }) => status === "failed").length + broken.length;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = passed > 0 && failed === 0 && skipped.length === 0 && report.success ? 0 : 1;
