import { describe, expect, it } from "vitest";
import { readSources } from "../source.ts";

/*
 * Each table of the Registry is written by the files of one folder. Who wants a row of another folder changed calls it, so that the
 * rules of a table stand in one place.
 */

/** Tables that two folders still write: KV's columns stand in the rows of heads and blobs. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  blobs: ["blobs", "kv"],
  heads: ["generations", "kv"],
};

/** Creates the tables, and its triggers write some. */
const SCHEMA = "src/registry/storage/schema.ts";

const WRITES = [
  /\b(?:INSERT(?: OR [A-Z]+)? INTO|UPDATE|DELETE FROM)\s+([a-z_]+)/g,
  /\b(?:insert|replace)\(\s*[\w.#]+,\s*"([a-z_]+)"/g,
];

/** For each table, the folders whose files write it. */
function writersOf(sources: readonly { readonly path: string; readonly text: string }[]) {
  const writers = new Map<string, Set<string>>();
  for (const { path, text } of sources) {
    if (path === SCHEMA) continue;
    const folder = path.split("/")[2] as string;
    for (const [, table] of WRITES.flatMap((pattern) => [...text.matchAll(pattern)])) {
      writers.set(table as string, (writers.get(table as string) ?? new Set()).add(folder));
    }
  }
  return Object.fromEntries([...writers].map(([table, folders]) => [table, [...folders].sort()]));
}

describe("a table of the Registry", () => {
  const sources = readSources("src/registry");
  const tables = [
    ...(sources.find(({ path }) => path === SCHEMA)?.text ?? "").matchAll(
      /CREATE TABLE(?: IF NOT EXISTS)? ([a-z_]+)/g,
    ),
  ].map(([, table]) => table as string);

  it("is written by one folder", () => {
    const writers = writersOf(sources);
    expect(Object.keys(writers).sort()).toEqual([...tables].sort());
    const shared = Object.entries(writers).filter(([, folders]) => folders.length > 1);
    expect(Object.fromEntries(shared)).toEqual(SHARED);
  });

  it.each([
    ["an insert", `storage.sql("INSERT OR REPLACE INTO heads (domain) VALUES (?)")`],
    ["an update over lines", "storage.sql(`UPDATE\n  heads SET number = 1`)"],
    ["a delete", `storage.sql("DELETE FROM heads")`],
    ["a helper", `insert(this.#storage, "heads", { domain })`],
    ["a helper over lines", `replace(\n  storage,\n  "heads", { domain })`],
  ])("notices %s", (_, text) => {
    expect(writersOf([{ path: "src/registry/log/x.ts", text }])).toEqual({ heads: ["log"] });
  });
});
