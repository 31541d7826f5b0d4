import { appendFileSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { combineSources } from "../../src/publish/sources/combine.ts";
import { csvReader, readCsv } from "../../src/publish/sources/csv.ts";
import { memorySource, openFile, placeOf } from "../../src/publish/sources/index.ts";
import { settingsByKind } from "../../src/publish/sources/kinds.ts";
import { MAX_LINE } from "../../src/publish/sources/lines.ts";
import { onlyOf } from "../../src/publish/sources/other-domains.ts";
import type { ParseList } from "../../src/publish/sources/source.ts";
import { stateWords } from "../../src/publish/sources/states.ts";
import { readText } from "../../src/publish/sources/text.ts";
import { temporaryFolder } from "../support/folders.ts";

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What a source reads, a line each: `LINE address state` or `LINE ! reason`. */
async function linesOf(read: ParseList, content: string | Uint8Array, size = 7): Promise<string[]> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const seen: string[] = [];
  await read(inChunks(bytes, size), {
    entry: (line, address, state) => seen.push(`${line} ${address} ${state}`),
    fault: (line, reason) => seen.push(`${line} ! ${reason}`),
  });
  return seen;
}

describe("a list with one address per line", () => {
  it.each<[string, string, string[]]>([
    ["nothing", "", []],
    ["one line without an end", "a@x", ["1 a@x active"]],
    ["ends of lines of either kind", "a@x\r\nb@x\nc@x\n", ["1 a@x active", "2 b@x active", "3 c@x active"]],
    ["empty lines and blanks", "\n  a@x \t\n \r\n", ["2 a@x active"]],
    ["comments", "# all\na@x # John\n  # more\nb@x\t#", ["2 a@x active", "4 b@x active"]],
    ["a # that is part of an address", 'a#b@x\n"a #b"@x\n', ["1 a#b@x active", '2 "a #b"@x active']],
    ["a quoted name and a comment", '"a \\" #b"@x # c\n', ['1 "a \\" #b"@x active']],
    ["a byte order mark", "\ufeffa@x\n", ["1 a@x active"]],
    ["other scripts", "jörg@bücher.example\n", ["1 jörg@bücher.example active"]],
  ])("may have %s", async (_, text, expected) => {
    expect(await linesOf(readText, text)).toEqual(expected);
  });

  it("reads the same in chunks of any size", async () => {
    const text = "# list\nfirst@x\r\njörg@x # ö\n\nlast@x";
    const whole = await linesOf(readText, text, 1000);
    for (let size = 1; size < 12; size++) expect(await linesOf(readText, text, size)).toEqual(whole);
  });

  it.each([1000, 100_000])("reports an overlong line and reads the next one (chunks of %i)", async (size) => {
    const text = `${"a".repeat(MAX_LINE + 1)}\nb@x\n${"c".repeat(10 * MAX_LINE)}`;
    const overlong = `! longer than ${MAX_LINE} octets`;
    expect(await linesOf(readText, text, size)).toEqual([`1 ${overlong}`, "2 b@x active", `3 ${overlong}`]);
  });

  it("reports a line that is not UTF-8, says how to convert it, and reads the others", async () => {
    const latin1 = Buffer.from("first@x\njörg@x\nlast@x\n", "latin1");
    for (const size of [1, 7, 1000]) {
      expect(await linesOf(readText, latin1, size)).toEqual([
        "1 first@x active",
        "2 ! not UTF-8: convert the file, such as with `iconv -f ISO-8859-1 -t UTF-8`",
        "3 last@x active",
      ]);
    }
  });

  it.each(["utf16le", "utf16be"] as const)("may be %s with a byte order mark", async (encoding) => {
    const bytes = Buffer.from("\ufeffa@x\r\njörg@bücher.example\n😀@x\n", "utf16le");
    if (encoding === "utf16be") bytes.swap16();
    for (const size of [1, 3, 1000]) {
      expect(await linesOf(readText, bytes, size)).toEqual([
        "1 a@x active",
        "2 jörg@bücher.example active",
        "3 😀@x active",
      ]);
    }
  });

  it("reports UTF-16 without a byte order mark", async () => {
    const lines = await linesOf(readText, Buffer.from("a@x\nb@x\n", "utf16le"));
    expect(lines.slice(0, 2)).toEqual([
      expect.stringMatching(/^1 ! has NUL octets: save the file as UTF-8/),
      expect.stringMatching(/^2 ! has NUL octets/),
    ]);
  });

  it("accepts any bytes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 50 }),
        async (bytes, size) => {
          const lines = await linesOf(readText, bytes, size);
          expect(lines.length).toBeLessThanOrEqual(bytes.filter((byte) => byte === 10).length + 1);
        },
      ),
    );
  });
});

