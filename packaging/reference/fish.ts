import { type CommandReference, type Value, withSubcommands } from "./describe.ts";

/** A completion script for fish. */
export function fishCompletion(rollcall: CommandReference): string {
  const lines = withSubcommands(rollcall).flatMap((command) => {
    const [, ...path] = command.name.split(" ");
    const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
    const below = command.commands.map(({ name }) => name.split(" ").at(-1) as string);
    const none = below.length > 0 ? [`not __fish_seen_subcommand_from ${below.join(" ")}`] : [];
    const here = `-n ${quoted([...seen, ...none].join("; and ") || "true")}`;
    return [
      ...command.commands.map(
        ({ name, about }) => `complete -c rollcall ${here} -a ${name.split(" ").at(-1)} -d ${quoted(about)}`,
      ),
      ...command.options.map(({ names, about, value }) => {
        const flags = names.map((it) => (it.startsWith("--") ? `-l ${it.slice(2)}` : `-s ${it.slice(1)}`));
        return `complete -c rollcall ${here} ${flags.join(" ")}${followedBy(value)} -d ${quoted(about)}`;
      }),
      ...command.arguments
        .filter(({ value }) => value.kind !== "text")
        .map(({ value }) => `complete -c rollcall ${here}${followedBy(value)}`),
    ];
  });
  return `# fish completion for rollcall: made from the options of the command
complete -c rollcall -f
${lines.join("\n")}
`;
}

function followedBy(value: Value | null): string {
  if (value === null) return "";
  if (value.kind === "choice") return ` -x -a ${quoted(value.choices.join(" "))}`;
  if (value.kind === "folder") return " -x -a '(__fish_complete_directories)'";
  return value.kind === "file" ? " -r -F" : " -x";
}

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
