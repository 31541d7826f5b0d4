import {
  MAX_HEADS,
  type Position,
  type QuestionAnswer,
  type ReplicaAnswer,
  type ReplicaQuestion,
} from "../../api/index.ts";
import type { RegistryStorage } from "../ports.ts";
import { positionIn } from "./changes-since.ts";
import { isRevoked } from "./tokens.ts";

/**
 * "What changed since N?" for a replica: the heads that its token covers, in the order of their numbers, a page at a
 * time. Read in one synchronous step.
 *
 * A page is part of one list: only the last page makes it complete up to `asOf`. A change between two pages gets a
 * higher number, so a later page lists it.
 * @param now Unix milliseconds
 * @param most heads on a page, and more than one commit may have
 */
export function changesForReplica(
  storage: RegistryStorage,
  since: Position | null,
  { token, domains, after }: ReplicaQuestion,
  now: number,
  most = MAX_HEADS,
): QuestionAnswer & { readonly replica: ReplicaAnswer } {
  const { incarnation, asOf, purged, isAll, from } = positionIn(storage, since);
  const isRefused = token !== null && isRevoked(storage, token);
  const start = Math.max(from, after ?? -1);
  // Most polls find nothing new. Without this, each would read a row for each domain that the token names.
  const isEmpty = isRefused || start >= asOf;
  const { heads, next } = isEmpty ? NO_HEADS : pageOfHeads(storage, start, domains, most);
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

type HeadsPage = Pick<QuestionAnswer, "heads"> & Pick<ReplicaAnswer, "next">;

const NO_HEADS: HeadsPage = { heads: [], next: null };

function pageOfHeads(
  storage: RegistryStorage,
  after: number,
  domains: readonly string[] | null,
  most: number,
): HeadsPage {
  const covered = domains === null ? "" : "AND domain IN (SELECT value FROM json_each(?))";
  const rows = storage.sql(
    `SELECT domain, number FROM heads WHERE number > ? ${covered} ORDER BY number LIMIT ?`,
    after,
    ...(domains === null ? [] : [JSON.stringify(domains)]),
    most + 1,
  );
  const heads = rows.map((row) => [row.domain as string, row.number as number] as const);
  const extra = heads[most];
  if (extra === undefined) return { heads, next: null };
  // The heads of one commit share a number and stay on one page. A commit has fewer than a page.
  const page = heads.filter(([, number]) => number < extra[1]);
  const last = page.at(-1);
  if (last === undefined) throw new Error(`more than ${most} heads have the number ${extra[1]}`);
  return { heads: page, next: last[1] };
}
