import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command, Option } from "commander";
import { describe, expect, it } from "vitest";
import { Cli } from "../../src/cli/context.ts";
import type { Platform } from "../../src/cli/platform.ts";
import { programOf } from "../../src/cli/program.ts";
import { rollcall } from "../support/fake-platform.ts";
import { ROOT, temporaryFolder } from "../support/processes.ts";

/* One vocabulary of options, read from the program's own tables. */

interface Named {
  /** With the commands above it: `token create`. */
  readonly name: string;
  readonly command: Command;
}

const program = programOf(new Cli({ env: {}, root: "/nonexistent" } as Platform, false));

function commandsOf(command: Command, name = ""): Named[] {
  const inner = command.commands.flatMap((each) => commandsOf(each, `${name} ${each.name()}`.trim()));
  return [{ name, command }, ...inner];
}

const COMMANDS = commandsOf(program);
const OPTIONS = COMMANDS.flatMap(({ name, command }) =>
  command.options.map((option) => ({ name, option, command })),
);
const byFlag = new Map<string, typeof OPTIONS>();
for (const each of OPTIONS) {
  const flag = each.option.long ?? "";
  byFlag.set(flag, [...(byFlag.get(flag) ?? []), each]);
}

/** What an option takes, such as `<time>`; empty for a switch. */
const takenBy = ({ flags }: Option): string => /[<[].*/.exec(flags)?.[0] ?? "";

/** Every word for a value. */
const VALUES = new Set(
  "action address bytes cidr count domain file folder generation id level lines mode number port role state text time url"
    .split(" ")
    .map((word) => `<${word}>`),
);

/** Options that say the same in every command that has them. */
const SAME = [
  "json",
  "url",
  "token-file",
  "config",
  "ca-file",
  "state",
  "yes",
  "force",
  "observe",
  "defer",
  "enforce",
];

describe("the options of all commands", () => {
  it("mean the same wherever they have the same name", () => {
    for (const [flag, uses] of byFlag) {
      const kinds = new Set(uses.map(({ option }) => `${takenBy(option)} ${option.negate}`));
      expect([flag, uses.map(({ name }) => name), [...kinds]]).toEqual([
        flag,
        expect.anything(),
        [expect.any(String)],
      ]);
    }
    for (const flag of SAME) {
      const uses = (byFlag.get(`--${flag}`) ?? []).filter(({ name }) => name !== "dev");
      expect([flag, new Set(uses.map(({ option }) => option.description)).size]).toEqual([flag, 1]);
    }
  });

  it("have one word for each kind of value, and no hidden name", () => {
    for (const { name, option } of OPTIONS) {
      const value = takenBy(option);
      expect([name, option.flags, value === "" || VALUES.has(value)]).toEqual([name, option.flags, true]);
      expect([name, option.flags, option.hidden]).toEqual([name, option.flags, false]);
      expect(option.long).toMatch(/^--[a-z]+(?:-[a-z]+)*$/);
    }
  });

  it("that are times take a unit", () => {
    const times = OPTIONS.filter(({ option }) => takenBy(option) === "<time>");
    expect(times.map(({ option }) => option.long).sort()).toEqual(
      expect.arrayContaining([
        "--accept-grace",
        "--expires",
        "--grace",
        "--interval",
        "--max-age",
        "--timeout",
      ]),
    );
    for (const { name, option } of times) {
      const read = (text: string): unknown => option.parseArg?.(text, undefined);
      expect([name, option.flags, typeof read("2s")]).toEqual([name, option.flags, "number"]);
      expect(() => read("soon")).toThrow(/\d|time|number/);
    }
    for (const { option } of OPTIONS) {
      if (takenBy(option) !== "<time>") expect(option.description).not.toMatch(/\b(?:seconds|minutes)\b/);
    }
  });

  it("to reach the edge are those of every command that does", () => {
    const OFFLINE = new Set(["", "init", "dev", "export", "opensmtpd-table", "key new", "replica forget"]);
    for (const { name, command } of COMMANDS) {
      if (command.commands.length > 0 && name !== "") continue;
      const flags = new Set(command.options.map(({ long }) => long));
      expect([name, flags.has("--json")]).toEqual([name, true]);
      for (const flag of ["--url", "--token-file", "--config", "--ca-file"]) {
        if (OFFLINE.has(name)) {
          if (flag !== "--config") expect([name, flag, flags.has(flag)]).toEqual([name, flag, false]);
        } else expect([name, flag, flags.has(flag)]).toEqual([name, flag, true]);
      }
    }
  });

  it("that are wrong end every command with 2", async () => {
    const cwd = temporaryFolder();
    for (const { name } of COMMANDS) {
      const args = [...name.split(" ").filter((word) => word !== ""), "--no-such-option"];
      const { code, stdout, stderr } = await rollcall(args, { cwd });
      expect([name, code, stdout]).toEqual([name, 2, ""]);
      expect(stderr).toContain(`(${["rollcall", ...args.slice(0, -1)].join(" ")} --help shows`);
    }
  });
});

/** Texts with commands to paste, and the texts of the program itself. */
function texts(): [string, string][] {
  const files = ["docs", "packaging", "examples", "integrations", "src"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => !/node_modules|\/(?:reference|npm)\//.test(path))
      .filter((path) =>
        /\.(?:md|toml|cf|conf|yml|service|sh|lua|ini|ts|mjs|macros|acl|router|m4)$|postinst$/.test(path),
      )
      .map((path) => join(folder, path)),
  );
  return ["README.md", "SECURITY.md", ...files].map((file) => [file, readFileSync(join(ROOT, file), "utf8")]);
}

/** What a text says to run: `rollcall`, the words of the command and its options. */
function* pasted(text: string): Generator<{ readonly said: string; readonly words: readonly string[] }> {
  // A line that ends with a backslash goes on.
  for (const [said] of text
    .replaceAll(/\\\n\s*/g, " ")
    .matchAll(/(?<![\w/.-])rollcall (?!-)[a-z][^`\n|>;)"]*/g)) {
    yield {
      said,
      words: said
        .replace(/\s#.*| {3,}.*/, "")
        .split(/\s+/)
        .slice(1),
    };
  }
}

describe("commands that pages, packages, examples and messages name", () => {
  it("exist, with the options that they are shown with", () => {
    let seen = 0;
    const wrong: string[] = [];
    for (const [file, text] of texts()) {
      for (const { said, words } of pasted(text)) {
        let command = program;
        let depth = 0;
        for (; depth < words.length; depth++) {
          const next = command.commands.find((each) => each.name() === words[depth]);
          if (next === undefined) break;
          command = next;
        }
        // A sentence about Rollcall, without a command.
        if (command === program) continue;
        seen++;
        for (const word of words.slice(depth)) {
          const [, flag] = /^\[?(--[a-z][\w-]*)/.exec(word) ?? [];
          if (flag === undefined || flag === "--help") continue;
          if (!command.options.some(({ long }) => long === flag))
            wrong.push(`${file}: ${said.trim()} (${flag})`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(150);
  });
});
