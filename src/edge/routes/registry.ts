import type { AnswerCount, Counted, FaultCount, RegistryStatus, Result } from "../../api/index.ts";
import type { PartitionStatus, RegistryApi } from "../../registry/index.ts";
import type { Deployment } from "../deployment.ts";
import { acknowledge } from "./domains.ts";
import { askAll, badRequest, type Handler, type RouteCall, unwrap } from "./route.ts";

export const showRegistry: Handler<"showRegistry"> = (call) =>
  statusOf(call, (registry) => registry.status());

export const initialiseRegistry: Handler<"initialiseRegistry"> = (call) =>
  statusOf(call, (registry) => registry.initialise(call.caller.id));

export const continueRegistry: Handler<"continueRegistry"> = async ({
  body,
  deployment,
  context,
  caller,
}) => {
  const { partition, expect } = body;
  requirePartition(deployment, partition);
  const changed = unwrap(await context.bindings.registry(partition).restored(expect, caller.id));
  return acknowledge(deployment, partition, {}, changed);
};

export const verifyRegistry: Handler<"verifyRegistry"> = async ({ body, deployment, context }) => {
  const { partition, after = null } = body;
  requirePartition(deployment, partition);
  return { partition, ...unwrap(await context.bindings.registry(partition).verify(after)) };
};

/** @throws HttpError `bad_request` */
function requirePartition({ settings }: Deployment, partition: number): void {
  const { partitions } = settings;
  if (partition >= partitions) throw badRequest(`partition must be from 0 to ${partitions - 1}`);
}

export const showStatus: Handler<"showStatus"> = async (call) => {
  const sums = new Map<string, Counted>();
  for (const counted of (await askAll(call, (registry) => registry.counted())).flat()) {
    const [domain, mode, word, hour, day] = counted;
    const key = `${domain} ${mode} ${word}`;
    const [, , , hours = 0, days = 0] = sums.get(key) ?? [];
    sums.set(key, [domain, mode, word, hour + hours, day + days]);
  }
  const answers: AnswerCount[] = [];
  const faults: FaultCount[] = [];
  for (const key of [...sums.keys()].sort()) {
    const [name, mode, word, hour, day] = sums.get(key) as Counted;
    const domain = name || null;
    if (mode === "fault") faults.push({ domain, kind: word as FaultCount["kind"], hour, day });
    else {
      const verdict = word as AnswerCount["verdict"];
      answers.push({ domain, mode: (mode || null) as AnswerCount["mode"], verdict, hour, day });
    }
  }
  return { answers, faults };
};

async function statusOf(
  call: RouteCall,
  ask: (registry: RegistryApi) => Promise<Result<PartitionStatus>>,
): Promise<RegistryStatus> {
  const partitions = await askAll(call, ask);
  // A read shows which cacheTtl KV accepts; its value does not matter here.
  const isReadable = await call.context.kv.get("roster/0", 30).then(
    () => true,
    () => false,
  );
  return { partitions, kv_readable: isReadable, kv_cache_ttl: call.context.bindings.kvCacheTtl() };
}
