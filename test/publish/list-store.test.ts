import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_POLICY, fingerprint, tailOf } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { ListStore, openFile, readList } from "../../src/publish/index.ts";
import { temporaryFolder } from "../support/folders.ts";
import { DOMAIN } from "../support/lists.ts";
import { keyOf } from "../support/memory-edge.ts";

const root = temporaryFolder();
let count = 0;
const folder = (): string => join(root, `state-${count++}`);

function keep(lists: ListStore, ...names: string[]): void {
  const writer = lists.begin(DOMAIN);
  for (const name of names) writer.add(name);
  writer.end();
  writer.keep();
}

const tail = (name: string): number => tailOf(fingerprint(keyOf(DOMAIN).names, name));
const asking = (...names: string[]) => new Map(names.map((name) => [tail(name), "removed"]));

describe("the list store", () => {
  it("is readable by its owner only, even if an earlier run left it open", () => {
    const at = folder();
    mkdirSync(join(at, "lists"), { recursive: true });
    writeFileSync(join(at, "lists", `${DOMAIN}.next`), "");
    chmodSync(join(at, "lists", `${DOMAIN}.next`), 0o666);
    const lists = new ListStore(at);
    keep(lists, "a");
    lists.notePublished(DOMAIN, { url: "https://edge.example", generation: 3, time: 4 });
    for (const kind of ["lists", "published"])
      expect(statSync(join(at, kind, DOMAIN)).mode & 0o777).toBe(0o600);
  });

  it("names the tails that the last list has", async () => {
    const lists = new ListStore(folder());
    expect(await lists.namesOf(DOMAIN, keyOf(DOMAIN), asking("a"))).toEqual(new Map());
    keep(lists, "a", "#b", "c d");
    const names = await lists.namesOf(DOMAIN, keyOf(DOMAIN), asking("#b", "c d", "e"));
    expect([...names.values()]).toEqual(["#b", "c d"]);
    expect(await lists.namesOf(DOMAIN, keyOf(DOMAIN, 2), asking("a"))).toEqual(new Map());
  });

  it("is replaced when a list is published, and only then", () => {
    const at = folder();
    const lists = new ListStore(at);
    keep(lists, "a");
    const refused = lists.begin(DOMAIN);
    refused.add("b");
    refused.discard();
    const path = join(at, "lists", DOMAIN);
    expect(readFileSync(path, "utf8")).toBe("a\n");
    expect(existsSync(`${path}.next`)).toBe(false);
    keep(lists, ...Array.from({ length: 20_000 }, (_, i) => `name-${i}`));
    expect(readFileSync(path, "utf8").trim().split("\n")).toHaveLength(20_000);
  });

  it("names entries of the list just read by position, repeated ones once", async () => {
    const lists = new ListStore(folder());
    const path = join(root, "list.txt");
    writeFileSync(
      path,
      ["a", "b", "nope@", "b", "c d", "a", "e"].map((name) => `"${name}"@${DOMAIN}\n`).join(""),
    );
    const writer = lists.begin(DOMAIN);
    const list = await readList({
      source: openFile({ path, shown: "list.txt" }),
      domain: DOMAIN,
      key: keyOf(DOMAIN),
      policy: DEFAULT_POLICY,
      hashing: stablelibHashing,
      eachName: (name) => writer.add(name),
    });
    writer.end();
    const places = list.placesOf(new Set(["e", "b", "c d", "gone"].map(tail)));
    expect(await writer.namesAt(places)).toEqual(["b", "c d", "e"]);
    expect(await writer.namesAt([])).toEqual([]);
    expect(await writer.namesAt([0, 99])).toEqual(["a"]);
    writer.discard();
  });

  it("remembers when a list was found to be the head", () => {
    const at = folder();
    const lists = new ListStore(at);
    expect(lists.published(DOMAIN)).toBeNull();
    const published = { url: "https://edge.example", generation: 3, time: 4 };
    lists.notePublished(DOMAIN, published);
    expect(lists.published(DOMAIN)).toEqual(published);
    writeFileSync(join(at, "published", DOMAIN), "{");
    expect(lists.published(DOMAIN)).toBeNull();
  });
});
