import { VERSION } from "../../src/api/index.ts";
import { type CommandReference, withSubcommands } from "./describe.ts";
import { prose, section, subsection, term, usage } from "./roff.ts";

const BRIDGE = "rollcall bridge";

const ENVIRONMENT = [
  term("ROLLCALL_URL", "URL of the edge, if --url is not given."),
  term("ROLLCALL_TOKEN", "The token, if --token-file is not given."),
];

/** rollcall(1): all commands but the bridge. */
export function manual(rollcall: CommandReference): string {
  const [title, exits] = splitExitCodes(rollcall.text);
  return page("rollcall", [
    section("NAME"),
    prose(`rollcall - ${rollcall.about}`),
    section("SYNOPSIS"),
    usage(rollcall.name, rollcall.usage),
    section("DESCRIPTION"),
    prose(
      "Publishes mailbox lists to an edge on Cloudflare Workers, asks it about recipients, and answers the lookups of mail servers on this host.",
    ),
    section("OPTIONS"),
    ...rollcall.options.map(({ flags, about }) => term(flags, about)),
    section("COMMANDS"),
    ...withSubcommands(rollcall).slice(1).flatMap(commandSection),
    section(title),
    ...exits,
    section("ENVIRONMENT"),
    ...ENVIRONMENT,
    section("FILES"),
    term("rollcall.toml", "Settings, in the working directory. rollcall init writes one with comments."),
    section("SEE ALSO"),
    prose("rollcall-bridge(1)"),
  ]);
}

/** rollcall-bridge(1): the daemon on a mail host. */
export function bridgeManual(rollcall: CommandReference): string {
  const bridge = rollcall.commands.find(({ name }) => name === BRIDGE);
  if (bridge === undefined) throw new Error(`there is no command ${BRIDGE}`);
  const [title, exits] = splitExitCodes(rollcall.text);
  return page("rollcall-bridge", [
    section("NAME"),
    prose(`rollcall-bridge - ${bridge.about}`),
    section("SYNOPSIS"),
    usage(bridge.name, bridge.usage),
    section("DESCRIPTION"),
    prose(bridge.text),
    section("OPTIONS"),
    ...bridge.options.map(({ flags, about }) => term(flags, about)),
    section(title),
    ...exits,
    section("ENVIRONMENT"),
    ...ENVIRONMENT,
    term(
      "HTTPS_PROXY, NO_PROXY",
      "A proxy for requests to the edge, and the hosts that are reached without it.",
    ),
    section("FILES"),
    term("/etc/rollcall/rollcall.toml", "Settings of the service rollcall-bridge."),
    term("/etc/rollcall/token", "Its token, mode 0600. The service does not start without it."),
    section("SEE ALSO"),
    prose("rollcall(1), postconf(5), systemctl(1)"),
  ]);
}

function commandSection(command: CommandReference): string[] {
  const { name, about, options, text, commands } = command;
  if (name === BRIDGE) return [subsection(name), prose(`${sentence(about)} See rollcall-bridge(1).`)];
  // Its commands follow, each with its own usage.
  if (commands.length > 0) return [];
  return [
    subsection(name),
    usage(name, command.usage),
    prose(sentence(about)),
    ...command.arguments.map((argument) => term(argument.name, argument.about)),
    ...options.map((option) => term(option.flags, option.about)),
    ...(text === "" ? [] : [prose(text)]),
  ];
}

/** @returns title and entries of the section about exit codes, from the help */
function splitExitCodes(text: string): [title: string, entries: string[]] {
  const [head, ...codes] = text.split("\n");
  if (head !== "Exit codes:") throw new Error(`the help ends with "${head}" instead of the exit codes`);
  return [
    "EXIT STATUS",
    codes.map((code) => {
      const [, number, about] = /^ {1,2}(\d+) {2}(.+)$/.exec(code) ?? [];
      if (number === undefined || about === undefined) throw new Error(`cannot read the exit code "${code}"`);
      return term(number, about);
    }),
  ];
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

const page = (name: string, parts: readonly string[]): string =>
  `.TH ${name.toUpperCase().replaceAll("-", "\\-")} 1 "" "rollcall ${VERSION}" "Rollcall"\n${parts.join("\n")}\n`;
