import type { Health } from "../api/index.ts";
import { ClientError, type Outcome, type RollcallClient } from "../client/index.ts";
import type { Hashing } from "../directory/index.ts";
import { memorySource, PublishError, publishLists, SAME_RELEASE } from "../publish/index.ts";
import type { Clock } from "../runtime/ports.ts";
import {
  examineBrakes,
  examineFaults,
  examineHeads,
  examineKeys,
  examineNumbers,
  examineTokens,
} from "./contents.ts";
import { Problem } from "./problem.ts";
import { runSteps, type StepResult } from "./steps.ts";
import { trialDomain } from "./trial.ts";

export interface ExaminationPorts {
  readonly client: RollcallClient;
  readonly hashing: Hashing;
  /** Unix milliseconds. */
  readonly clock: Clock;
  readonly timers: { sleep(ms: number): Promise<void> };
}

/** How long a change may take to show: the longest default window, and some more. */
const TIMEOUT_MS = 45_000;
const PAUSE_MS = 500;
const LATENCY_CHECKS = 9;
/** A front end gives up after 5 s; a higher median leaves too little room for slow checks. */
const SLOW_MS = 1_000;

/**
 * Examines a deployment, step by step: publishes a list of one address for a domain that nobody has, checks it, and
 * deletes it again. Steps that depend on one that failed are skipped.
 * @param random eight bytes, for the name of the domain
 */
export async function* examineDeployment(
  ports: ExaminationPorts,
  random: Uint8Array,
): AsyncGenerator<StepResult> {
  const trial = new Trial(ports, trialDomain(random));
  const { client, clock } = ports;
  yield* runSteps([
    ["answers", null, () => trial.answers()],
    ["secrets", "answers", () => trial.secrets()],
    ["credentials", "secrets", () => trial.credentials()],
    ["registry", "credentials", () => trial.registry()],
    ["kv-read", "registry", () => trial.kvRead()],
    ["keys", "registry", () => examineKeys(client)],
    ["heads", "registry", () => examineHeads(client)],
    ["tokens", "registry", () => examineTokens(client, clock.now())],
    ["numbers", "registry", () => examineNumbers(client)],
    ["publish", "registry", () => trial.publish()],
    ["deliverable", "publish", () => trial.expect("listed", "deliverable", "accept")],
    ["unknown", "publish", () => trial.expect("nobody", "unknown", "reject")],
    ["kv-copy", "publish", () => trial.kvCopy()],
    ["latency", "publish", () => trial.latency()],
    ["delete", "publish", () => trial.delete()],
    ["brake", "registry", () => examineBrakes(client)],
    // Last: the requests of the steps before made isolates report their counts.
    ["faults", "registry", () => examineFaults(client)],
  ]);
}

class Trial {
  readonly #client: RollcallClient;
  readonly #ports: ExaminationPorts;
  readonly #domain: string;
  #health: Health | null = null;

  constructor(ports: ExaminationPorts, domain: string) {
    this.#client = ports.client;
    this.#ports = ports;
    this.#domain = domain;
  }

  async answers(): Promise<string> {
    const started = this.#now();
    this.#health = await this.#client.health();
    return `release ${this.#health.version}, in ${Math.round(this.#now() - started)} ms`;
  }

  async secrets(): Promise<string> {
    const { status, faults } = this.#health as Health;
    if (status === "ok") return "secrets and bindings are complete and valid";
    throw new Problem(
      faults.join("; "),
      "set each missing secret with `npx wrangler secret put NAME`, correct wrangler.toml, and deploy again",
    );
  }

  async credentials(): Promise<string> {
    await this.#client.registry();
    return "the admin token is accepted";
  }

  async registry(): Promise<string> {
    const { partitions } = await this.#client.initialiseRegistry();
    const lacking = partitions.filter((each) => each.incarnation === null);
    if (partitions.length === 0 || lacking.length > 0) {
      throw new Problem(
        "the Registry accepts writes but is not initialised",
        "see the Worker's logs: `npx wrangler tail`",
      );
    }
    if (partitions.some((each) => each.paused)) {
      throw new Problem(
        "the Registry is paused: every recipient that would be refused is deferred",
        "finish the steps of docs/restoring.md, then remove ROLLCALL_PAUSED from wrangler.toml and deploy",
      );
    }
    const stuck = partitions.find((each) => each.kv_error !== null);
    if (stuck !== undefined) {
      throw new Problem(
        `partition ${stuck.partition} cannot copy to KV: ${stuck.kv_error}`,
        "check the KV namespace of the binding ROLLCALL_KV, and your plan's daily limit of KV writes",
      );
    }
    return `can be written; ${partitions.length} of ${partitions.length} partitions initialised`;
  }

