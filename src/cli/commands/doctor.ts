import { type Command, Option } from "commander";
import { ClientError } from "../../client/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import { examineDeployment, Problem, type StepResult } from "../../inspect/index.ts";
import type { Cli } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { explain } from "../explain.ts";
import { SETTINGS_FILE } from "../settings.ts";

interface DoctorOptions {
  readonly live?: string;
  readonly tokenFile?: string;
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
Publishes a list of one address for a domain that nobody has (rollcall-doctor-….invalid), checks it, and deletes it
again. Nothing else is touched. The deleted domain leaves the history after 30 days; \`rollcall status\` shows it only by
name. Needs the admin token.`;

/** `rollcall doctor`: whether a deployment works, step by step, and what to do if it does not. */
export function doctorCommand(cli: Cli): Command {
  return cli
    .command("doctor", "test a deployment from outside")
    .addOption(
      new Option("--live <url>", `the edge to test (default: ROLLCALL_URL, then url in ${SETTINGS_FILE})`),
    )
    .addOption(new Option("--token-file <file>", "file with the admin token (default: ROLLCALL_TOKEN)"))
    .addHelpText("after", HELP)
    .action((options: DoctorOptions) => doctor(cli, options));
}

async function doctor(cli: Cli, { live, tokenFile }: DoctorOptions): Promise<void> {
  const { output, platform } = cli;
  const { green, red } = output.colors;
  const client = cli.client({
    ...(live === undefined ? {} : { url: live }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  });
  const ports = { client, hashing: stablelibHashing, clock: platform, timers: platform };
  const steps: Finding[] = [];
  for await (const result of examineDeployment(ports, platform.randomBytes(8))) {
    const finding = findingOf(result);
    steps.push(finding);
    show(cli, finding);
    // The first failure decides the exit code: it causes the others.
    if (result.state === "failed" && cli.exitCode === EXIT.done) cli.finish(exitOf(result));
  }
  const failed = steps.filter(({ state }) => state === "failed").length;
  output.line(failed === 0 ? green("everything works") : red(`${failed} of ${steps.length} steps failed`));
  output.result({ ok: failed === 0, steps });
}

function findingOf(result: StepResult): Finding {
  const { step, state } = result;
  if (state === "ok") return { step, state, detail: result.detail, hint: null };
  if (state === "skipped") return { step, state, detail: "an earlier step failed", hint: null };
  const { error } = result;
  if (error instanceof Problem) return { step, state, detail: error.message, hint: error.hint };
  const { message, hint } = explain(error);
  return {
    step,
    state,
    detail: message,
    hint: isRefused(error)
      ? "use the admin token: the value of the Worker's secret ROLLCALL_ADMIN_TOKEN"
      : hint,
  };
}

function exitOf({ step, error }: StepResult & { state: "failed" }): ExitCode {
  if (step === "secrets") return EXIT.edge;
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
