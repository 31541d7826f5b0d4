import {
  type ChangesAnswer,
  type ChangesRequest,
  MAX_HEADS,
  MAX_WINDOW,
  type QuestionAnswer,
} from "../api/index.ts";
import { ClientError } from "./errors.ts";

/** What a replica asks the Registry of one partition. */
export interface ChangesQuestion extends Omit<ChangesRequest, "after"> {
  /** Domains that the answer may name; null or left out: any. */
  readonly domains?: ReadonlySet<string> | null;
}

/** What the Registry answers. */
export interface Changes {
  readonly partition: number;
  /** How many there are. */
  readonly partitions: number;
  /** How long the answer confirms, counted from before the question; milliseconds. */
  readonly window: number;
  /** The Registry's clock at its first answer, Unix milliseconds. */
  readonly time: number;
  /** What a LogView applies. */
  readonly answer: QuestionAnswer;
}

/** Octets of one answer: a domain has 253 characters at most. */
export const CHANGES_LIMIT = 4096 + MAX_HEADS * (253 + 32);
/** Heads in all pages together. More would take too much memory. */
const MAX_HEADS_IN_ALL = 200_000;
/** How often a list is requested from the start because it changed between two pages. */
const TRIES = 3;

/**
 * Asks what changed, page by page. Only the whole list is an answer: a page by itself confirms nothing, since it omits
 * heads of higher numbers.
 * @param ask sends one request, and checks the answer by its schema
 * @throws ClientError `protocol` if an answer is not one to this question
 */
export async function collectChanges(
  { domains = null, counts, asked, ...question }: ChangesQuestion,
  ask: (request: ChangesRequest) => Promise<ChangesAnswer>,
): Promise<Changes> {
  let unsent = {
    ...(counts === undefined ? {} : { counts }),
    ...(asked === undefined ? {} : { asked }),
  };
  const page = async (after: number | null): Promise<ChangesAnswer> => {
    const request = { ...question, ...(after === null ? {} : { after }), ...unsent };
    unsent = {};
    const answer = await ask(request);
    const fault = faultIn(answer, question, after, domains);
    if (fault === null) return answer;
    throw new ClientError("protocol", `the answer to POST /v1/changes is not usable: ${fault}`, 200);
  };
  for (let tries = 0; tries < TRIES; tries++) {
    const changes = await readPages(page);
    if (changes !== null) return changes;
  }
  throw new ClientError("protocol", "the list of heads changed each time while it was read", 200);
}

/**
 * @returns null if the pages are not of one list: the Registry was replaced or restored, or it pruned a tombstone, which
 *   no later page lists
 */
async function readPages(page: (after: number | null) => Promise<ChangesAnswer>): Promise<Changes | null> {
  const first = await page(null);
  const heads = new Map(first.heads);
  let last = first;
  while (last.next !== null) {
    last = await page(last.next);
    if (last.incarnation !== first.incarnation || last.full !== first.full || last.pruned !== first.pruned) {
      return null;
    }
    // A later page has the higher numbers.
    for (const [domain, number] of last.heads) heads.set(domain, number);
    if (heads.size > MAX_HEADS_IN_ALL) {
      const message = `the token covers more than ${MAX_HEADS_IN_ALL} domains of a partition: name its domains`;
      throw new ClientError("protocol", message, 200);
    }
  }
  const { partition, partitions, window, time, incarnation, full } = first;
  return {
    partition,
    partitions,
    window: 1000 * window,
    time,
    answer: { incarnation, asOf: last.as_of, full, heads: [...heads], revoked: [], wanted: null },
  };
}

/** Why an answer is not one to this question, or null. */
function faultIn(
  answer: ChangesAnswer,
  { nonce, partition, since }: Pick<ChangesRequest, "nonce" | "partition" | "since">,
  after: number | null,
  domains: ReadonlySet<string> | null,
): string | null {
  if (answer.nonce !== nonce) return "it answers another question";
  if (answer.partition !== partition || answer.partitions <= partition) return "it is of another partition";
  if (answer.window < 1 || answer.window > MAX_WINDOW) return "its window is out of range";
  if (!answer.full && (since === null || answer.incarnation !== since.incarnation)) {
    return "it lists changes since a position that was not given";
  }
  const from = Math.max(after ?? -1, answer.full || since === null ? -1 : since.number);
  for (const [domain, number] of answer.heads) {
    if (domains !== null && !domains.has(domain)) return "it names a domain outside the scope";
    if (number <= from || number > answer.as_of) return `the number of ${domain} is out of range`;
  }
  if (answer.next !== null && (answer.next <= from || answer.next > answer.as_of))
    return "its pages have no end";
  return null;
}
