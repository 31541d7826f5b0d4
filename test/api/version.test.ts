import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { VERSION } from "../../src/api/index.ts";

it("the release says the same version everywhere", () => {
  const read = (name: string): { version: string } =>
    JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")) as { version: string };
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
  expect(VERSION).toBe(read("package.json").version);
  expect(VERSION).toBe(read("package-lock.json").version);
});
