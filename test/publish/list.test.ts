import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import {
  MAX_REPORTED,
  memorySource,
  openFile,
  PublishError,
  type ReadList,
  readList,
} from "../../src/publish/index.ts";
import { combineSources } from "../../src/publish/sources/combine.ts";
import { policyWith } from "../directory/helpers.ts";
import { temporaryFolder } from "../support/folders.ts";
import { active, DOMAIN, packed } from "../support/lists.ts";
import { keyOf } from "../support/memory-edge.ts";

const folder = temporaryFolder();

/** Reads a list of example.com from a file. */
function reading(
  text: string,
  more: Partial<Parameters<typeof readList>[0]> = {},
  name = "l.txt",
): Promise<ReadList> {
  const path = join(folder, name);
  writeFileSync(path, text);
  const key = keyOf(DOMAIN);
  return readList({
    source: openFile({ path, shown: name }),
    domain: DOMAIN,
    key,
    policy: policyWith(),
    hashing: stablelibHashing,
    ...more,
  });
}

async function refusal(promise: Promise<unknown>): Promise<PublishError> {
  const error: unknown = await promise.then(
    () => expect.fail("nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PublishError);
  return error as PublishError;
}

describe("a list that is read from a file", () => {
  it("is packed by canonical names", async () => {
    const seen: string[] = [];
    const { packed: list, duplicates } = await reading('JOHN@Example.COM\n"jane"@example.com.\n', {
      eachName: (name) => seen.push(name),
    });
    expect(seen).toEqual(["john", "jane"]);
    expect(list.table).toEqual(packed(active("john", "jane")).table);
    expect(duplicates.count).toBe(0);
  });

  it("is CSV if its name ends in .csv", async () => {
    const { packed: list } = await reading("address,state\na@example.com,full\n", {}, "L.CSV");
    expect(list.counts).toEqual({ active: 0, disabled: 0, full: 1, moved: 0 });
  });

  it("may come from several sources: a state that accepts wins, and the difference is reported", async () => {
    const list = await reading("", {
      source: combineSources([
        memorySource("staff", [
          ["ann@example.com", "disabled"],
          ["bob@example.com", "moved"],
          "eve@example.com",
        ]),
        memorySource("rooms", ["Ann@example.com", ["bob@example.com", "disabled"], "eve@example.com"]),
      ]),
    });
    expect(list.packed.counts).toEqual({ active: 2, disabled: 0, full: 0, moved: 1 });
    expect(list.conflicts).toMatchObject({
      count: 2,
      first: [
        "rooms:1: same name as staff:1, but in another state",
        "rooms:2: same name as staff:2, but in another state",
      ],
    });
    expect(list.duplicates.first).toEqual(["rooms:3: same name as staff:3"]);
  });

  it("that contradicts itself is refused, also as one of several sources", async () => {
    const error = await refusal(
      reading("", {
        source: combineSources([
          memorySource("staff", ["ann@example.com"]),
          memorySource("rooms", ["bob@example.com", ["bob@example.com", "full"]]),
        ]),
      }),
    );
    expect(error.details).toEqual(["rooms:2: same name as line 1, but in another state"]);
  });

  it("may contain unusual names of real mailboxes", async () => {
    const odd = 'john..doe@example.com\n.x.@example.com\njörg@example.com\n"a b"@example.com\n';
    expect((await reading(odd)).packed.counts.active).toBe(4);
  });

  it("is refused with file, line and reason of each malformed line", async () => {
    const text = `# head
ok@example.com
nothing
a@example.org
@example.com
a b@example.com
a@b@example.com
a@[192.0.2.1]
postmaster
John Doe <john@example.com>
`;
    const error = await refusal(reading(text));
    expect(error).toMatchObject({
      fault: "input",
      message: "l.txt: 8 lines cannot be used; nothing was published",
    });
    expect(error.details).toEqual([
      "l.txt:3: no domain",
      "l.txt:4: an address of example.org, not of example.com",
      "l.txt:5: a catch-all: set catchall = true in the table of the domain, or remove the line; then only listed names are accepted",
      "l.txt:6: the local part has characters that need quotes",
      "l.txt:7: the local part has characters that need quotes",
      "l.txt:8: an address literal, which no list can contain",
      "l.txt:9: no domain",
      "l.txt:10: no valid domain after the @",
    ]);
  });

  it("may contain the catch-all that the policy has", async () => {
    const { packed: list } = await reading("@example.com\na@example.com\n", {
      policy: policyWith({ catchall: true }),
    });
    expect(list.counts.active).toBe(1);
    const error = await refusal(reading('""@example.com\n', { policy: policyWith({ catchall: true }) }));
    expect(error.details).toEqual(["l.txt:1: no local part before the @"]);
  });

  it("reports the first malformed lines and counts the rest", async () => {
    const { details } = await refusal(reading("bad\n".repeat(MAX_REPORTED + 5)));
    expect(details).toHaveLength(MAX_REPORTED + 1);
    expect(details.at(-1)).toBe("and 5 more");
  });

  it("is read without its malformed lines with skipInvalid", async () => {
    const { packed: list, skipped } = await reading("a@example.com\nbad\n", { skipInvalid: true });
    expect(list.table).toEqual(packed(active("a")).table);
    expect(skipped).toMatchObject({ count: 1, first: ["l.txt:2: no domain"] });
  });

  it("reports duplicates, which are harmless", async () => {
    const { packed: list, duplicates } = await reading("a@example.com\nb@example.com\nA@example.com\n");
    expect(list.table).toEqual(packed(active("a", "b")).table);
    expect(duplicates).toMatchObject({ count: 1, first: ["l.txt:3: same name as line 1"] });
  });

  it("may not have a name in two states", async () => {
    const text = "address,state\na@example.com,full\nb@example.com,\nA@example.com,\n";
    const { details } = await refusal(reading(text, {}, "l.csv"));
    expect(details).toEqual(["l.csv:4: same name as line 2, but in another state"]);
    const { packed: list } = await reading(text, { skipInvalid: true }, "l.csv");
    expect(list.counts).toMatchObject({ active: 1, full: 1 });
  });

  it("follows the policy of its domain", async () => {
    const text = "j.ohn@example.com\nJOHN@example.com\n";
    const count = async (policy: Parameters<typeof policyWith>[0]): Promise<number> =>
      (await reading(text, { policy: policyWith(policy) })).packed.counts.active;
    expect(await count({})).toBe(2);
    expect(await count({ dots: "ignored" })).toBe(1);
    expect(await count({ dots: "ignored", case: "sensitive" })).toBe(2);
    const { details } = await refusal(
      reading("...@example.com\n", { policy: policyWith({ dots: "ignored" }) }),
    );
    expect(details).toEqual(["l.txt:1: the local part is empty without its dots"]);
  });

  it.each(["missing.txt", "."])("that cannot be read is reported (%s)", async (name) => {
    const error = await refusal(
      readList({
        source: openFile({ path: join(folder, name), shown: name }),
        domain: DOMAIN,
        key: keyOf(DOMAIN),
        policy: policyWith(),
        hashing: stablelibHashing,
      }),
    );
    expect(error).toMatchObject({
      fault: "input",
      message: expect.stringMatching(/cannot be read: E(NOENT|ISDIR)/),
    });
  });
});
