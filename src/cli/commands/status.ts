import type { Command } from "commander";
import { inspectCounters, inspectLists, type ListReport, type ListState } from "../../inspect/index.ts";
import { OTHER_KEY_STEPS } from "../../publish/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { showCounted } from "../counted.ts";
import { EXIT } from "../exit.ts";
import { duration, instant, plural } from "../output.ts";
import { domainOf, listStoreOf, stateOption } from "../publish-targets.ts";
import { time } from "../times.ts";

interface StatusOptions extends EdgeOptions {
  readonly state?: string;
  /** Milliseconds. */
  readonly maxAge?: number;
}

const HELP = `
Without a domain, shows every domain that the token covers (a mail host's check token covers its own), and those of
rollcall.toml that have no list. Does not show the trial domains that \`rollcall doctor\` deleted.

A list in observe or defer mode shows about how many distinct names enforce mode would have refused in the last day. Most of
them are rightly unknown if there is backscatter.

Exit code 1 if a list was made under another key than the edge's or is damaged in the Registry, if the brake holds names, or if --max-age is given and a
list is older or was never published. Otherwise 3 if a domain has no list. On the host that publishes, a publish that found
nothing to change counts as well. An alias has no list and is never stale.

An open single change (rollcall add, remove, …) is one that the source of the list did not reflect at the last publish.

Warns of a list whose shards are half full: single changes fill the shards that a list has, and only a publish makes more.`;

/** `rollcall status`: the state of each domain, and whether its list is fresh. */
export function statusCommand(cli: Cli): Command {
  return cli
    .edgeCommand("status", "show the state of each domain, and whether its list is fresh")
    .argument("[domain...]", "domains to show")
    .option("--max-age <time>", "exit 1 if a list is older than this, such as 36h or 2d", time)
    .addOption(stateOption())
    .addHelpText("after", HELP)
    .action((domains: string[], options: StatusOptions) => status(cli, domains.map(domainOf), options));
}

async function status(cli: Cli, names: readonly string[], options: StatusOptions): Promise<void> {
  const { output, platform } = cli;
  const settings = cli.settings(options.config);
  const client = cli.client(options);
  const store = listStoreOf(cli, settings, options);
  const configured = settings?.domains.map(({ domain }) => domain) ?? [];
  const report = await inspectLists(client, names, configured, {
    now: platform.now(),
    maxAge: options.maxAge,
    url: cli.url(options),
    published: (domain) => store?.published(domain) ?? null,
  });
  const counted = await inspectCounters(client, names);
  show(cli, report);
  showCounted(cli, counted, names);
  output.result({
    domains: report.lists,
    registry: report.registry?.partitions ?? null,
    answers: counted?.answers ?? null,
    faults: counted?.faults ?? null,
  });
  warn(cli, report.lists);
}

function warn(cli: Cli, lists: readonly ListState[]): void {
  const { output } = cli;
  const named = (isMeant: (list: ListState) => boolean): string =>
    lists
      .filter(isMeant)
      .map(({ domain }) => domain)
      .join(", ");
  const foreign = named((list) => list.key_fits === false && list.state === "served");
  if (foreign !== "") {
    output.warn(`lists under another key than the edge's, so every check is deferred: ${foreign}`);
    output.note(`what to do: ${OTHER_KEY_STEPS}`);
    cli.finish(EXIT.failed);
  }
  for (const { domain, fault } of lists) {
    if (fault === null) continue;
    output.warn(
      `damaged in the Registry, so that nothing is made from it: ${fault.startsWith(domain) ? fault : `${domain}: ${fault}`}`,
    );
    cli.finish(EXIT.failed);
  }
  const braked = named((list) => list.brake !== null);
  if (braked !== "") {
    output.warn(
      `the brake holds names that left, since so many of them are asked for: ${braked}; \`rollcall brake DOMAIN\` shows why, and what to do`,
    );
    cli.finish(EXIT.failed);
  }
  const filling = named((list) => list.publish_soon);
  if (filling !== "") {
    output.warn(
      `shards are half full: ${filling}; publish the list, which makes more of them, before single changes stop (repack_needed)`,
    );
  }
  const stale = named((list) => list.stale);
  if (stale !== "") {
    output.warn(`stale: ${stale}; check the job that publishes them`);
    cli.finish(EXIT.failed);
    return;
  }
  const missing = named((list) => list.state === "none");
  if (missing === "") return;
  output.warn(`no list published: ${missing}; check the name, or publish it with \`rollcall publish\``);
  if (cli.exitCode === EXIT.done) cli.finish(EXIT.input);
}

