import { type CommandReference, type Value, withSubcommands } from "./describe.ts";

/** A completion script for zsh: one function for each command. */
export function zshCompletion(rollcall: CommandReference): string {
  return `#compdef rollcall
# zsh completion for rollcall: made from the options of the command

${withSubcommands(rollcall).map(functionOf).join("\n")}
_rollcall "$@"
`;
}

function functionOf(command: CommandReference): string {
  const { options, commands } = command;
  const name = nameOf(command);
  // No option may follow --help or --version; all others may be repeated.
  const specs = options.flatMap(({ names, about, value }) =>
    names.map((it) =>
      quoted(
        `*${it}${value === null ? "" : it.startsWith("--") ? "=" : ""}[${escaped(about)}]${after(value)}`,
      ),
    ),
  );
  if (commands.length === 0) {
    const rest = command.arguments.map((argument) =>
      quoted(`*:${escaped(argument.name)}:${action(argument.value)}`),
    );
    return `${name}() {
  _arguments -s ${[...specs, ...rest].join(" \\\n    ")}
}
`;
  }
  const described = commands.map((each) => quoted(`${lastOf(each)}:${escaped(each.about)}`));
  const cases = commands.map((each) => `        ${lastOf(each)}) ${nameOf(each)} ;;`);
  return `${name}() {
  local state line
  local -a commands
  commands=(
    ${described.join("\n    ")}
  )
  _arguments -C ${[...specs, "'1: :->command'", "'*:: :->rest'"].join(" \\\n    ")}
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${cases.join("\n")}
      esac ;;
  esac
}
`;
}

const lastOf = ({ name }: CommandReference): string => name.split(" ").at(-1) as string;
const nameOf = ({ name }: CommandReference): string => `_${name.replaceAll(" ", "_")}`;

const after = (value: Value | null): string => (value === null ? "" : `:value:${action(value)}`);

function action(value: Value): string {
  if (value.kind === "choice") return `(${value.choices.join(" ")})`;
  return { file: "_files", folder: "_files -/", text: "" }[value.kind];
}

const escaped = (text: string): string => text.replaceAll(/[[\]:\\]/g, "\\$&");
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
