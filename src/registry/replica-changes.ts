import {
  MAX_HEADS,
  type Position,
  type QuestionAnswer,
  type ReplicaAnswer,
  type ReplicaQuestion,
} from "../api/index.ts";
import { positionIn } from "./changes-since.ts";
import type { RegistryStorage } from "./ports.ts";
import { isRevoked } from "./tokens.ts";

/**
 * "What changed since N?" for a replica: the heads that its token covers, in the order of their numbers, a page at a
 * time. Read in one synchronous step.
 *
 * A page is part of one list: only the last page makes it complete up to `asOf`. A change between two pages gets a
 * higher number, so a later page lists it.
 * @param now Unix milliseconds
 */
export function changesForReplica(
  storage: RegistryStorage,
  since: Position | null,
  { token, domains, after }: ReplicaQuestion,
  now: number,
): QuestionAnswer & { readonly replica: ReplicaAnswer } {
  const { incarnation, asOf, purged, isAll, from } = positionIn(storage, since);
  const isRefused = token !== null && isRevoked(storage, token);
  const { heads, next } = isRefused
    ? { heads: [], next: null }
    : pageOfHeads(storage, Math.max(from, after ?? -1), domains);
  return {
    incarnation,
    asOf,
    full: isAll,
    heads,
    revoked: [],
    wanted: null,
    replica: { time: now, isRevoked: isRefused, pruned: purged, next },
  };
}

function pageOfHeads(
  storage: RegistryStorage,
  after: number,
  domains: readonly string[] | null,
): { readonly heads: QuestionAnswer["heads"]; readonly next: number | null } {
  const covered = domains === null ? "" : "AND domain IN (SELECT value FROM json_each(?))";
  const rows = storage.sql(
    `SELECT domain, number FROM heads WHERE number > ? ${covered} ORDER BY number LIMIT ?`,
    after,
    ...(domains === null ? [] : [JSON.stringify(domains)]),
    MAX_HEADS + 1,
  );
  const heads = rows.map((row) => [row.domain as string, row.number as number] as const);
  const extra = heads[MAX_HEADS];
  if (extra === undefined) return { heads, next: null };
  // The heads of one commit share a number and stay on one page. They are 500 at most, so a page is never empty.
  const page = heads.filter(([, number]) => number < extra[1]);
  return { heads: page, next: page.at(-1)?.[1] ?? null };
}
