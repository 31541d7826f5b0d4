/** Publishes the lists that domains have again, each under a later key. */

import type { DomainDescription } from "../api/index.ts";
import type { RollcallClient } from "../client/index.ts";
import { DEFAULT_POLICY, type Hashing, MOST_LIST_GRACE } from "../directory/index.ts";
import { baseOf } from "./base.ts";
import { fetchKey } from "./domain-key.ts";
import { PublishError } from "./errors.ts";
import {
  type PlannedList,
  type PlanOptions,
  type PlanPorts,
  type PublishTarget,
  planLists,
} from "./plan-list.ts";
import { partOf, type Source, type SourceSink } from "./sources/index.ts";

/**
 * Plans each target under a later key, which no other token was given. Names cannot be compared across keys, so the guard cannot judge
 * such a plan. Instead the list must be the one that is published: it is read and compared under the present key first.
 *
 * @param options `force`: even if names that left are still deferred; they cannot be carried to another key
 * @throws PublishError `input` if a list or a setting differs from the published one, or a source gives another list
 * when it is read again; `guard` if names that left are still deferred
 */
export async function planUnderNewKeys(
  client: RollcallClient,
  ports: PlanPorts,
  targets: readonly PublishTarget[],
  options: PlanOptions & { readonly force?: boolean | undefined } = {},
): Promise<PlannedList[]> {
  const { hashing } = ports;
  const repeated = targets.map((target) => ({
    ...target,
    source: target.source === null ? null : new RepeatedSource(target.source),
  }));
  const { step } = ports.progress;
  const silent = { ...ports, recorder: null, progress: step === undefined ? {} : { step } };
  const present = await planLists(
    silent,
    repeated,
    async (domain) => {
      const start = await startAt(client, hashing, domain, "present");
      if (!options.force) requireGraceOver(domain, start.head);
      return start;
    },
    options,
  );
  for (const { plan } of present) requirePublished(plan);
  // The guard would refuse what it cannot compare. It has nothing to judge: the list stays the same.
  const judge: PlanPorts["judge"] = async (plan) => ({
    ...plan,
    refusal: null,
    shrunk: [],
    warnings: [
      `the list moves to the key of epoch ${plan.key.epoch}: all refusals of the domain are deferred for the departure grace, and a rollback to an earlier generation brings the earlier key back`,
    ],
  });
  return planLists(
    { ...ports, judge },
    repeated,
    (domain) => startAt(client, hashing, domain, "next"),
    options,
  );
}

async function startAt(client: RollcallClient, hashing: Hashing, domain: string, which: "present" | "next") {
  const head = await client.domain(domain);
  if (head === null || head.deleted_until !== null) {
    throw new PublishError(
      "input",
      `${domain} has no list`,
      "publish it first, without --new-key: the first list has a key of its own",
    );
  }
  const fetched = await fetchKey(client, hashing, domain, which);
  return { ...fetched, head, base: baseOf(head, (id) => client.blob(domain, id)) };
}

/** The list-wide grace of a new key covers names that left for a day. */
function requireGraceOver(domain: string, { departures, age, policy }: DomainDescription): void {
  const left = (policy.grace ?? DEFAULT_POLICY.grace) - (age ?? 0) - MOST_LIST_GRACE / 1000;
  if (departures === 0 || left <= 0) return;
  throw new PublishError(
    "guard",
    `${domain}: names that left the list are still deferred, for more than a day, and would be refused before that under a new key`,
    `try again in ${Math.ceil(left)} s, or add --force`,
  );
}

function requirePublished({ domain, unchanged }: PlannedList["plan"]): void {
  if (unchanged) return;
  throw new PublishError(
    "input",
    `${domain}: the list or its settings differ from what is published`,
    "publish them first, without --new-key, so that the guard can compare the names",
  );
}

/** A source that is read twice, and fails if it gives another list the second time. */
class RepeatedSource implements Source {
  readonly #source: Source;
  #first: number | null = null;

  constructor(source: Source) {
    this.#source = source;
  }

  get identity() {
    return this.#source.identity;
  }

  describe(): string {
    return this.#source.describe();
  }

  partOf(line: number) {
    return partOf(this.#source, line);
  }

  async read(sink: SourceSink, signal: AbortSignal): Promise<void> {
    let sum = FNV_START;
    const progress = sink.progress?.bind(sink);
    const noting: SourceSink = {
      entry: (line, address, state) => {
        sum = fnv(sum, `${address} ${state}`);
        sink.entry(line, address, state);
      },
      fault: (line, reason) => {
        sum = fnv(sum, reason);
        sink.fault(line, reason);
      },
      ...(progress === undefined ? {} : { progress }),
      leftOut: (line, why) => sink.leftOut?.(line, why),
      begin: (part) => sink.begin?.(part),
    };
    await this.#source.read(noting, signal);
    this.#first ??= sum;
    if (this.#first === sum) return;
    throw new PublishError(
      "input",
      `${this.describe()} gave another list when it was read again`,
      "write the list into a file first, and publish that with --new-key",
    );
  }
}

const FNV_START = 0x811c9dc5;

/** FNV-1a with 32 bits, continued over a text and its end. It detects accidents, not attacks. */
function fnv(sum: number, text: string): number {
  let hash = sum;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Math.imul(hash ^ 0x100, 0x01000193);
}
