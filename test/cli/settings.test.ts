import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CliError } from "../../src/cli/exit.ts";
import { readSettings, type Settings } from "../../src/cli/settings.ts";
import { fileList } from "../../src/publish/index.ts";
import { temporaryFolder } from "../support/folders.ts";
import { WRONG_SETTINGS } from "./support/wrong-settings.ts";

const folder = temporaryFolder();

function read(text: string): Settings {
  const path = join(folder, "rollcall.toml");
  writeFileSync(path, text);
  return readSettings(path, "rollcall.toml") as Settings;
}

function faultsOf(text: string): readonly string[] {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(CliError);
    expect(error).toMatchObject({ exit: 3, hint: expect.any(String) });
    return (error as CliError).details;
  }
  return expect.fail("nothing was thrown");
}

describe("rollcall.toml", () => {
  it("names domains, their lists and their settings", () => {
    const settings = read(`
[defaults]
mode = "observe"
grace = 60
[domains."Example.COM"]
list = "lists/a.csv"
guard = 0.5
canaries = ["postmaster@example.com"]
[domains."bücher.example"]
list = "/var/b.txt"
mode = "enforce"
text = ""
[domains.alias_example]
alias = "example.com"
`);
    expect(settings).toMatchObject({ file: "rollcall.toml", directory: folder, keepLists: true });
    expect(settings.domains).toEqual([
      {
        domain: "example.com",
        sources: [fileList("lists/a.csv")],
        mode: "observe",
        policy: { grace: 60, guard: 0.5 },
        canaries: ["postmaster@example.com"],
        mustNotAppear: [],
      },
      {
        domain: "xn--bcher-kva.example",
        sources: [fileList("/var/b.txt")],
        mode: "enforce",
        policy: { grace: 60, text: null },
        canaries: [],
        mustNotAppear: [],
      },
      {
        domain: "alias_example",
        sources: [],
        mode: "observe",
        policy: { grace: 60, alias: "example.com" },
        canaries: [],
        mustNotAppear: [],
      },
    ]);
  });

  it("names sources, of which a domain may have several and several domains one", () => {
    const { domains } = read(`
[sources.staff]
kind = "file"
path = "staff.csv"
columns = { address = "mail", state = "locked" }
states = { no = "active", yes = "disabled" }
other_domains = "skip"
[sources.rooms]
kind = "file"
path = "rooms.txt"
[domains."a.example"]
sources = ["staff", "rooms"]
[domains."b.example"]
sources = ["staff"]
`);
    const staff = {
      shown: "source staff",
      settings: {
        kind: "file",
        path: "staff.csv",
        columns: { address: "mail", state: "locked" },
        states: { no: "active", yes: "disabled" },
        other_domains: "skip",
      },
    };
    const rooms = {
      shown: "source rooms",
      settings: { kind: "file", path: "rooms.txt", other_domains: "refuse" },
    };
    expect(domains.map(({ sources }) => sources)).toEqual([[staff, rooms], [staff]]);
  });

  it("may be empty or missing", () => {
    expect(read("").domains).toEqual([]);
    expect(read("keep_lists = false").keepLists).toBe(false);
    expect(readSettings(join(folder, "none.toml"), "none.toml")).toBeNull();
  });

  it.each(WRONG_SETTINGS)(
    "reports an error in %s with file, line and what is expected",
    (_, text, expected) => {
      expect(faultsOf(text)).toEqual([expect.stringContaining(expected)]);
    },
  );

  it("reports all errors at once", () => {
    expect(faultsOf("[defaults]\nmode = 'x'\ngrace = 1.5\ncase = 'both'\n")).toHaveLength(3);
  });
});
