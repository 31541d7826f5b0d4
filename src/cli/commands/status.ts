import { type Command, InvalidArgumentError } from "commander";
import type { DomainDescription, DomainSummary, EdgeStatus, RegistryStatus } from "../../api/contract.ts";
import { ClientError, type RollcallClient } from "../../client/index.ts";
import type { Counts } from "../../directory/index.ts";
import { OTHER_KEY_STEPS } from "../../publish/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { showCounted } from "../counted.ts";
import { EXIT, usageError } from "../exit.ts";
import { duration } from "../output.ts";
import { domainOf, listStoreOf, settingsOf } from "../publish-targets.ts";
import { isTrialDomain } from "../trial.ts";

interface StatusOptions extends EdgeOptions {
  readonly config?: string;
  /** Milliseconds. */
  readonly maxAge?: number;
}

/** One domain as it stands. */
interface Row {
  readonly domain: string;
  /** `kv`: put into KV without the Registry, and answered from there. */
  readonly state: "served" | "deleted" | "kv" | "none";
  readonly generation: number | null;
  readonly mode: string | null;
  readonly counts: Counts | null;
  readonly alias: string | null;
  /** When the list was published, or last found by this host to be the newest; Unix milliseconds. */
  readonly current: number | null;
  /** How KV stands against the head; only where the domain was named. */
  readonly kv: string | null;
  /** Whether the list was made under the edge's key; null where that is not known. */
  readonly key_fits: boolean | null;
  readonly stale: boolean;
}

const HELP = `
Without a domain, all are shown that are served and that the token covers: a check token, as a mail host has, shows its
own. Those of rollcall.toml are shown too where they have no list. Trial domains that \`rollcall doctor\` deleted are left out. With --max-age, the exit code is 1 where a list was
not published for longer, or never. A publish that found nothing to change counts as well, on the host that ran it. An
alias has no list and is never stale. Without --max-age, the exit code is 3 where a domain has no list.`;

/** `rollcall status`: how domains stand, and whether their lists are fresh. */
export function statusCommand(cli: Cli): Command {
  return cli
    .edgeCommand("status", "show how domains stand, and whether their lists are fresh")
    .argument("[domain...]", "domains to look at")
    .option("--max-age <age>", "exit 1 where a list is older, such as 36h or 2d", age)
    .option("--config <file>", "settings file (default: rollcall.toml in the working directory)")
    .addHelpText("after", HELP)
    .action((domains: string[], options: StatusOptions) => status(cli, domains, options));
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `30m`, `36h`, `2d` in milliseconds. */
export function age(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) {
    throw new InvalidArgumentError("It must be a number with a unit: 90s, 30m, 36h or 2d.");
  }
  return Number(count) * (UNITS[unit] as number);
}

async function status(cli: Cli, names: readonly string[], options: StatusOptions): Promise<void> {
  const { output, platform } = cli;
  const settings = settingsOf(cli, options.config);
  const client = cli.client(options);
  const kept = listStoreOf(cli, settings);
  const url = cli.url(options);
  const rowOf = (domain: string, summary: DomainSummary | null, kv: string | null): Row => {
    const seen = kept?.published(domain);
    const foundLater = summary !== null && seen?.url === url && seen?.generation === summary.generation;
    const current = summary === null ? null : Math.max(summary.time, foundLater ? (seen?.time ?? 0) : 0);
    const state = summary === null ? "none" : summary.deleted_until === null ? "served" : "deleted";
    const tooOld = current === null || platform.now() - current > (options.maxAge ?? 0);
    return {
      domain,
      state,
      generation: summary?.generation ?? null,
      mode: summary?.mode ?? null,
      counts: summary?.counts ?? null,
      alias: summary?.alias ?? null,
      current,
      kv,
      key_fits: summary?.key_fits ?? null,
      // A deleted domain was ended on purpose, and an alias has no list.
      stale:
        options.maxAge !== undefined && state !== "deleted" && (summary?.alias ?? null) === null && tooOld,
    };
  };
  const { rows, registry } = await look(
    client,
    names.map(domainOf),
    settings?.domains.map((each) => each.domain) ?? [],
    rowOf,
  );
  const counted = await countedBy(client, names.map(domainOf));
  show(cli, rows, registry);
  showCounted(cli, counted, names.map(domainOf));
  output.result({
    domains: rows,
    registry: registry?.partitions ?? null,
    answers: counted?.answers ?? null,
    faults: counted?.faults ?? null,
  });
  const foreign = rows.filter((row) => row.key_fits === false && row.state === "served");
  if (foreign.length > 0) {
    const names = foreign.map((row) => row.domain).join(", ");
    output.warn(`made under another key than the edge's, so that every check is deferred: ${names}`);
    output.note(`what to do: ${OTHER_KEY_STEPS}`);
    cli.finish(EXIT.failed);
  }
  const stale = rows.filter((row) => row.stale);
  if (stale.length > 0) {
    output.warn(`stale: ${stale.map((row) => row.domain).join(", ")}; look at what publishes them`);
    cli.finish(EXIT.failed);
    return;
  }
  const lacking = rows.filter((row) => row.state === "none").map((row) => row.domain);
  if (lacking.length === 0) return;
  output.warn(`no list published: ${lacking.join(", ")}; check the name, or \`rollcall publish\` it`);
  cli.finish(EXIT.input);
}

