import type { Command } from "commander";
import { ClientError } from "../../client/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import { examineDeployment, Problem, type StepResult } from "../../inspect/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { explain } from "../explain.ts";
import { examineBridgeHost } from "../mail-host.ts";
import { plural } from "../output.ts";

interface DoctorOptions extends EdgeOptions {
  readonly bridge?: boolean;
}

/** One step, as it is printed. */
interface Finding {
  readonly step: string;
  readonly state: StepResult["state"];
  readonly detail: string;
  /** What to do. */
  readonly hint: string | null;
}

const HELP = `
With --bridge, on a mail host: examines the bridge's settings and token, the clock, the edge, each listener, and what the
mail server gets from it (postmap -q, exim -bt, sendmail -bt). Changes nothing. Run it as root, with the token of the bridge.

Otherwise: publishes a list of one address for a domain that nobody has (rollcall-doctor-….invalid), checks it, and deletes it
again. Nothing else is touched. The deleted domain leaves the history after 30 days; \`rollcall status\` shows it only if it
is named. Needs the admin token.`;

/** `rollcall doctor`: whether a deployment works, step by step, and what to do if it does not. */
export function doctorCommand(cli: Cli): Command {
  return cli
    .edgeCommand("doctor", "test a deployment from outside, or the bridge of this mail host")
    .option("--bridge", "examine the bridge of this mail host instead, with its own token")
    .addHelpText("after", HELP)
    .action((options: DoctorOptions) => doctor(cli, options));
}

async function doctor(cli: Cli, options: DoctorOptions): Promise<void> {
  const { output } = cli;
  const { green, red } = output.colors;
  const steps: Finding[] = [];
  for await (const result of examine(cli, options)) {
    const found = findingOf(result, options.bridge === true);
    const located = (text: string): string => output.located(text);
    const hint = found.hint === null ? null : located(found.hint);
    const finding: Finding = { ...found, detail: located(found.detail), hint };
    steps.push(finding);
    show(cli, finding);
    // The first failure decides the exit code: it causes the others.
    if (result.state === "failed" && cli.exitCode === EXIT.done) cli.finish(exitOf(result));
  }
  const failed = steps.filter(({ state }) => state === "failed").length;
  const skipped = steps.filter(({ state }) => state === "skipped").length;
  const works = `everything works${skipped === 0 ? "" : `, as far as it was examined: ${plural(skipped, "step")} skipped`}`;
  output.line(failed === 0 ? green(works) : red(`${failed} of ${steps.length} steps failed`));
  output.result({ ok: failed === 0, steps });
}

function examine(cli: Cli, { bridge, ...edge }: DoctorOptions): AsyncGenerator<StepResult> {
  const { platform } = cli;
  if (bridge === true) return examineBridgeHost(cli, { ...edge, asMailHost: true });
  const ports = { client: cli.client(edge), hashing: stablelibHashing, clock: platform, timers: platform };
  return examineDeployment(ports, platform.randomBytes(8));
}

function findingOf(result: StepResult, isBridge: boolean): Finding {
  const { step, state } = result;
  if (state === "ok") return { step, state, detail: result.detail, hint: null };
  if (state === "skipped") return { step, state, detail: result.detail, hint: null };
  const { error } = result;
  if (error instanceof Problem) return { step, state, detail: error.message, hint: error.hint };
  const { message, hint, details } = explain(error);
  return {
    step,
    state,
    detail: [message, ...details].join("; "),
    hint:
      isRefused(error) && !isBridge
        ? "use the admin token: the value of the Worker's secret ROLLCALL_ADMIN_TOKEN"
        : hint,
  };
}

function exitOf({ step, error: found }: StepResult & { state: "failed" }): ExitCode {
  if (step === "secrets") return EXIT.edge;
  const error = found instanceof Problem ? (found.cause ?? found) : found;
  // The settings of a bridge.
  if (error instanceof CliError) return error.exit;
  if (error instanceof Problem) return EXIT.failed;
  const { exit } = explain(error);
  return isRefused(error) || exit === EXIT.edge ? exit : EXIT.failed;
}

const isRefused = (error: unknown): boolean =>
  error instanceof ClientError && (error.kind === "unauthorized" || error.kind === "forbidden");

function show(cli: Cli, { step, state, detail, hint }: Finding): void {
  const { output } = cli;
  const { green, red, dim } = output.colors;
  const mark = state === "ok" ? green("ok     ") : state === "failed" ? red("failed ") : dim("skipped");
  output.line(`${mark} ${step.padEnd(12)} ${detail}`);
  if (hint !== null) output.line(`        what to do: ${hint}`);
}
