import type { Deployment } from "../deployment.ts";
import { acknowledge } from "./domains.ts";
import { badRequest, type Handler, reachOf, unwrap } from "./route.ts";

export const postCommit: Handler<"postCommit"> = async ({ body, deployment, context, caller }) => {
  const partition = onePartition(deployment, body.domains, "commit");
  const changed = unwrap(await context.bindings.registry(partition).commit(body, caller.id, reachOf(caller)));
  return acknowledge(deployment, partition, changed.result.generations, changed);
};

export const postPlan: Handler<"postPlan"> = async ({ body, deployment, context, caller }) => {
  const partition = onePartition(deployment, body.domains, "plan");
  return unwrap(await context.bindings.registry(partition).plan(body, reachOf(caller), caller.id));
};

/** The partition of all of these domains. @throws HttpError `bad_request` if they are in several */
function onePartition(
  { reader }: Deployment,
  domains: readonly { readonly domain: string }[],
  what: string,
): number {
  const partitions = new Set(domains.map(({ domain }) => reader.partitionOf(domain)));
  const [partition] = partitions;
  if (partition === undefined || partitions.size > 1) {
    throw badRequest(`the domains of one ${what} must live in one partition`);
  }
  return partition;
}
