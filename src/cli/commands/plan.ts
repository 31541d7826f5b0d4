import type { Command } from "commander";
import { stablelibHashing } from "../../directory/stablelib.ts";
import {
  encodePlanFile,
  FREE_KV_WRITES_A_DAY,
  isRefusedPlan,
  KV_DOLLARS_PER_MILLION_WRITES,
  openChanges,
  type PlannedList,
  planChanges,
  type UploadSize,
  uploadSize,
} from "../../publish/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { EXIT } from "../exit.ts";
import { octets, plural } from "../output.ts";
import {
  type ListOptions,
  listRecorderOf,
  stateOption,
  type Targets,
  targetsOf,
  withListOptions,
  withPatchedOptions,
} from "../publish-targets.ts";
import { planJson, showPlan } from "../render-plan.ts";
import { unconfiguredDomains, warnOfUnconfigured } from "../unconfigured.ts";
import { writeWhole } from "../whole-file.ts";

interface PlanCommandOptions extends EdgeOptions, ListOptions {
  readonly out?: string;
}

const HELP = `
Takes the same lists as \`rollcall publish\`, shows what publishing them would change, and changes nothing. With --out it
writes the plan into a file (mode 0600: it names people). \`rollcall publish FILE\` publishes exactly that plan, or stops if
the list was changed since.

Exit codes, beside those of all commands (\`rollcall --help\`):
  0  nothing to change
  7  there are changes, and the guard passes
  4  the guard refuses, a source gives less than it gave last, the list is not what rollcall.toml expects, or single
     changes need a decision`;

/** `rollcall plan`: shows what a publish would change. */
export function planCommand(cli: Cli): Command {
  return withPatchedOptions(
    withListOptions(cli.edgeCommand("plan", "show what publishing would change, and change nothing")),
  )
    .addOption(stateOption())
    .option("--out <file>", "write the plan into a file, for `rollcall publish FILE`")
    .addHelpText("after", HELP)
    .action((file: string | undefined, options: PlanCommandOptions) =>
      plan(cli, targetsOf(cli, file, options), options, file === undefined && options.domain === undefined),
    );
}

async function plan(
  cli: Cli,
  { targets, settings }: Targets,
  { out, ...options }: PlanCommandOptions,
  isWhole: boolean,
): Promise<void> {
  const { output } = cli;
  const client = cli.client(options);
  const recorder = listRecorderOf(cli, settings, options);
  const progress = { step: output.step, planned: (list: PlannedList) => showPlan(output, list, options) };
  let planned: readonly PlannedList[];
  try {
    planned = await planChanges({ client, hashing: stablelibHashing, recorder, progress }, targets, options);
  } finally {
    recorder?.discardRest();
  }
  const unconfigured = isWhole ? await unconfiguredDomains(client, settings) : [];
  const changed = planned.filter(({ plan }) => !plan.unchanged);
  const size = uploadSize(planned.map(({ plan }) => plan));
  showSummary(cli, planned, size);
  warnOfUnconfigured(output, unconfigured, settings);
  if (out !== undefined) {
    const edge = new URL(cli.url(options)).origin;
    writeWhole(cli.path(out), encodePlanFile(planned, edge, stablelibHashing), 0o600);
    output.line(`The plan is in ${out}. To publish exactly this: rollcall publish ${out}`);
  }
  const isOpen = changed.some(({ plan }) => openChanges(plan.patched) !== null);
  const isRefused = isOpen || (planned.some(({ plan }) => isRefusedPlan(plan)) && !options.force);
  cli.finish(isRefused ? EXIT.guard : changed.length > 0 ? EXIT.changes : EXIT.done);
  output.result({
    changes: changed.length > 0,
    refused: isRefused,
    upload: {
      shards: size.shards,
      bytes: size.bytes,
      kv_writes: size.kvWrites,
      dollars: dollarsOf(size),
    },
    unconfigured,
    out: out ?? null,
    domains: planned.map(planJson),
  });
}

const dollarsOf = ({ kvWrites }: UploadSize): number => (kvWrites * KV_DOLLARS_PER_MILLION_WRITES) / 1e6;

function showSummary({ output }: Cli, planned: readonly PlannedList[], size: UploadSize): void {
  const changed = planned.filter(({ plan }) => !plan.unchanged);
  output.line();
  if (changed.length === 0) {
    output.line(`Plan: nothing to change in ${plural(planned.length, "domain")}.`);
    return;
  }
  const total = { added: 0, removed: 0, changed: 0 };
  for (const { plan } of changed) {
    for (const change of ["added", "removed", "changed"] as const)
      total[change] += (plan.difference?.[change] ?? 0) + plan.patternChanges[change];
  }
  const rest = planned.length - changed.length;
  output.line(
    `Plan: ${plural(changed.length, "domain")} to change, ${rest} unchanged; ` +
      `${total.added} added, ${total.removed} removed, ${total.changed} changed.`,
  );
  const share = Math.ceil((size.kvWrites / FREE_KV_WRITES_A_DAY) * 1000) / 10;
  output.line(
    `To upload: at most ${size.shards === 0 ? "" : `${plural(size.shards, "shard")}, `}${octets(size.bytes)}, and ` +
      `${plural(size.kvWrites, "KV write")}: ` +
      `${share} % of a day's on the free plan, or $${dollarsOf(size).toFixed(6)} beyond what is included.`,
  );
}
