/* The table of routes is in src/api, their handlers in the edge. */
import { expect, it } from "vitest";
import { EVERY_ROUTE, ROUTES } from "../../src/api/index.ts";
import { HANDLERS } from "../../src/edge/routes/table.ts";

it("no route lacks a handler, and no handler is without a route", () => {
  expect(Object.keys(HANDLERS).sort()).toEqual(Object.keys(ROUTES).sort());
  for (const handler of Object.values(HANDLERS)) expect(handler).toBeTypeOf("function");
});

it("no two routes have one method and path", () => {
  const names = EVERY_ROUTE.map(({ method, path }) => `${method} ${path}`);
  expect(names.length).toBeGreaterThan(20);
  expect(new Set(names).size).toBe(names.length);
});

it("every parameter of a path has a schema, and every domain in a path bounds the token", () => {
  for (const { path, params = {}, bound } of EVERY_ROUTE) {
    expect([path, Object.keys(params)]).toEqual([path, (path.match(/:\w+/g) ?? []).map((it) => it.slice(1))]);
    expect([path, bound === "path"]).toEqual([path, "domain" in params]);
  }
});
