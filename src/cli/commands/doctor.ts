import { type Command, Option } from "commander";
import type { Health } from "../../api/contract.ts";
import { ClientError, type Outcome, type RollcallClient } from "../../client/index.ts";
import {
  CANONICALISER_VERSION,
  DEFAULT_POLICY,
  domainKey,
  encodeShard,
  fingerprint,
  fromBase64Url,
  sentinels,
  tailOf,
  toBase64Url,
} from "../../directory/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import type { Cli } from "../context.ts";
import { examineFaults, examineKeys, examineTokens, StepFailure } from "../examining.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { explain } from "../explain.ts";
import type { Platform } from "../platform.ts";
import { SETTINGS_FILE } from "../settings.ts";
import { trialDomain } from "../trial.ts";

interface DoctorOptions {
  readonly live?: string;
  readonly tokenFile?: string;
}

/** What became of one step. */
interface Finding {
  readonly step: string;
  readonly state: "ok" | "failed" | "skipped";
  readonly detail: string;
  /** What to do. */
  readonly hint: string | null;
}

/** How long a change may take to be seen: the longest default window, and some. */
const PATIENCE_MS = 45_000;
const PAUSE_MS = 500;
const LATENCY_CHECKS = 9;
/** A front end gives up after 5 s; a median above this leaves too little room for slow ones. */
const SLOW_MS = 1_000;

const HELP = `
Publishes a list of one address for a domain that nobody has (rollcall-doctor-….invalid), checks it and deletes it
again; mail for it would be deferred for a day, and nothing else is touched. What is left of it goes with the history
(30 days); \`rollcall status\` shows it only by its name. Needs the admin token.`;

/** `rollcall doctor`: whether a deployment works, step by step, and what to do where it does not. */
export function doctorCommand(cli: Cli): Command {
  return cli
    .command("doctor", "test a deployment from outside")
    .addOption(
      new Option("--live <url>", `the edge to test (default: ROLLCALL_URL, then url in ${SETTINGS_FILE})`),
    )
    .addOption(new Option("--token-file <file>", "file that holds the admin token (default: ROLLCALL_TOKEN)"))
    .addHelpText("after", HELP)
    .action(async ({ live, tokenFile }: DoctorOptions) => {
      const client = cli.client({
        ...(live === undefined ? {} : { url: live }),
        ...(tokenFile === undefined ? {} : { tokenFile }),
      });
      const examination = new Examination(client, cli);
      await examination.run();
      const { findings } = examination;
      const failed = findings.filter((each) => each.state === "failed").length;
      cli.output.line(
        failed === 0
          ? cli.output.colors.green("everything works")
          : cli.output.colors.red(`${failed} of ${findings.length} steps failed`),
      );
      cli.output.result({ ok: failed === 0, steps: findings });
      cli.finish(examination.exit);
    });
}

class Examination {
  readonly findings: Finding[] = [];
  exit: ExitCode = EXIT.done;
  readonly #client: RollcallClient;
  readonly #cli: Cli;
  readonly #platform: Platform;
  readonly #domain: string;

  constructor(client: RollcallClient, cli: Cli) {
    this.#client = client;
    this.#cli = cli;
    this.#platform = cli.platform;
    this.#domain = trialDomain(cli.platform.randomBytes(8));
  }

  async run(): Promise<void> {
    const reached = await this.#step("answers", () => this.#answers());
    const configured = await this.#step("secrets", () => this.#secrets(), reached);
    const allowed = await this.#step("credentials", () => this.#credentials(), configured);
    const registry = await this.#step("registry", () => this.#registry(), allowed);
    await this.#step("kv-read", () => this.#kvRead(), registry);
    await this.#step("keys", () => examineKeys(this.#client), registry);
    await this.#step("tokens", () => examineTokens(this.#client, this.#platform.now()), registry);
    const published = await this.#step("publish", () => this.#publish(), registry);
    await this.#step("deliverable", () => this.#expect("listed", "deliverable", "accept"), published);
    await this.#step("unknown", () => this.#expect("nobody", "unknown", "reject"), published);
    await this.#step("kv-copy", () => this.#kv(), published);
    await this.#step("latency", () => this.#latency(), published);
    await this.#step("delete", () => this.#delete(), published);
    // Last: the questions that the steps before made the edge ask carried its counts along.
    await this.#step("faults", () => examineFaults(this.#client), registry);
  }