/** Octets of a Registry that holds 10 GB from which on `status` warns. */
const NEARLY_FULL = 8_000_000_000;
const megabytes = (octets: number): string => `${Math.round(octets / 1e6).toLocaleString("en")} MB`;

const STATE_NOTES: Readonly<Record<ListState["state"], string | null>> = {
  served: null,
  deleted: "deleted",
  none: "no list published",
};

function show(cli: Cli, { lists, registry }: ListReport): void {
  const { output, platform } = cli;
  const { dim, red, yellow } = output.colors;
  if (lists.length === 0) output.line("no domain is served yet: publish the first with `rollcall publish`");
  else
    output.table([
      ["DOMAIN", "GENERATION", "MODE", "ACTIVE", "OTHER", "AGE", "NOTES"].map(dim),
      ...lists.map(cells),
    ]);
  for (const partition of registry?.partitions ?? []) {
    const name = `Registry ${partition.partition}`;
    if (partition.incarnation === null) output.line(red(`${name} was never initialised`));
    if (partition.paused)
      output.line(yellow(`${name} is paused: nothing is refused until ROLLCALL_PAUSED is removed`));
    if (partition.kv_pending > 0)
      output.line(yellow(`${name}: ${partition.kv_pending} keys wait to be copied to KV`));
    if (partition.bytes !== null && partition.bytes > NEARLY_FULL)
      output.line(red(`${name}: ${megabytes(partition.bytes)} of 10,000 MB are used`));
    for (const { domain, kept, kept_most, uploads, uploads_most } of partition.usage ?? [])
      output.line(
        yellow(
          `${name}: ${domain} stores ${megabytes(kept)} of ${megabytes(kept_most)}, and ${megabytes(uploads)} of ${megabytes(uploads_most)} in uploads that no commit names`,
        ),
      );
    if (partition.kv_error !== null) output.line(red(`${name}: copying to KV fails: ${partition.kv_error}`));
  }

  function cells(list: ListState): string[] {
    const { counts, kv } = list;
    const notes = [
      STATE_NOTES[list.state],
      list.key_fits === false ? red("made under another key: deferred") : null,
      list.alias === null ? null : `alias of ${list.alias}`,
      list.patterns ? plural(list.patterns, "pattern") : null,
      kv === null || kv === "equal" || kv === "other-key" ? null : `KV ${kv}`,
      list.fault === null ? null : red("damaged in the Registry"),
      list.brake === null ? null : red(`${list.brake.held} leavers held`),
      list.refuses_from === null ? null : yellow(`refuses nobody until ${instant(list.refuses_from)}`),
      list.would_refuse === null ? null : `would refuse about ${plural(list.would_refuse, "name")} a day`,
      list.open_changes ? `${plural(list.open_changes, "open single change")}` : null,
      list.left_out ? `its sources leave out ${plural(list.left_out, "row")}` : null,
      list.publish_soon ? yellow("shards half full") : null,
      list.stale ? red("stale") : null,
    ].filter((note) => note !== null);
    return [
      list.domain,
      String(list.generation ?? "-"),
      list.mode === "observe" || list.mode === "defer" ? yellow(list.mode) : (list.mode ?? "-"),
      String(counts?.active ?? "-"),
      counts === null ? "-" : String(counts.disabled + counts.full + counts.moved),
      list.current === null ? "-" : duration(platform.now() - list.current),
      notes.join(", "),
    ];
  }
}
