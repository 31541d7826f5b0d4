import {
  type CommitRequest,
  type CommitResult,
  type DomainCommit,
  MAX_COMMIT_BODY,
  MAX_COMMIT_DOMAINS,
  type ShardTable,
} from "../api/index.ts";
import { ClientError, type RollcallClient } from "../client/index.ts";
import {
  blobIds,
  CANONICALISER_VERSION,
  DEFAULT_POLICY,
  isSameTable,
  POLICY_SETTINGS,
  sentinels,
  toBase64Url,
} from "../directory/index.ts";
import { retry } from "../runtime/retry.ts";
import { PublishError, SAME_RELEASE } from "./errors.ts";
import { type DomainPlan, tableFrom } from "./plan.ts";

export interface UploadOptions {
  /** Override the guard; recorded in the history. */
  readonly force?: boolean | undefined;
  readonly note?: string | undefined;
  /** Shards to upload at the same time. Default 6. */
  readonly concurrency?: number;
  progress?(done: number, of: number): void;
}

const CONCURRENCY = 6;
/** Rounds of "upload what is missing, commit again". Two are enough unless the edge forgets shards. */
const ROUNDS = 3;
/** Retries of a commit whose answer was lost. Its precondition keeps it from taking effect twice. */
const RETRIES = 3;
const FIRST_PAUSE_MS = 500;

/**
 * Splits plans into commits of one partition, at most {@link MAX_COMMIT_DOMAINS} domains and
 * {@link MAX_COMMIT_BODY} octets. Aliases come last, since an alias needs its target.
 */
export function batchesOf(plans: readonly DomainPlan[]): DomainPlan[][] {
  const isAlias = (plan: DomainPlan): number => (plan.resultingPolicy.alias === null ? 0 : 1);
  const ordered = [...plans].sort((a, b) => a.partition - b.partition || isAlias(a) - isAlias(b));
  const batches: DomainPlan[][] = [];
  let room = 0;
  for (const plan of ordered) {
    const size = JSON.stringify(commitOf(plan)).length + 1;
    const last = batches.at(-1);
    const fits = last !== undefined && last.length < MAX_COMMIT_DOMAINS && size <= room;
    if (fits && last[0]?.partition === plan.partition) {
      last.push(plan);
      room -= size;
    } else {
      batches.push([plan]);
      // Room for the braces and a note around them.
      room = MAX_COMMIT_BODY - 4096 - size;
    }
  }
  return batches;
}

/**
 * Publishes plans in one commit: commits, uploads the shards that the edge lacks, commits again. If interrupted, it
 * can be run again and continues where it stopped.
 *
 * @throws ClientError of code `conflict` if a head has moved to something other than the plan
 * @throws ClientError of code `guard` if the edge refuses
 */
export async function upload(
  client: RollcallClient,
  timers: { sleep(ms: number): Promise<void> },
  plans: readonly DomainPlan[],
  options: UploadOptions = {},
): Promise<CommitResult> {
  const request: CommitRequest = {
    domains: plans.map(commitOf),
    ...(options.force ? { force: true } : {}),
    ...(options.note === undefined ? {} : { note: options.note }),
  };
  for (let round = 1; ; round++) {
    try {
      return await retry(timers, pauseAfter, () => client.commit(request));
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.code === "conflict") return await alreadyPublished(client, plans, error);
      if (error.code !== "missing_shards" || round === ROUNDS) throw error;
      await putShards(client, plans, error.body?.missing ?? {}, options);
    }
  }
}

const pauseAfter = (error: unknown, attempt: number): number | null =>
  error instanceof ClientError && error.transient && attempt <= RETRIES
    ? FIRST_PAUSE_MS * 2 ** (attempt - 1)
    : null;

/**
 * Whether the heads are what the plans say: the answer to an earlier attempt was lost, or another host published the
 * same lists.
 * @throws the conflict, if they are not
 */
async function alreadyPublished(
  client: RollcallClient,
  plans: readonly DomainPlan[],
  conflict: ClientError,
): Promise<CommitResult> {
  const generations: Record<string, number> = {};
  for (const plan of plans) {
    const head = await client.domain(plan.domain);
    const same =
      head !== null &&
      head.deleted_until === null &&
      head.key_id === plan.key.id &&
      head.mode === plan.resultingMode &&
      isSameTable(tableFrom(head.shards), plan.packed.table) &&
      POLICY_SETTINGS.every(
        (name) => (head.policy[name] ?? DEFAULT_POLICY[name]) === plan.resultingPolicy[name],
      );
    if (!same) throw conflict;
    generations[plan.domain] = head.generation;
  }
  return { generations, unchanged: [] };
}

async function putShards(
  client: RollcallClient,
  plans: readonly DomainPlan[],
  missing: Readonly<Record<string, readonly string[]>>,
  options: UploadOptions,
): Promise<void> {
  const work = Object.entries(missing).flatMap(([domain, ids]) => shardsOf(plans, domain, ids));
  if (work.length === 0) {
    throw new PublishError("protocol", "the edge reports missing shards without naming them", SAME_RELEASE);
  }
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (next < work.length) {
      const { domain, id, bytes } = work[next++] as (typeof work)[0];
      try {
        await client.putShard(domain, id, bytes);
      } catch (error) {
        // The other workers stop after their current shard.
        next = work.length;
        throw error;
      }
      options.progress?.(++done, work.length);
    }
  };
  const workers = Math.min(options.concurrency ?? CONCURRENCY, work.length);
  const outcomes = await Promise.allSettled(Array.from({ length: workers }, worker));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

function shardsOf(
  plans: readonly DomainPlan[],
  domain: string,
  ids: readonly string[],
): { domain: string; id: string; bytes: Uint8Array }[] {
  const plan = plans.find((each) => each.domain === domain);
  const own = new Map(
    plan === undefined
      ? []
      : blobIds(plan.packed.table).map((id, i) => [id, plan.packed.shards[i] as Uint8Array]),
  );
  return ids.map((id) => {
    const bytes = own.get(id);
    if (bytes === undefined) {
      throw new PublishError(
        "protocol",
        `the edge asks for a shard of ${domain} that the list does not have`,
        SAME_RELEASE,
      );
    }
    return { domain, id, bytes };
  });
}

/** A plan as a commit carries it. */
export function commitOf(plan: DomainPlan): DomainCommit {
  const { domain, key, policy, mode, packed } = plan;
  return {
    domain,
    expect: plan.expect,
    epoch: key.epoch,
    key_id: key.id,
    canonicaliser: CANONICALISER_VERSION,
    sentinels: sentinels(key.names, plan.resultingPolicy),
    ...(Object.keys(policy).length === 0 ? {} : { policy }),
    ...(mode === undefined ? {} : { mode }),
    shards: shardTableOf(packed.table),
  };
}

function shardTableOf(table: DomainPlan["packed"]["table"]): ShardTable {
  return table.inline === null
    ? { bits: table.bits, ids: blobIds(table) }
    : { bits: 0, inline: toBase64Url(table.inline) };
}