/** What the edge counted; null where the token may not see it, or the edge is of an earlier release. */
async function countedBy(client: RollcallClient, names: readonly string[]): Promise<EdgeStatus | null> {
  // What doctor tried is no mail, unless it is asked for by its name.
  const isShown = ({ domain }: { readonly domain: string | null }): boolean =>
    domain === null || names.includes(domain) || !isTrialDomain(domain);
  try {
    const { answers, faults } = await client.status();
    return { answers: answers.filter(isShown), faults: faults.filter(isShown) };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.kind === "forbidden" || error.code === "not_found" || error.code === "uninitialised")
      return null;
    throw error;
  }
}

interface Look {
  readonly rows: readonly Row[];
  readonly registry: RegistryStatus | null;
}

type RowOf = (domain: string, summary: DomainSummary | null, kv: string | null) => Row;

/** The domains that are named; else all that the token covers, and those of the settings. */
async function look(
  client: RollcallClient,
  names: readonly string[],
  ofSettings: readonly string[],
  rowOf: RowOf,
): Promise<Look> {
  if (names.length > 0) return { rows: await describe(client, names, rowOf), registry: null };
  try {
    const [domains, registry] = await Promise.all([client.domains(), unlessForbidden(client.registry())]);
    const shown = domains.filter((each) => each.deleted_until === null || !isTrialDomain(each.domain));
    const listed = new Set(domains.map(({ domain }) => domain));
    // This host is meant to publish them, and nobody did.
    const lacking = await describe(
      client,
      ofSettings.filter((domain) => !listed.has(domain)),
      rowOf,
    );
    return { rows: [...shown.map((summary) => rowOf(summary.domain, summary, null)), ...lacking], registry };
  } catch (error) {
    if (!isForbidden(error)) throw error;
    if (ofSettings.length === 0) {
      throw usageError(
        "only an admin token may list all domains",
        "name the domains: rollcall status example.com",
      );
    }
    return { rows: await describe(client, ofSettings, rowOf), registry: null };
  }
}

const isForbidden = (error: unknown): error is ClientError =>
  error instanceof ClientError && error.kind === "forbidden";

/** What only an admin may see: null for others. */
const unlessForbidden = <T>(asked: Promise<T>): Promise<T | null> =>
  asked.catch((error: unknown) => {
    if (isForbidden(error)) return null;
    throw error;
  });

async function describe(client: RollcallClient, domains: readonly string[], rowOf: RowOf): Promise<Row[]> {
  const rows: Row[] = [];
  for (const domain of domains) {
    let found: DomainDescription | null;
    try {
      found = await client.domain(domain);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return describeListed(client, domains, rowOf);
    }
    const kv = found === null ? null : found.kv.state;
    const row = rowOf(domain, found, kv);
    rows.push(found === null ? await withExport(client, row) : row);
  }
  return rows;
}

/** What a token may see that may only check: each list's own state, and not KV's. */
async function describeListed(
  client: RollcallClient,
  domains: readonly string[],
  rowOf: RowOf,
): Promise<Row[]> {
  const listed = new Map((await client.domains()).map((summary) => [summary.domain, summary]));
  const rows: Row[] = [];
  for (const domain of domains) {
    const summary = listed.get(domain) ?? null;
    const row = rowOf(domain, summary, null);
    rows.push(summary === null ? await withExport(client, row) : row);
  }
  return rows;
}

/** A domain without a head may have been put into KV by an export; only an answer from there tells. */
async function withExport(client: RollcallClient, row: Row): Promise<Row> {
  const outcome = await client.check(`postmaster@${row.domain}`);
  // Only an answer about a domain that the token does not cover names none.
  if (outcome.kind === "answer" && outcome.answer.domain === null) {
    throw new ClientError("forbidden", `this token does not cover ${row.domain}`);
  }
  if (outcome.kind === "none" || outcome.answer.origin !== "kv") return row;
  const { generation, mode } = outcome.answer;
  return { ...row, state: "kv", generation, mode };
}

const STATE_NOTES: Readonly<Record<Row["state"], string | null>> = {
  served: null,
  deleted: "deleted",
  kv: "from KV alone: as fresh as KV is, and of unknown age",
  none: "no list published",
};

function show(cli: Cli, rows: readonly Row[], registry: RegistryStatus | null): void {
  const { output, platform } = cli;
  const { dim, red, yellow } = output.colors;
  if (rows.length === 0) output.line("no domain is served yet: `rollcall publish` publishes the first");
  else
    output.table([
      ["DOMAIN", "GENERATION", "MODE", "ACTIVE", "OTHER", "AGE", "NOTES"].map(dim),
      ...rows.map(cells),
    ]);
  for (const partition of registry?.partitions ?? []) {
    const name = `Registry ${partition.partition}`;
    if (partition.incarnation === null) output.line(red(`${name} was never initialised`));
    if (partition.kv_pending > 0)
      output.line(yellow(`${name}: ${partition.kv_pending} keys wait to be copied to KV`));
    if (partition.kv_error !== null) output.line(red(`${name}: copying to KV fails: ${partition.kv_error}`));
  }

  function cells(row: Row): string[] {
    const notes = [
      STATE_NOTES[row.state],
      row.key_fits === false ? red("made under another key: deferred") : null,
      row.alias === null ? null : `alias of ${row.alias}`,
      row.kv === null || row.kv === "equal" || row.kv === "other-key" ? null : `KV ${row.kv}`,
      row.stale ? red("stale") : null,
    ].filter((note) => note !== null);
    const { counts } = row;
    return [
      row.domain,
      String(row.generation ?? "-"),
      row.mode === "observe" ? yellow("observe") : (row.mode ?? "-"),
      String(counts?.active ?? "-"),
      counts === null ? "-" : String(counts.disabled + counts.full + counts.moved),
      row.current === null ? "-" : duration(platform.now() - row.current),
      notes.join(", "),
    ];
  }
}
