import type { Command } from "commander";
import type { HeadResult } from "../../api/index.ts";
import type { RollcallClient } from "../../client/index.ts";
import { MODES, type Mode, milderMode } from "../../directory/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import { Semaphore } from "../../runtime/semaphore.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { EXIT, inputError, usageError } from "../exit.ts";
import { plural } from "../output.ts";
import { domainOf } from "../publish-targets.ts";

interface ModeOptions extends EdgeOptions {
  readonly all?: boolean;
  readonly note?: string;
  readonly yes?: boolean;
}

const HELP = `
observe accepts every recipient and records what would be refused, defer tells senders to try again later, and enforce
refuses. The list stays as it is. A step down, such as from enforce to observe, is made without a question. A step up shows
what would have been refused in the last day, and asks. Everybody knows of it within one window (30 seconds by default).

A later publish, sync or rollback never returns to a mode that refuses more. Only this command, or publish with --defer or
--enforce, does that.`;

/** Changes that wait for the edge at a time. */
const AT_ONCE = 8;
/** Domains that are named before the rest is counted. */
const SHOWN = 10;

/** `rollcall mode`: changes the mode of lists without publishing them. */
export function modeCommand(cli: Cli): Command {
  return cli
    .edgeCommand("mode", "change whether lists refuse, without publishing them")
    .usage("[options] <domain...> <observe|defer|enforce>")
    .argument("<words...>", "domains, and the mode as the last word; the mode alone with --all")
    .option("--all", "of every domain that the token covers")
    .option("--note <text>", "note for the history, at most 200 characters")
    .option("--yes", "do not ask for confirmation")
    .addHelpText("after", HELP)
    .action((words: readonly string[], options: ModeOptions) => changeModes(cli, words, options));
}

/** A list whose mode is to change. */
interface Target {
  readonly domain: string;
  readonly generation: number;
  readonly from: Mode;
  readonly wouldRefuse: number | null;
}

/** Whether a mode refuses more than another one. */
const refusesMore = (mode: Mode, than: Mode): boolean => mode !== than && milderMode(mode, than) === than;

async function changeModes(cli: Cli, words: readonly string[], options: ModeOptions): Promise<void> {
  const { output } = cli;
  const { mode, domains } = readWords(words, options);
  const client = cli.client(options);
  const lists = domains === null ? await everyList(client) : await namedLists(client, domains);
  const targets = lists.filter(({ from }) => from !== mode);
  const raised = targets.filter(({ from }) => refusesMore(mode, from));
  if (raised.length > 0) {
    showRaised(cli, raised, mode);
    if (!options.yes) await cli.confirm(`Change ${plural(raised.length, "domain")} to ${mode}?`);
  }
  const { changed, failed } = await changeAll(cli, client, targets, mode, options.note);
  for (const { domain, generation, from } of changed.slice(0, SHOWN)) {
    output.line(`${output.colors.green(mode)} ${domain} in generation ${generation}, was ${from}`);
  }
  if (changed.length > SHOWN) output.line(`and ${plural(changed.length - SHOWN, "other domain")}`);
  const same = lists.length - targets.length;
  if (same > 0) output.line(`${plural(same, "domain")} in ${mode} mode already`);
  output.result({
    mode,
    changed: changed.map(({ domain, generation, from }) => ({ domain, generation, from })),
    unchanged: lists.filter(({ from }) => from === mode).map(({ domain }) => domain),
    failed,
  });
  if (failed.length === 0) return;
  const details = failed.slice(0, SHOWN).map(({ domain, message }) => `${domain}: ${message}`);
  if (failed.length > SHOWN) details.push(`and ${failed.length - SHOWN} more`);
  output.failure(`${plural(failed.length, "domain")} not changed`, details, "run the same command again");
  cli.finish(EXIT.failed);
}

/** @returns the mode, and the domains; null for all. @throws CliError exit 2 */
function readWords(
  words: readonly string[],
  { all }: ModeOptions,
): { readonly mode: Mode; readonly domains: readonly string[] | null } {
  const mode = MODES.find((known) => known === words.at(-1));
  if (mode === undefined) {
    throw usageError(`"${words.at(-1)}" is not a mode`, `the last word is one of ${MODES.join(", ")}`);
  }
  const named = words.slice(0, -1);
  if (all && named.length > 0) throw usageError("--all is given with domains", "name domains, or pass --all");
  if (!all && named.length === 0) throw usageError("no domain is given", "name domains, or pass --all");
  return { mode, domains: all ? null : [...new Set(named.map(domainOf))] };
}

async function everyList(client: RollcallClient): Promise<Target[]> {
  return (await client.domains()).map(({ domain, generation, mode, would_refuse: wouldRefuse }) => ({
    domain,
    generation,
    from: mode,
    wouldRefuse,
  }));
}

/** @throws CliError exit 3 for a domain that has no list: then nothing is changed */
async function namedLists(client: RollcallClient, domains: readonly string[]): Promise<Target[]> {
  const targets: Target[] = [];
  for (const domain of domains) {
    const head = await client.domain(domain);
    if (head === null || head.deleted_until !== null) {
      throw inputError(`${domain} is not served`, "`rollcall status` lists the domains");
    }
    const { generation, mode: from, would_refuse: wouldRefuse } = head;
    targets.push({ domain, generation, from, wouldRefuse });
  }
  return targets;
}

/** What a step up means for senders. */
function showRaised({ output }: Cli, raised: readonly Target[], mode: Mode): void {
  const fate = mode === "defer" ? "deferred" : "refused";
  for (const { domain, from, wouldRefuse } of raised.slice(0, SHOWN)) {
    const known =
      wouldRefuse === null
        ? "what it would have refused is not known"
        : `about ${wouldRefuse} distinct names of the last day would have been ${fate}`;
    output.line(`${domain}  from ${from} to ${mode}: ${known}`);
  }
  if (raised.length <= SHOWN) return;
  const rest = raised.slice(SHOWN).map(({ wouldRefuse }) => wouldRefuse);
  const known = rest.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  const unknown = rest.filter((count) => count === null).length;
  const lacking = unknown === 0 ? "" : `; of ${unknown} of them it is not known`;
  output.line(`and ${plural(rest.length, "other domain")}: about ${known} distinct names${lacking}`);
}

interface Changes {
  readonly changed: readonly (Target & HeadResult)[];
  readonly failed: readonly { readonly domain: string; readonly message: string }[];
}

/** Changes each list by itself: one that fails holds up no other. */
async function changeAll(
  { output }: Cli,
  client: RollcallClient,
  targets: readonly Target[],
  mode: Mode,
  note: string | undefined,
): Promise<Changes> {
  const permits = new Semaphore(AT_ONCE);
  const changed: (Target & HeadResult)[] = [];
  const failed: { domain: string; message: string }[] = [];
  await Promise.all(
    targets.map(async (target) => {
      const release = await permits.acquire();
      try {
        // Only a step up depends on what the person was shown.
        const result = await client.changeMode(target.domain, {
          mode,
          ...(refusesMore(mode, target.from) ? { expect: target.generation } : {}),
          ...(note === undefined ? {} : { note }),
        });
        changed.push({ ...target, ...result });
      } catch (error) {
        failed.push({ domain: target.domain, message: messageOf(error) });
      } finally {
        release();
        output.step("changing", (changed.length + failed.length) / targets.length);
      }
    }),
  );
  return { changed, failed };
}
