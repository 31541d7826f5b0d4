import type { Caller } from "../access.ts";
import { type HttpError, unauthorized } from "../http.ts";
import { badRequest, type Handler, reachOf, unwrap } from "./route.ts";

/** A replica's question. The Registry itself answers each one, never what this isolate knows. */
export const postChanges: Handler<"postChanges"> = async ({ body, caller, deployment, context }) => {
  const { partition, since, after = null, nonce, counts, asked } = body;
  const { partitions, window } = deployment.settings;
  if (partition >= partitions) throw noPartition(partitions);
  requireCovered(caller, "counts", counts);
  requireCovered(caller, "asked", asked);
  const token = caller.role === "admin" ? null : caller.id;
  const domains = reachOf(caller);
  const answer = unwrap(
    await context.bindings.registry(partition).question({
      since,
      want: null,
      replica: { token, domains, after },
      ...(counts === undefined ? {} : { counts }),
      ...(asked === undefined ? {} : { asked }),
    }),
  );
  const { replica, incarnation, asOf, full, heads } = answer;
  if (replica === undefined) throw new Error("the Registry did not answer as to a replica");
  if (replica.isRevoked) throw unauthorized();
  const { time, pruned, next } = replica;
  return {
    nonce,
    partition,
    partitions,
    window: window / 1000,
    time,
    incarnation,
    as_of: asOf,
    full,
    // A Registry of a later release may say more of a head than this contract has.
    heads: heads.map(([domain, number]) => [domain, number] as const),
    pruned,
    next,
  };
};

/** @throws HttpError `bad_request` if what was counted names a domain that the token does not cover */
function requireCovered(
  { domains }: Caller,
  member: string,
  lines: readonly (readonly [domain: string, ...rest: unknown[]])[] = [],
): void {
  if (domains === null) return;
  const index = lines.findIndex(([domain]) => domain !== "" && !domains.has(domain));
  if (index >= 0) throw badRequest(`${member}[${index}] names a domain that this token does not cover`);
}

const noPartition = (partitions: number): HttpError =>
  badRequest(
    partitions === 1
      ? "partition must be 0: there is 1 partition"
      : `partition must be from 0 to ${partitions - 1}: there are ${partitions} partitions`,
  );
