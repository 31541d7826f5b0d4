import type { Result } from "../../api/index.ts";
import type { Deployment } from "../deployment.ts";
import { HttpError } from "../http.ts";
import { RETRY_LATER } from "../large-bodies.ts";
import { acknowledge } from "./domains.ts";
import { badRequest, type Handler, reachOf, unwrap } from "./route.ts";

export const postCommit: Handler<"postCommit"> = async ({ body, deployment, context, caller }) => {
  const partition = onePartition(deployment, body.domains, "commit");
  const changed = judged(await context.bindings.registry(partition).commit(body, caller.id, reachOf(caller)));
  return acknowledge(deployment, partition, changed.result.generations, changed);
};

export const postPlan: Handler<"postPlan"> = async ({ body, deployment, context, caller }) => {
  const partition = onePartition(deployment, body.domains, "plan");
  return judged(await context.bindings.registry(partition).plan(body, reachOf(caller), caller.id));
};

/** What was not judged since too much waits can be sent again. Damage, which names its domain, does not pass by itself. */
function judged<T>(result: Result<T>): T {
  if (result.ok || result.error.code !== "unavailable" || result.error.domain !== undefined)
    return unwrap(result);
  throw new HttpError("unavailable", result.error.message, {}, RETRY_LATER);
}

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