describe("a list in CSV", () => {
  it.each<[string, string, string[]]>([
    ["addresses alone", "address\r\na@x\r\nb@x\r\n", ["2 a@x active", "3 b@x active"]],
    [
      "states",
      "address,state\na@x,disabled\nb@x,\nc@x,Moved\n",
      ["2 a@x disabled", "3 b@x active", "4 c@x moved"],
    ],
    ["columns the other way round", "state,address\nfull,a@x\n", ["2 a@x full"]],
    ["a header in quotes and capitals", '"Address","State"\na@x,full\n', ["2 a@x full"]],
    ["quoted fields", 'address,state\n"a@x","disabled"\n', ["2 a@x disabled"]],
    ["doubled quotes", 'address\n"""a, b""@x"\n', ['2 "a, b"@x active']],
    ["empty lines", "address\n\na@x\n\n", ["3 a@x active"]],
    ["a byte order mark", "\ufeffaddress\na@x\n", ["2 a@x active"]],
    ["no records", "address,state\n", []],
  ])("may have %s", async (_, text, expected) => {
    expect(await linesOf(readCsv, text)).toEqual(expected);
  });

  it.each<[string, string, string[]]>([
    [
      "an unknown state",
      "address,state\na@x,off\nb@x\n",
      [
        '2 ! unknown state "off": use one of active, disabled, full, moved',
        "3 ! 1 fields, but the header has 2",
      ],
    ],
    ["too many fields", "address\na@x,b\n", ["2 ! 2 fields, but the header has 1"]],
    ["no address", "address,state\n,full\n", ["2 ! the address is empty"]],
    ["a quote left open", 'address\n"a@x\nb@x\n', ["2 ! unclosed quote", "3 b@x active"]],
    [
      "a quote within a field",
      'address\na"b"@x\nb@x\n',
      [
        "2 ! quote inside an unquoted field: quote the whole field and double the quotes inside it",
        "3 b@x active",
      ],
    ],
  ])("reports the line of %s and continues", async (_, text, expected) => {
    expect(await linesOf(readCsv, text)).toEqual(expected);
  });

  it.each<[string, string, RegExp]>([
    ["nothing", "", /^1 ! the first line must be the header/],
    ["no header", "a@x\nb@x\n", /^1 ! the first line must be the header/],
    ["a column that nobody understands", "address,enabled\na@x,no\n", /^1 ! unknown column "enabled"/],
    ["a column twice", "address,address\na@x,b@x\n", /^1 ! the header names a column twice/],
    ["a header with an open quote", '"address\na@x\n', /^1 ! unclosed quote/],
  ])("with %s is refused as a whole, in one line", async (_, text, expected) => {
    expect(await linesOf(readCsv, text)).toEqual([expect.stringMatching(expected)]);
  });
});

