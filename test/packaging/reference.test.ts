import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CommandReference, withSubcommands } from "../../packaging/reference/describe.ts";
import { commandReference, referencePages } from "../../packaging/reference/pages.ts";
import { ROOT, startCli, temporaryFolder } from "../support/processes.ts";

const rollcall = commandReference();
const commands = withSubcommands(rollcall);
const DIST = join(ROOT, "dist");
const has = (program: string): boolean => spawnSync("which", [program]).status === 0;

/** Options of a command with two dashes. */
const long = ({ options }: CommandReference): string[] =>
  options.flatMap(({ names }) => names.filter((name) => name.startsWith("--")));

/** The words of a text, without the spacing of either help or manual page. */
const words = (text: string): string => text.replaceAll(/[\s‐-]+/g, "");

describe("manual pages and completions", () => {
  it("are those of the built command", () => {
    for (const [path, text] of referencePages()) {
      expect(readFileSync(join(DIST, path), "utf8"), path).toBe(text);
    }
  });

  it("know every command and option that the help shows", async () => {
    const home = temporaryFolder();
    for (const command of commands) {
      const [, ...path] = command.name.split(" ");
      const { stdout } = await startCli([...path, "--help"], { home }).ended;
      const shown = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, name]) => name);
      expect(long(command).sort(), command.name).toEqual(shown.sort());
    }
    const { stdout } = await startCli(["--help"], { home }).ended;
    const [, list = ""] = /\nCommands:\n([\s\S]*?)\n\n/.exec(stdout) ?? [];
    const shown = [...list.matchAll(/^ {2}([\w-]+)/gm)]
      .map(([, name]) => name)
      .filter((name) => name !== "help");
    expect(rollcall.commands.map(({ name }) => name.split(" ")[1])).toEqual(shown);
  });
});

describe.skipIf(!has("man") || !has("groff"))("man", () => {
  const shown = (page: string): string => {
    const { status, stdout, stderr } = spawnSync(
      "man",
      ["--warnings", "--local-file", "-Tutf8", join(DIST, "man", page)],
      {
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "100", MANROFFOPT: "-P -cbou" },
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  };

  it("shows every command of rollcall(1) with its options and its help", () => {
    const page = words(shown("rollcall.1"));
    for (const command of commands.filter(({ name }) => name !== "rollcall bridge")) {
      for (const { flags, about } of command.commands.length === 0 ? command.options : []) {
        expect(page, command.name).toContain(words(`${flags}${about}`));
      }
      if (command.commands.length === 0) expect(page).toContain(words(command.text));
    }
    for (const code of rollcall.text.split("\n").slice(1)) expect(page).toContain(words(code));
  });

  it("shows every option of the bridge, and its help, in rollcall-bridge(1)", () => {
    const page = words(shown("rollcall-bridge.1"));
    const bridge = commands.find(({ name }) => name === "rollcall bridge") as CommandReference;
    expect(bridge.options.length).toBeGreaterThan(10);
    for (const { flags, about } of bridge.options) expect(page).toContain(words(`${flags}${about}`));
    expect(page).toContain(words(bridge.text));
  });
});

/** What a shell offers, by what was typed. Files are those of a folder that contains one list. */
const OFFERS: readonly [typed: string, offered: readonly string[]][] = [
  ["rollcall tok", ["token"]],
  ["rollcall token c", ["create"]],
  ["rollcall token create --ro", ["--role"]],
  ["rollcall token create --role p", ["publish"]],
  ["rollcall bridge --sock", ["--socketmap", "--socket-mode"]],
  ["rollcall publish --skip", ["--skip-invalid"]],
  ["rollcall publish my-l", ["my-list.csv"]],
  ["rollcall publish --config my-l", ["my-list.csv"]],
];

const folder = temporaryFolder();
writeFileSync(join(folder, "my-list.csv"), "");

describe("completion", () => {
  it.each(OFFERS)("in bash of %j", (typed, offered) => {
    const script = `source "$1"; COMP_WORDS=($2); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _rollcall; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const file = join(DIST, "completion", "rollcall.bash");
    const said = execFileSync("bash", ["-c", script, "bash", file, typed], { cwd: folder, encoding: "utf8" });
    expect(said.trim().split("\n").sort()).toEqual([...offered].sort());
  });

  it.skipIf(!has("fish")).each(OFFERS)("in fish of %j", (typed, offered) => {
    const script = `source "${join(DIST, "completion", "rollcall.fish")}"; complete --do-complete "${typed}"`;
    const said = execFileSync("fish", ["--no-config", "-c", script], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
    });
    const names = said
      .trim()
      .split("\n")
      .map((line) => line.split("\t")[0]);
    expect(names.sort()).toEqual([...offered].sort());
  });

  it.skipIf(!has("zsh")).each(OFFERS)("in zsh of %j", (typed, offered) => {
    expect(offersOfZsh(typed).sort()).toEqual([...offered].sort());
  });
});

/** zsh completes only at a terminal, so it gets one, with a compadd that prints what would be offered. */
function offersOfZsh(typed: string): string[] {
  const functions = join(folder, "functions");
  if (!existsSync(functions)) {
    mkdirSync(functions);
    writeFileSync(join(functions, "_rollcall"), readFileSync(join(DIST, "completion", "_rollcall")));
  }
  const setup = `
PROMPT= RPROMPT=
fpath=(${functions} $fpath)
autoload -U compinit; compinit -u -D
bindkey '^I' complete-word
zstyle ':completion:*' list-prompt ''
compadd() {
  local -a found
  builtin compadd -O found "$@"
  local each
  for each in $found; do print -r -- "<offer>$each</offer>"; done
  builtin compadd "$@"
}
# Keys that arrive before the line editor runs would not be completed.
zle-line-init() { print -r -- edits }
zle -N zle-line-init
print ready
`;
  const driver = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'source ${join(folder, "setup.zsh")}'
zpty -r -m z line '*ready*' || exit 1
zpty -w z $'cd ${folder}; print moved'
zpty -r -m z line '*moved*moved*edits*' || exit 1
zpty -w -n z ${`$'${typed}\\t'`}
zpty -w z $'\\x15print over'
while zpty -r z line; do print -r -- $line; [[ $line == *over* && $line != *print* ]] && break; done
zpty -d z
`;
  writeFileSync(join(folder, "setup.zsh"), setup);
  const said = execFileSync("timeout", ["20", "zsh", "-f", "-c", driver], {
    encoding: "utf8",
    env: { ...process.env, HOME: folder, TERM: "dumb" },
  });
  return [...new Set([...said.matchAll(/<offer>(.*?)<\/offer>/g)].map(([, name]) => name as string))];
}
