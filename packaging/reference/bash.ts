import { type CommandReference, type Value, withSubcommands } from "./describe.ts";

/** A completion script for bash. It needs no other package. */
export function bashCompletion(rollcall: CommandReference): string {
  const commands = withSubcommands(rollcall);
  const below = commands.filter(({ name }) => name !== rollcall.name).map(({ name }) => name);
  const values = commands.flatMap(({ name, options }) =>
    options
      .filter(({ value }) => value !== null)
      .map((option) => {
        const patterns = option.names.map((it) => `"${name} ${it}"`).join(" | ");
        return `    ${patterns}) ${[...complete(option.value as Value), "return"].join("; ")} ;;`;
      }),
  );
  const rest = commands.map((command) => {
    const next = command.commands.map(({ name }) => name.split(" ").at(-1) as string);
    const flags = command.options.flatMap(({ names }) => names.filter((it) => it.startsWith("--")));
    const files = command.arguments.map(({ value }) => complete(value)).find((it) => it.length > 0);
    const other = next.length > 0 ? [words(next)] : (files ?? []);
    return `    "${command.name}")
      if [[ $cur == -* ]]; then ${words(flags)}
      else ${[...other, ":"].join("; ")}; fi ;;`;
  });
  return `# bash completion for rollcall: made from the options of the command
_rollcall() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=rollcall word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command $word" in
      ${below.map((name) => `"${name}"`).join(" | ")}) command="$command $word" ;;
    esac
  done
  case "$command $prev" in
${values.join("\n")}
  esac
  case $command in
${rest.join("\n")}
  esac
}
complete -F _rollcall rollcall
`;
}

/** Statements that offer what a value may be. */
function complete(value: Value): string[] {
  if (value.kind === "choice") return [words(value.choices)];
  if (value.kind === "text") return [];
  // mapfile, since names of files may contain spaces.
  const what = value.kind === "file" ? "-f" : "-d";
  return ["compopt -o filenames 2>/dev/null", `mapfile -t COMPREPLY < <(compgen ${what} -- "$cur")`];
}

const words = (list: readonly string[]): string => `COMPREPLY=($(compgen -W "${list.join(" ")}" -- "$cur"))`;