describe("CSV with columns of other names", () => {
  const named = (state: string | null, words?: Record<string, "active" | "disabled">) =>
    csvReader({ address: "Mail", state }, words === undefined ? undefined : stateWords(words));

  it("reads those columns and ignores the others", async () => {
    const text = "id,mail,locked\n1,a@x,no\n2,b@x,YES\n3,c@x,\n";
    expect(await linesOf(named("locked", { no: "active", yes: "disabled" }), text)).toEqual([
      "2 a@x active",
      "3 b@x disabled",
      "4 c@x active",
    ]);
    expect(await linesOf(named(null), text)).toEqual(["2 a@x active", "3 b@x active", "4 c@x active"]);
  });

  it("reports a word that has no meaning", async () => {
    expect(await linesOf(named("locked", { no: "active" }), "mail,locked\na@x,maybe\n")).toEqual([
      '2 ! unknown state "maybe": add it to `states` of the source',
    ]);
  });

  it.each<[string, string]>([
    ["id,locked\n1,no\n", "1 ! the first line must be a header with Mail and locked, as `columns` says"],
    ["id,mail\n1,a@x\n", "1 ! the first line must be a header with Mail and locked, as `columns` says"],
    ["mail,locked,MAIL\na@x,no,b@x\n", "1 ! the header names a column twice"],
  ])("without these columns is refused as a whole: %j", async (text, expected) => {
    expect(await linesOf(named("locked"), text)).toEqual([expected]);
  });
});

