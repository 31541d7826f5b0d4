import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { RollcallClient } from "../client/index.ts";
import { stablelibHashing } from "../directory/stablelib.ts";
import {
  AGAIN,
  filesOfSources,
  ListRecorder,
  ListStore,
  parseSyncStatus,
  type SyncedDomain,
  type SyncStatus,
  statusAfter,
  syncDomains,
  syncMetrics,
  UNSAID_MODE,
} from "../publish/index.ts";
import type { Cli, EdgeOptions } from "./context.ts";
import { EXIT, type ExitCode } from "./exit.ts";
import { explain } from "./explain.ts";
import { plural } from "./output.ts";
import { type Targets, targetsOf } from "./publish-targets.ts";
import { patternsInWords } from "./render-plan.ts";
import type { Settings } from "./settings.ts";
import { unconfiguredDomains, warnOfUnconfigured } from "./unconfigured.ts";
import { writeWhole } from "./whole-file.ts";

export interface SyncOptions extends EdgeOptions {
  readonly state?: string;
  readonly metricsFile?: string;
}

/** What a run works with. Made again when settings are read again. */
export interface SyncPlan {
  readonly settings: Settings;
  readonly targets: Targets["targets"];
  readonly client: RollcallClient;
  readonly edge: string;
  /** Files whose change starts a run, absolute. */
  readonly files: readonly string[];
}

/** @throws CliError for settings that cannot be used */
export function syncPlanOf(cli: Cli, options: SyncOptions): SyncPlan {
  const { targets, settings: read } = targetsOf(cli, undefined, options);
  // targetsOf found its domains there.
  const settings = read as Settings;
  const files = settings.domains.flatMap(({ sources }) =>
    filesOfSources(sources).map((path) => resolve(settings.directory, path)),
  );
  return { settings, targets, client: cli.client(options), edge: cli.url(options), files };
}

/** The result of one run. */
export interface SyncResult {
  readonly exit: ExitCode;
  readonly status: SyncStatus;
}

/** Runs of sync that share a state folder, whose lock this process holds. */
export class SyncRunner {
  readonly #cli: Cli;
  readonly #folder: string;
  readonly #metrics: string | null;

  constructor(cli: Cli, folder: string, options: SyncOptions) {
    this.#cli = cli;
    this.#folder = folder;
    this.#metrics = options.metricsFile === undefined ? null : cli.path(options.metricsFile);
  }

  /** Publishes each domain, and writes status and metrics. Throws nothing. */
  async run({ settings, targets, client, edge }: SyncPlan, stop: AbortSignal): Promise<SyncResult> {
    const { output, platform } = this.#cli;
    const started = platform.now();
    const warn = (text: string): void => output.warn(text);
    const store = new ListStore(this.#folder);
    const synced = await syncDomains(
      {
        client,
        hashing: stablelibHashing,
        timers: platform,
        recorder: new ListRecorder(store, edge, platform, warn, { keepsNames: settings.keepLists }),
        progress: { step: output.step },
        clock: platform,
        steady: () => platform.steady(),
      },
      targets,
      stop,
      (each) => this.#report(each),
    );
    const before = this.#status();
    const unconfigured = stop.aborted ? null : await this.#unconfigured(client, settings, before);
    const configured = targets.map(({ domain }) => domain);
    const run = { started, ended: platform.now(), synced, unconfigured };
    const status = statusAfter(before, run, configured);
    const isWritten = this.write(status);
    return { exit: exitOf(synced, isWritten), status };
  }

  /** Writes status and metrics. @returns whether both could be written */
  write(status: SyncStatus): boolean {
    const files: [path: string, text: string, mode: number][] = [
      [join(this.#folder, "status.json"), `${JSON.stringify(status, null, 2)}\n`, 0o600],
    ];
    // Read by node_exporter, which is another user; it has no addresses.
    if (this.#metrics !== null) files.push([this.#metrics, syncMetrics(status), 0o644]);
    let isWritten = true;
    for (const [path, text, mode] of files) {
      try {
        writeWhole(path, text, mode);
      } catch (error) {
        isWritten = false;
        this.#cli.output.warn(`cannot write ${path}: ${(error as Error).message}`);
      }
    }
    return isWritten;
  }

  #status(): SyncStatus | null {
    try {
      return parseSyncStatus(readFileSync(join(this.#folder, "status.json"), "utf8"));
    } catch {
      // The first run; a file that cannot be read is replaced.
      return null;
    }
  }

  #report({ domain, outcome }: SyncedDomain): void {
    const { output } = this.#cli;
    if ("held" in outcome && outcome.held > 0)
      output.warn(
        `${domain}: the brake holds ${plural(outcome.held, "name")} that left; see \`rollcall brake ${domain}\``,
      );
    if (outcome.kind === "published") {
      const { base, difference, patternChanges, resultingMode, warnings } = outcome.planned.plan;
      const isNew = base === null || base.deleted;
      if (isNew && warnings.includes(UNSAID_MODE)) output.warn(`${domain}: ${UNSAID_MODE}`);
      const patterns = patternsInWords(patternChanges);
      const changes =
        difference === null
          ? "names cannot be compared"
          : `${difference.added} added, ${difference.removed} removed, ${difference.changed} changed${patterns}`;
      output.line(
        `${output.colors.green("published")} ${domain} as generation ${outcome.generation}${isNew ? `, in ${resultingMode} mode` : ""}: ${changes}`,
      );
    } else if (outcome.kind === "failed") {
      const { message, details, hint } = explain(outcome.error);
      // It has no options of its own that override anything.
      const publish = `run \`rollcall publish --domain ${domain}`;
      const advice = hint
        ?.replace(new RegExp(`${AGAIN} with (--[\\w-]+)`), `${publish} $1\``)
        .replace(AGAIN, `${publish}\``);
      output.failure(`${domain}: ${message}`, details, advice ?? null);
    } else if (outcome.kind === "stopped") {
      output.warn(`${domain}: not published, since sync was told to stop`);
    }
  }

  /** Warns once of each domain: cron sends a mail for every warning. */
  async #unconfigured(
    client: RollcallClient,
    settings: Settings,
    before: SyncStatus | null,
  ): Promise<string[] | null> {
    const { output } = this.#cli;
    try {
      const domains = await unconfiguredDomains(client, settings);
      const known = new Set(before?.unconfigured);
      const isNew = (domain: string): boolean => !known.has(domain);
      warnOfUnconfigured(output, domains.filter(isNew), settings);
      return domains;
    } catch (error) {
      output.warn(`cannot tell which domains the edge serves: ${explain(error).message}`);
      return null;
    }
  }
}

/** The code of the failures, if all have the same; 1 for several, for a run that was stopped, and for a status that is lost. */
function exitOf(synced: readonly SyncedDomain[], isWritten: boolean): ExitCode {
  const codes = new Set<ExitCode>(isWritten ? [] : [EXIT.failed]);
  for (const { outcome } of synced) {
    if (outcome.kind === "failed") codes.add(explain(outcome.error).exit);
    if (outcome.kind === "stopped") codes.add(EXIT.failed);
  }
  const [only] = codes;
  return only === undefined ? EXIT.done : codes.size === 1 ? only : EXIT.failed;
}
