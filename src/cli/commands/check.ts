import type { Command } from "commander";
import { MAX_RECIPIENTS } from "../../api/index.ts";
import type { Outcome } from "../../client/index.ts";
import { type Answer, parseRecipient, quoteLocalPart } from "../../directory/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { usageError } from "../exit.ts";
import { explain } from "../explain.ts";

const HELP = `
Exit code 0 if the edge answered, whatever the verdict (use --json to tell verdicts apart); 6 if no answer came, in
which case a mail server answers 451 4.3.0 and the sender tries again later.`;

/** `rollcall check`: asks the edge about addresses and explains its verdicts. */
export function checkCommand(cli: Cli): Command {
  return cli
    .edgeCommand("check", "check addresses and explain the verdicts")
    .argument("<address...>", "recipients, as a mail server would send them")
    .addHelpText("after", HELP)
    .action((addresses: string[], options: EdgeOptions) =>
      check(cli, addresses, { ...options, asMailHost: true }),
    );
}

async function check(cli: Cli, addresses: readonly string[], options: EdgeOptions): Promise<void> {
  if (addresses.length > MAX_RECIPIENTS) {
    throw usageError(`more than ${MAX_RECIPIENTS} addresses`, "ask in several runs");
  }
  const { output } = cli;
  const client = cli.client(options);
  const only = addresses.length === 1 ? (addresses[0] as string) : null;
  const outcomes = only === null ? await client.checkMany(addresses) : [await client.check(only)];
  // All failed for the same reason: no answer came.
  const failed = outcomes.find((outcome) => outcome.kind === "none");
  if (failed?.kind === "none" && outcomes.every((outcome) => outcome.kind === "none")) throw failed.why;
  outcomes.forEach((outcome, i) => {
    if (i > 0) output.line();
    show(cli, outcome);
    if (outcome.kind === "none") cli.finish(explain(outcome.why).exit);
  });
  const results = outcomes.map(jsonOf);
  output.result(only === null ? { results } : results[0]);
}

const jsonOf = (outcome: Outcome): unknown =>
  outcome.kind === "answer"
    ? { ...outcome.answer, understood: understood(outcome.recipient) }
    : { recipient: outcome.recipient, error: outcome.why.message, understood: understood(outcome.recipient) };

function show(cli: Cli, outcome: Outcome): void {
  const { output } = cli;
  const { bold, dim } = output.colors;
  const row = (name: string, text: string): void => output.line(`  ${dim(name.padEnd(11))} ${text}`);
  output.line(bold(outcome.recipient));
  row("parsed as", understood(outcome.recipient));
  if (outcome.kind === "none") {
    row("verdict", output.colors.red("none: a mail server answers 451 4.3.0"));
    row("why", outcome.why.message);
    return;
  }
  const { answer } = outcome;
  row("verdict", `${painted(cli, answer)} (${answer.action})`);
  row("SMTP", answer.reply);
  if (answer.observed !== undefined) row("observed", `in enforce mode: ${answer.observed}`);
  if (answer.matched !== null) row("matched", MATCHED[answer.matched] ?? answer.matched);
  if (answer.generation !== null) row("generation", generationOf(answer));
  row("confirmed", confirmedOf(answer));
  if (answer.action !== "defer") row("reusable", `for ${round(answer.max_age)} s`);
  if (answer.detail !== undefined) row("detail", answer.detail);
}

const MATCHED: Readonly<Record<string, string>> = {
  mailbox: "the mailbox itself",
  pattern: "a pattern of the list",
  subaddress: "the mailbox without the subaddress",
  "catch-all": "the domain's catch-all",
  postmaster: "postmaster, which every domain accepts",
};

function painted(cli: Cli, { verdict, action }: Answer): string {
  const { green, red, yellow } = cli.output.colors;
  return (action === "accept" ? green : action === "reject" ? red : yellow)(verdict);
}

const generationOf = ({ generation, domain, mode }: Answer): string =>
  `${generation} of ${domain}, mode ${mode}`;

const confirmedOf = ({ confirmed_age: age }: Answer): string =>
  age === null ? "no: not needed for this answer, or not possible" : `by the Registry ${round(age)} s ago`;

const round = (seconds: number): number => Math.round(seconds * 10) / 10;

/** How an address is parsed, before any list is consulted. */
function understood(address: string): string {
  const recipient = parseRecipient(address);
  switch (recipient.kind) {
    case "postmaster":
      return "postmaster without a domain";
    case "malformed":
      return `not an address: ${recipient.why}`;
    case "unlistable":
      return `a local part that no list can contain (${recipient.why}), domain ${recipient.domain}`;
    case "literal":
      return "a mailbox at an address literal, which is never served";
    case "mailbox": {
      const odd = recipient.wellFormed ? "" : ", not valid syntax by RFC 5321";
      return `local part ${quoteLocalPart(recipient.local)}, domain ${recipient.domain}${odd}`;
    }
  }
}
