import { type CommitRequest, type CommitResult, MAX_COMMIT_BODY, MAX_COMMIT_DOMAINS } from "../api/index.ts";
import { ClientError, type RollcallClient } from "../client/index.ts";
import { blobIds } from "../directory/index.ts";
import { retry } from "../runtime/retry.ts";
import { baseOf } from "./base.ts";
import { commitOf } from "./commit-body.ts";
import { PublishError, SAME_RELEASE } from "./errors.ts";
import { areSettled } from "./patched.ts";
import { type DomainPlan, isHead } from "./plan.ts";

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
  for (const { domain, key, packed, patched, resultingPolicy: policy, resultingMode: mode } of plans) {
    const head = await client.domain(domain);
    const base = head && baseOf(head, (id) => client.blob(domain, id));
    if (base === null || !isHead(base, { key, packed, policy, mode })) throw conflict;
    if (!areSettled(patched, base.patched ?? null)) throw conflict;
    generations[domain] = base.generation;
  }
  return { generations, unchanged: [] };
}

async function putShards(
  client: RollcallClient,
  plans: readonly DomainPlan[],
  missing: Readonly<Record<string, readonly string[]>>,
  options: UploadOptions,
): Promise<void> {
  const total = Object.values(missing).flat().length;
  if (total === 0) {
    throw new PublishError("protocol", "the edge reports missing shards without naming them", SAME_RELEASE);
  }
  // Shared by the workers: one that fails closes it, so that the others stop after their current shard.
  const queue = shardsOf(plans, missing);
  let done = 0;
  const worker = async (): Promise<void> => {
    for (const [domain, id, bytes] of queue) {
      await client.putShard(domain, id, bytes);
      options.progress?.(++done, total);
    }
  };
  const workers = Math.min(options.concurrency ?? CONCURRENCY, total);
  const outcomes = await Promise.allSettled(Array.from({ length: workers }, worker));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

function* shardsOf(
  plans: readonly DomainPlan[],
  missing: Readonly<Record<string, readonly string[]>>,
): Generator<readonly [domain: string, id: string, bytes: Uint8Array]> {
  for (const [domain, ids] of Object.entries(missing)) {
    const packed = plans.find((plan) => plan.domain === domain)?.packed;
    const own = new Map(packed && blobIds(packed.table).map((id, i) => [id, packed.shards[i]]));
    for (const id of ids) {
      const bytes = own.get(id);
      if (bytes !== undefined) yield [domain, id, bytes];
      else {
        const what = `the edge asks for a shard of ${domain} that the list does not have`;
        throw new PublishError("protocol", what, SAME_RELEASE);
      }
    }
  }
}