describe("a source", () => {
  const folder = temporaryFolder();

  /** Reads a source to its end; `stopAt` aborts it at that entry. */
  async function entriesOf(source: ReturnType<typeof openFile>, stopAt = 0) {
    const abort = new AbortController();
    const entries: string[] = [];
    const shares: number[] = [];
    await source.read(
      {
        entry: (line, address, state) => {
          entries.push(`${line} ${address} ${state}`);
          if (line === stopAt) abort.abort(new Error("stopped"));
        },
        fault: (line, reason) => entries.push(`${line} ! ${reason}`),
        progress: (done) => shares.push(done),
      },
      abort.signal,
    );
    return { entries, shares };
  }

  it("is CSV or text by the name of the file, and reports its share", async () => {
    for (const [name, text] of [
      ["l.CSV", "address\na@x\n"],
      ["l.txt", "# no header\na@x\n"],
    ] as const) {
      writeFileSync(join(folder, name), text);
      const source = openFile({ path: join(folder, name), shown: `shown/${name}` });
      expect(source.describe()).toBe(`shown/${name}`);
      expect(await entriesOf(source)).toEqual({ entries: ["2 a@x active"], shares: [1] });
    }
  });

  it("may be packed with gzip, whatever its name", async () => {
    for (const name of ["l.csv.gz", "m.csv"]) {
      writeFileSync(join(folder, name), gzipSync("address,state\na@x,full\n"));
      const { entries, shares } = await entriesOf(openFile({ path: join(folder, name), shown: name }));
      expect(entries).toEqual(["2 a@x full"]);
      expect(shares.at(-1)).toBe(1);
    }
  });

  it.each([
    ["cut off", (bytes: Buffer) => bytes.subarray(0, -12)],
    [
      "damaged",
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 60), Buffer.alloc(40), bytes.subarray(100)]),
    ],
  ])("that is packed and %s is refused", async (_, damage) => {
    const path = join(folder, "damaged.gz");
    const text = Array.from({ length: 20_000 }, (_, i) => `user${i * 7919}@x\n`).join("");
    writeFileSync(path, damage(gzipSync(text)));
    await expect(entriesOf(openFile({ path, shown: "damaged.gz" }))).rejects.toThrow(
      /^damaged\.gz is damaged gzip: /,
    );
  });

  it("that is packed and has something else behind it is refused", async () => {
    const path = join(folder, "behind.gz");
    // As after a crash of the host: the end of the file is NULs, or lies behind them.
    for (const behind of [Buffer.alloc(512), Buffer.concat([Buffer.alloc(8), gzipSync("b@x\n")])]) {
      writeFileSync(path, Buffer.concat([gzipSync("a@x\n"), behind]));
      await expect(entriesOf(openFile({ path, shown: "behind.gz" }))).rejects.toThrow(
        "behind.gz is damaged gzip: other data follows its end",
      );
    }
    writeFileSync(path, Buffer.concat([gzipSync("a@x\n"), gzipSync("b@x\n")]));
    expect((await entriesOf(openFile({ path, shown: "behind.gz" }))).entries).toEqual([
      "1 a@x active",
      "2 b@x active",
    ]);
  });

  it.each<[string, (path: string) => void]>([
    ["appended to", (path) => appendFileSync(path, "last@x\n")],
    ["cut and written again", (path) => writeFileSync(path, "user@x\n")],
  ])("that is %s while it is read is refused", async (_, change) => {
    const path = join(folder, "growing.txt");
    writeFileSync(path, "user@x\n".repeat(200_000));
    // A clock tick that tells the two states of the file apart.
    utimesSync(path, new Date(0), new Date(0));
    let seen = 0;
    const reading = openFile({ path, shown: "growing.txt" }).read(
      {
        entry() {
          if (++seen === 1) change(path);
        },
        fault: () => undefined,
      },
      new AbortController().signal,
    );
    await expect(reading).rejects.toThrow("growing.txt was written to while it was read");
  });

  it("may be replaced while it is read: the old one is read to its end", async () => {
    const path = join(folder, "replaced.txt");
    writeFileSync(path, "user@x\n".repeat(200_000));
    let seen = 0;
    await openFile({ path, shown: "replaced.txt" }).read(
      {
        entry() {
          if (++seen > 1) return;
          writeFileSync(`${path}.new`, "user@x\n");
          renameSync(`${path}.new`, path);
        },
        fault: () => undefined,
      },
      new AbortController().signal,
    );
    expect(seen).toBe(200_000);
  });

  it("may consist of several, whose lines keep their places", async () => {
    const source = combineSources([
      memorySource("first", ["a@x", "b@x"]),
      memorySource("second", []),
      memorySource("third", [["c@x", "full"], "d@x"]),
    ]);
    expect(source.describe()).toBe("first + second + third");
    expect((await entriesOf(source)).entries).toEqual([
      "1 a@x active",
      "2 b@x active",
      "3 c@x full",
      "4 d@x active",
    ]);
    expect([1, 2, 3, 4].map((line) => placeOf(source, line))).toEqual([
      "first:1",
      "first:2",
      "third:1",
      "third:2",
    ]);
  });

  it("that lists several domains can be limited to one", async () => {
    const rows = [
      "a@one.example",
      "b@TWO.example",
      "c@two.example",
      "no address",
      "d@bad..example",
      "e@xn--bcher-kva.example",
    ];
    const seen = async (domain: string) =>
      (await entriesOf(onlyOf(memorySource("all", rows), domain))).entries.map(
        (entry) => entry.split(" ")[1],
      );
    expect(await seen("two.example")).toEqual(["b@TWO.example", "c@two.example", "no", "d@bad..example"]);
    expect(await seen("one.example")).toEqual(["a@one.example", "no", "d@bad..example"]);
  });

  it("that lists several domains keeps a field with several addresses, which is a fault", async () => {
    const rows = ["a@one.example,b@two.example", "a@one.example b@two.example", '"a@b"@two.example'];
    const { entries } = await entriesOf(onlyOf(memorySource("all", rows), "one.example"));
    expect(entries).toEqual(["1 a@one.example,b@two.example active", "2 a@one.example b@two.example active"]);
  });

  it("may be a list in memory", async () => {
    const source = memorySource("mine", ["a@x", ["b@x", "full"]]);
    expect(source.describe()).toBe("mine");
    expect((await entriesOf(source)).entries).toEqual(["1 a@x active", "2 b@x full"]);
  });

  it("stops when it is aborted, without reading the rest", async () => {
    const path = join(folder, "large.txt");
    writeFileSync(path, "user@x\n".repeat(500_000));
    for (const source of [openFile({ path, shown: path }), memorySource("mine", ["a@x", "b@x", "c@x"])]) {
      await expect(entriesOf(source, 2)).rejects.toThrow(/abort|stopped/);
    }
    await expect(
      openFile({ path, shown: path }).read(
        { entry: () => expect.fail("an entry"), fault: () => undefined },
        AbortSignal.abort(),
      ),
    ).rejects.toThrow(/abort/);
  });
});

it("every kind of source has a section in docs/sources.md that names its settings", () => {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "sources.md"), "utf8");
  for (const [name, settings] of Object.entries(settingsByKind())) {
    const section =
      page.split(/^### /m).find((text) => text.split("\n", 1)[0]?.includes(`\`${name}\``)) ?? "";
    for (const setting of settings) expect(section).toContain(`\`${setting}\``);
  }
});
