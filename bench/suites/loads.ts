/** What is asked, in every suite alike. */
import { randomInt } from "node:crypto";
import type { Extent } from "../report/measurement.ts";
import { DOMAIN, KNOWN, UNKNOWN, UNKNOWN_NAMES } from "../rig/lists.ts";
import { drive, type Load } from "../rig/wrk.ts";

/** Names that are asked about again and again. */
const HOT_NAMES = 100;

const deliverable = (names: number) => ({
  prefix: KNOWN,
  names,
  expects: [`"recipient":"${KNOWN}`, '"verdict":"deliverable","action":"accept"'],
});

/** The three kinds of names, each with what every answer about it must hold. */
export const namesOf = (mailboxes: number) =>
  ({
    hot: deliverable(Math.min(HOT_NAMES, mailboxes)),
    known: deliverable(mailboxes),
    unknown: {
      prefix: UNKNOWN,
      names: UNKNOWN_NAMES,
      expects: [`"recipient":"${UNKNOWN}`, '"verdict":"unknown","action":"reject"'],
    },
  }) satisfies Record<string, Pick<Load, "prefix" | "names" | "expects">>;

export type NameKind = keyof ReturnType<typeof namesOf>;

export const NAMES_IN_WORDS: Readonly<Record<NameKind, string>> = {
  hot: "hot names",
  known: "random known names",
  unknown: "random unknown names",
};

/** Batches of a thousand random names that touch every shard of ten million mailboxes, but for one run in 10^5. */
const BATCHES = 20;
const BATCH = 1_000;

/** Has every shard of a list brought into memory. */
export async function touchAllShards(origin: string, token: string, mailboxes: number): Promise<void> {
  for (let i = 0; i < BATCHES; i++) {
    await ask(
      origin,
      token,
      Array.from({ length: BATCH }, () => `${KNOWN}${randomInt(mailboxes)}@${DOMAIN}`),
    );
  }
}

/** Until V8 has compiled what is hot. */
export async function warmUp(origin: string, load: Load, { isQuick }: Extent): Promise<void> {
  await drive(origin, load, isQuick ? 1 : 2);
}

/** Posts a check: of one recipient, or of a list. */
const post = (origin: string, token: string, body: unknown): Promise<Response> =>
  fetch(`${origin}/v1/rcpt`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

/** The answer to one recipient, as text. */
export const answerOf = async (origin: string, token: string, recipient: string): Promise<string> =>
  (await post(origin, token, { recipient })).text();

/** What the benchmark looks at in an answer. */
export interface Verdict {
  readonly recipient: string;
  readonly verdict: string;
}

/** The verdict about one recipient. */
export const verdictOf = async (origin: string, token: string, recipient: string): Promise<string> =>
  (JSON.parse(await answerOf(origin, token, recipient)) as Verdict).verdict;

/** The answers to a list, in order. */
export async function ask(
  origin: string,
  token: string,
  recipients: readonly string[],
): Promise<{ readonly results: readonly Verdict[] }> {
  const response = await post(origin, token, recipients);
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as { results: readonly Verdict[] };
}