  /** Does a step and says what became of it. @returns whether it is well */
  async #step(step: string, action: () => Promise<string>, possible = true): Promise<boolean> {
    let finding: Finding = { step, state: "skipped", detail: "an earlier step failed", hint: null };
    if (possible) {
      try {
        finding = { step, state: "ok", detail: await action(), hint: null };
      } catch (error) {
        finding = { step, state: "failed", ...this.#words(error) };
      }
    }
    this.findings.push(finding);
    this.#show(finding);
    return finding.state === "ok";
  }

  #words(error: unknown): { detail: string; hint: string | null } {
    if (error instanceof StepFailure) {
      this.#fail(EXIT.failed);
      return { detail: error.message, hint: error.hint };
    }
    const { message, hint, exit } = explain(error);
    if (error instanceof ClientError && (error.kind === "unauthorized" || error.kind === "forbidden")) {
      this.#fail(exit);
      return {
        detail: message,
        hint: "give the admin token: what the Worker's secret ROLLCALL_ADMIN_TOKEN holds",
      };
    }
    this.#fail(exit === EXIT.edge ? exit : EXIT.failed);
    return { detail: message, hint };
  }

  /** The first failure decides the exit code: it is the cause of others. */
  #fail(code: ExitCode): void {
    if (this.exit === EXIT.done) this.exit = code;
  }

  #show({ step, state, detail, hint }: Finding): void {
    const { output } = this.#cli;
    const { green, red, dim } = output.colors;
    const mark = state === "ok" ? green("ok     ") : state === "failed" ? red("failed ") : dim("skipped");
    output.line(`${mark} ${step.padEnd(12)} ${detail}`);
    if (hint !== null) output.line(`        what to do: ${hint}`);
  }

  #health: Health | null = null;

  async #answers(): Promise<string> {
    const started = this.#platform.now();
    this.#health = await this.#client.health();
    return `release ${this.#health.version}, in ${Math.round(this.#platform.now() - started)} ms`;
  }

  async #secrets(): Promise<string> {
    const { status, faults } = this.#health as Health;
    if (status === "ok") return "secrets and bindings are there and can be used";
    this.#fail(EXIT.edge);
    throw new StepFailure(
      faults.join("; "),
      "put each missing secret with `npx wrangler secret put NAME`, correct wrangler.toml, and deploy again",
    );
  }

  async #credentials(): Promise<string> {
    await this.#client.registry();
    return "the admin token is taken";
  }

  async #registry(): Promise<string> {
    const { partitions } = await this.#client.initialiseRegistry();
    const lacking = partitions.filter((each) => each.incarnation === null);
    if (partitions.length === 0 || lacking.length > 0) {
      throw new StepFailure(
        "the Registry takes a write and is not initialised all the same",
        "see the Worker's logs: `npx wrangler tail`",
      );
    }
    const stuck = partitions.find((each) => each.kv_error !== null);
    if (stuck !== undefined) {
      throw new StepFailure(
        `partition ${stuck.partition} cannot copy to KV: ${stuck.kv_error}`,
        "check the KV namespace of the binding ROLLCALL_KV, and the day's limit of KV writes of your plan",
      );
    }
    return `can be written; ${partitions.length} of ${partitions.length} partitions initialised`;
  }

  async #kvRead(): Promise<string> {
    const { kv_readable, kv_cache_ttl } = await this.#client.registry();
    if (!kv_readable) {
      throw new StepFailure(
        "KV cannot be read",
        "check the KV namespace of the binding ROLLCALL_KV, and the day's limit of KV reads of your plan",
      );
    }
    return `KV takes a cacheTtl of ${kv_cache_ttl} s`;
  }

  async #publish(): Promise<string> {
    const body = await this.#client.key(this.#domain);
    const key = domainKey(stablelibHashing, fromBase64Url(body.key), this.#domain, body.epoch);
    if (key.id !== body.key_id || body.canonicaliser !== CANONICALISER_VERSION) {
      throw new StepFailure(
        "this command and the edge derive different keys or spellings",
        "use the same release of Rollcall on both sides",
      );
    }
    const tail = tailOf(fingerprint(key.names, "listed"));
    const shard = encodeShard({ tails: Float64Array.of(tail), states: Uint8Array.of(0) }, 0, 0);
    const { generations } = await this.#client.commit({
      domains: [
        {
          domain: this.#domain,
          expect: null,
          epoch: key.epoch,
          key_id: key.id,
          canonicaliser: CANONICALISER_VERSION,
          sentinels: sentinels(key.names, DEFAULT_POLICY),
          shards: { bits: 0, inline: toBase64Url(shard) },
        },
      ],
      note: "rollcall doctor",
    });
    return `generation ${generations[this.#domain]} of ${this.#domain}`;
  }

  /** Asks until the answer is the one that is due: another isolate may learn of the publish a window later. */
  async #expect(name: string, verdict: string, action: string): Promise<string> {
    const recipient = `${name}@${this.#domain}`;
    const started = this.#platform.now();
    for (;;) {
      const outcome = await this.#client.check(recipient);
      const waited = this.#platform.now() - started;
      if (outcome.kind === "answer" && outcome.answer.verdict === verdict) {
        if (outcome.answer.action !== action) {
          throw new StepFailure(
            `${verdict}, with the action ${outcome.answer.action} in place of ${action}`,
            "use the same release of Rollcall on both sides",
          );
        }
        return `${outcome.answer.reply} (after ${(waited / 1000).toFixed(1)} s)`;
      }
      if (waited > PATIENCE_MS || !mayChange(outcome)) throw unexpected(outcome, verdict);
      await this.#platform.sleep(PAUSE_MS);
    }
  }

  async #kv(): Promise<string> {
    const started = this.#platform.now();
    for (;;) {
      const head = await this.#client.domain(this.#domain);
      const waited = this.#platform.now() - started;
      if (head?.kv.state === "equal") return `has the list (after ${(waited / 1000).toFixed(1)} s)`;
      if (waited > PATIENCE_MS) {
        const { partitions } = await this.#client.registry();
        const why = partitions.find((each) => each.kv_error !== null)?.kv_error ?? "no reason is known";
        throw new StepFailure(
          `is ${head?.kv.state ?? "without the domain"} after ${Math.round(waited / 1000)} s: ${why}`,
          "checks go on meanwhile, from the Registry. KV may lag a minute: run it again; if it stays, see the " +
            "day's limit of KV writes of your plan, and `npx wrangler tail`",
        );
      }
      await this.#platform.sleep(PAUSE_MS);
    }
  }

  async #latency(): Promise<string> {
    const times: number[] = [];
    for (let i = 0; i < LATENCY_CHECKS; i++) {
      const started = this.#platform.now();
      await this.#client.check(`listed@${this.#domain}`);
      times.push(this.#platform.now() - started);
    }
    times.sort((a, b) => a - b);
    const median = times[(LATENCY_CHECKS - 1) / 2] as number;
    const slowest = times.at(-1) as number;
    const text = `median ${Math.round(median)} ms, slowest ${Math.round(slowest)} ms of ${LATENCY_CHECKS} checks`;
    if (median <= SLOW_MS) return text;
    throw new StepFailure(text, "front ends wait 5 s: measure from where they are, and look at the network");
  }

  async #delete(): Promise<string> {
    const head = await this.#client.domain(this.#domain);
    if (head === null) throw new StepFailure("the domain is gone already", "see `rollcall history`");
    await this.#client.deleteDomain(this.#domain, head.generation);
    return `${this.#domain} is deleted`;
  }
}

/** Whether asking again may bring another answer. */
function mayChange(outcome: Outcome): boolean {
  if (outcome.kind === "none") return outcome.why instanceof ClientError && outcome.why.transient;
  const { verdict } = outcome.answer;
  return verdict === "unavailable" || verdict === "not-served" || verdict === "throttled";
}

function unexpected(outcome: Outcome, verdict: string): Error {
  if (outcome.kind === "none") return outcome.why;
  const { answer } = outcome;
  const why = answer.detail === undefined ? "" : ` (${answer.detail})`;
  return new StepFailure(
    `the answer is ${answer.verdict}${why} in place of ${verdict}: ${answer.reply}`,
    "`rollcall status` shows how the domain stands; see also the Worker's logs: `npx wrangler tail`",
  );
}
