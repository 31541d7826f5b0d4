import type { Argument, Command, Option } from "commander";

/** What may follow an option, or be an argument. */
export type Value =
  | { readonly kind: "file" | "folder" | "text" }
  | { readonly kind: "choice"; readonly choices: readonly string[] };

export interface OptionReference {
  /** As in the help: `--role <role>`. */
  readonly flags: string;
  /** Without the value: `--role`, or `-h` and `--help`. */
  readonly names: readonly string[];
  /** With choices and default. */
  readonly about: string;
  /** null for an option without a value. */
  readonly value: Value | null;
}

export interface CommandReference {
  /** With the commands above it: `rollcall token create`. */
  readonly name: string;
  /** Options, arguments and commands that may follow the name: `[options] [file]`. */
  readonly usage: string;
  readonly about: string;
  readonly options: readonly OptionReference[];
  readonly arguments: readonly { readonly name: string; readonly about: string; readonly value: Value }[];
  /** The text after the options in the help. */
  readonly text: string;
  readonly commands: readonly CommandReference[];
}

/** @param printed returns what a function prints to the standard output of the command */
export function describeCommand(
  command: Command,
  printed: (print: () => void) => string,
  above: readonly string[] = [],
): CommandReference {
  const help = command.createHelp();
  const path = [...above, command.name()];
  const whole = printed(() => command.outputHelp());
  const generated = command.helpInformation();
  if (!whole.startsWith(generated)) throw new Error(`the help of ${path.join(" ")} has an unknown form`);
  return {
    name: path.join(" "),
    usage: command.usage(),
    about: help.commandDescription(command),
    options: help.visibleOptions(command).map((option) => ({
      flags: option.flags,
      names: [option.short, option.long].filter((name) => name !== undefined),
      about: help.optionDescription(option),
      value: option.required || option.optional ? kindOf(option, option.flags) : null,
    })),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      about: help.argumentDescription(argument),
      value: kindOf(argument, `<${argument.name()}>`),
    })),
    text: whole.slice(generated.length).trim(),
    commands: help
      .visibleCommands(command)
      .filter((each) => each.name() !== "help")
      .map((each) => describeCommand(each, printed, path)),
  };
}

/** The placeholder says what a value is: `<file>`, `<folder>`. */
function kindOf({ argChoices }: Argument | Option, flags: string): Value {
  if (argChoices !== undefined) return { kind: "choice", choices: argChoices };
  const [, name] = /[<[](file|folder)[\]>]/.exec(flags) ?? [];
  return { kind: (name as "file" | "folder" | undefined) ?? "text" };
}

/** A command and all below it. */
export const withSubcommands = (command: CommandReference): CommandReference[] => [
  command,
  ...command.commands.flatMap(withSubcommands),
];