  async kvRead(): Promise<string> {
    const { kv_readable, kv_cache_ttl } = await this.#client.registry();
    if (kv_readable) return `KV accepts a cacheTtl of ${kv_cache_ttl} s`;
    throw new Problem(
      "KV cannot be read",
      "check the KV namespace of the binding ROLLCALL_KV, and your plan's daily limit of KV reads",
    );
  }

  async publish(): Promise<string> {
    const { hashing, timers } = this.#ports;
    const domain = this.#domain;
    try {
      const { generations } = await publishLists(
        {
          client: this.#client,
          hashing,
          timers,
          recorder: null,
          progress: {},
          confirm: async () => undefined,
        },
        [
          {
            ...{ domain, policy: {}, canaries: [] },
            source: memorySource("trial", [`listed@${domain}`]),
            mode: "enforce",
          },
        ],
        { note: "rollcall doctor" },
      );
      return `generation ${generations[domain]} of ${domain}`;
    } catch (error) {
      throw error instanceof PublishError ? new Problem(error.message, error.hint) : error;
    }
  }

  /** Checks a name until the verdict is as expected: another isolate may learn of the publish a window later. */
  async expect(name: string, verdict: string, action: string): Promise<string> {
    const isExpected = (outcome: Outcome): outcome is Outcome & { kind: "answer" } =>
      outcome.kind === "answer" && outcome.answer.verdict === verdict;
    const { seen, waited } = await this.#poll(
      () => this.#client.check(`${name}@${this.#domain}`),
      (outcome) => isExpected(outcome) || !mayChange(outcome),
    );
    if (!isExpected(seen)) throw unexpected(seen, verdict);
    if (seen.answer.action === action) return `${seen.answer.reply} (after ${inSeconds(waited)} s)`;
    throw new Problem(`${verdict}, with the action ${seen.answer.action} instead of ${action}`, SAME_RELEASE);
  }

  async kvCopy(): Promise<string> {
    const { seen, waited } = await this.#poll(
      () => this.#client.domain(this.#domain),
      (head) => head?.kv.state === "equal",
    );
    if (seen?.kv.state === "equal") return `has the list (after ${inSeconds(waited)} s)`;
    const { partitions } = await this.#client.registry();
    const why = partitions.find((each) => each.kv_error !== null)?.kv_error ?? "no reason is known";
    throw new Problem(
      `is ${seen?.kv.state ?? "without the domain"} after ${Math.round(waited / 1000)} s: ${why}`,
      "checks are answered from the Registry meanwhile. KV may lag by a minute, so run doctor again; if this stays, " +
        "check your plan's daily limit of KV writes, and `npx wrangler tail`",
    );
  }

  async latency(): Promise<string> {
    const times: number[] = [];
    for (let i = 0; i < LATENCY_CHECKS; i++) {
      const started = this.#now();
      await this.#client.check(`listed@${this.#domain}`);
      times.push(this.#now() - started);
    }
    times.sort((a, b) => a - b);
    const median = times[(LATENCY_CHECKS - 1) / 2] as number;
    const slowest = times.at(-1) as number;
    const text = `median ${Math.round(median)} ms, slowest ${Math.round(slowest)} ms of ${LATENCY_CHECKS} checks`;
    if (median <= SLOW_MS) return text;
    throw new Problem(text, "front ends wait 5 s: measure from their hosts, and check the network");
  }

  async delete(): Promise<string> {
    const head = await this.#client.domain(this.#domain);
    if (head === null) throw new Problem("the domain is already gone", "see `rollcall history`");
    await this.#client.deleteDomain(this.#domain, head.generation);
    return `${this.#domain} is deleted`;
  }

  #now(): number {
    return this.#ports.clock.now();
  }

  /** Looks until what it sees is final, or time is up. */
  async #poll<T>(
    look: () => Promise<T>,
    isFinal: (seen: T) => boolean,
  ): Promise<{ readonly seen: T; readonly waited: number }> {
    const started = this.#now();
    for (;;) {
      const seen = await look();
      const waited = this.#now() - started;
      if (isFinal(seen) || waited > TIMEOUT_MS) return { seen, waited };
      await this.#ports.timers.sleep(PAUSE_MS);
    }
  }
}

const inSeconds = (ms: number): string => (ms / 1000).toFixed(1);

/** Whether another check may bring another answer. */
function mayChange(outcome: Outcome): boolean {
  if (outcome.kind === "none") return outcome.why instanceof ClientError && outcome.why.transient;
  return ["unavailable", "not-served", "throttled"].includes(outcome.answer.verdict);
}

function unexpected(outcome: Outcome, verdict: string): Error {
  if (outcome.kind === "none") return outcome.why;
  const { answer } = outcome;
  const why = answer.detail === undefined ? "" : ` (${answer.detail})`;
  return new Problem(
    `the verdict is ${answer.verdict}${why} instead of ${verdict}: ${answer.reply}`,
    "`rollcall status` shows how the domain stands; see also the Worker's logs: `npx wrangler tail`",
  );
}
