import { type Command, InvalidArgumentError } from "commander";
import type { GenerationRecord, RollbackPlan } from "../../api/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { CliError, EXIT, inputError } from "../exit.ts";
import { instant, plural } from "../output.ts";
import { domainOf } from "../publish-targets.ts";

interface RollbackOptions extends EdgeOptions {
  readonly to?: number;
  readonly note?: string;
  readonly dropPatched?: boolean;
  readonly yes?: boolean;
}

/** `rollcall rollback`: publishes an old generation's content under a new number. */
export function rollbackCommand(cli: Cli): Command {
  return cli
    .edgeCommand("rollback", "publish an old generation again, under a new number")
    .argument("<domain>")
    .option(
      "--to <generation>",
      "the generation to restore (default: the list before the present one)",
      wholeNumber,
    )
    .option("--note <text>", "note for the history, at most 200 characters")
    .option("--drop-patched", "restore the list as it was: with the names that were refused with --now since")
    .option("--yes", "do not ask for confirmation")
    .action((domain: string, options: RollbackOptions) => rollback(cli, domainOf(domain), options));
}

export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError("Must be a whole number from 1.");
  return Number(text);
}

async function rollback(cli: Cli, domain: string, options: RollbackOptions): Promise<void> {
  const { output } = cli;
  const client = cli.client(options);
  const generations = await client.generations(domain);
  const head = generations[0];
  const target = targetOf(generations, options.to, domain);
  const wanted = `rollcall history ${domain}`;
  if (head === undefined) throw inputError(`${domain} has no generation`, `see \`${wanted}\``);
  output.line(`${domain}  from ${describe(head)}`);
  output.line(`${" ".repeat(domain.length)}  to   ${describe(target)}`);
  const plan = await client.planRollback(domain, target.generation);
  showChanges(cli, plan, options);
  output.line(
    "The guard does not apply to a rollback. Names that it removes are deferred for the departure grace, then refused.",
  );
  showGraces(cli, plan);
  if (!options.yes) await cli.confirm(`Restore generation ${target.generation}?`);
  const result = await client.rollback(domain, {
    to: target.generation,
    expect: head.generation,
    ...(options.note === undefined ? {} : { note: options.note }),
    ...(options.dropPatched ? { patched: "drop" as const } : {}),
  });
  output.line(`${output.colors.green("published")} ${domain} as generation ${result.generation}`);
  // Only a courtesy: the rollback is done.
  const until = (await client.domain(domain).catch(() => null))?.refuses_from ?? null;
  if (until !== null) output.line(`${domain} refuses nobody until ${instant(until)}`);
  output.result({ ...result, from: head.generation, to: target.generation, refuses_from: until });
}

/** What becomes of single changes, in the words of a plan. @throws CliError exit 4 if they need a decision */
function showChanges(
  { output }: Cli,
  { reopened, refused_again: again, ended, unknown, forgotten }: RollbackPlan,
  { dropPatched = false }: RollbackOptions,
): void {
  const row = (count: number, words: string): void => {
    if (count > 0) output.line(`  patched    ${words}`);
  };
  const { added, removed, changed } = reopened;
  const open = `${added} added, ${removed} removed, ${changed} changed one by one: open again`;
  row(added + removed + changed, open);
  const names = plural(again + unknown, "name");
  if (dropPatched) row(again + unknown, `${names} refused with --now since: as the list has them`);
  else row(again, `${plural(again, "name")} refused with --now since: refused again`);
  row(ended, `${plural(ended, "later single change")}: dropped`);
  if (dropPatched || (unknown === 0 && !forgotten)) return;
  throw new CliError(
    EXIT.guard,
    unknown === 0
      ? "the single changes of that time are forgotten; nothing was changed"
      : `${plural(unknown, "name")} refused with --now since cannot be found in that list, which is under another key, case or dots setting; nothing was changed`,
    "run the command again with --drop-patched, then refuse them again with `rollcall remove --now`; `rollcall audit --domain DOMAIN` shows when that was done",
  );
}

/** What becomes of names that left before, or that cannot be told: a list under another key or spelling, or another alias. */
function showGraces(
  { output }: Cli,
  { domain, refuses_from: until, lost_graces: early, unwatched }: RollbackPlan,
): void {
  if (until !== null) output.line(`${domain} then refuses nobody until ${instant(until)}.`);
  if (early === null)
    output.line(
      "How many names that left lose the rest of a longer grace is not known: their record is damaged.",
    );
  else if (early > 0)
    output.line(
      `${plural(early, "name")} that left ${early === 1 ? "loses" : "lose"} the rest of a longer grace.`,
    );
  if (unwatched > 0)
    output.line(`The brake stops watching ${plural(unwatched, "name")} that left within a day.`);
}

function targetOf(
  generations: readonly GenerationRecord[],
  to: number | undefined,
  domain: string,
): GenerationRecord {
  const target =
    to === undefined ? olderList(generations) : generations.find((each) => each.generation === to);
  if (target !== undefined) return target;
  const what = to === undefined ? "no older generation to restore" : `no generation ${to} in its history`;
  throw inputError(`${domain} has ${what}`, `\`rollcall history ${domain}\` lists its generations`);
}

/** Actions that make a generation of the same list. */
const SAME_LIST: ReadonlySet<string> = new Set(["mode", "brake", "release"]);

/** The newest list before the head's. */
function olderList(generations: readonly GenerationRecord[]): GenerationRecord | undefined {
  const own = generations.findIndex(({ action }) => !SAME_LIST.has(action));
  return generations.slice(own + 1).find(({ action }) => action !== "delete");
}

function describe({ generation, time, counts }: GenerationRecord): string {
  const { active, disabled, full, moved } = counts;
  return `generation ${generation} of ${instant(time)}: ${active} active, ${disabled + full + moved} other`;
}
