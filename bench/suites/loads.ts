/** What is asked, alike in every suite. */
import { randomInt } from "node:crypto";
import type { Extent } from "../report/measurement.ts";
import { DOMAIN, KNOWN, UNKNOWN, UNKNOWN_NAMES } from "../rig/lists.ts";
import { type Compared, interleave } from "../rig/rounds.ts";
import { drive, type Load } from "../rig/wrk.ts";

/** Names that are asked about again and again. */
const HOT_NAMES = 100;

const deliverable = (names: number) => ({
  prefix: KNOWN,
  names,
  expects: [`"recipient":"${KNOWN}`, '"verdict":"deliverable","action":"accept"'],
});

/** The three kinds of names, each with what every answer about it must contain. */
export const namesOf = (mailboxes: number) =>
  ({
    hot: deliverable(Math.min(HOT_NAMES, mailboxes)),
    unknown: {
      prefix: UNKNOWN,
      names: UNKNOWN_NAMES,
      expects: [`"recipient":"${UNKNOWN}`, '"verdict":"unknown","action":"reject"'],
    },
    known: deliverable(mailboxes),
  }) satisfies Record<string, Pick<Load, "prefix" | "names" | "expects">>;

export type NameKind = keyof ReturnType<typeof namesOf>;

export const NAMES_IN_WORDS: Readonly<Record<NameKind, string>> = {
  hot: "hot names",
  unknown: "random unknown names",
  known: "random known names",
};

/** Drives one load until V8 has compiled the hot code. */
export const warmUp = (origin: string, load: Load, { isQuick }: Extent): Promise<unknown> =>
  drive(origin, load, isQuick ? 1 : 2);

/** Two servers under one load, warmed up and then in turns: requests a second. */
export async function compareUnder(
  load: Load,
  ours: string,
  theirs: string,
  extent: Extent,
): Promise<Compared> {
  const rate = async (origin: string): Promise<number> => (await drive(origin, load, extent.seconds)).rate;
  for (const origin of [theirs, ours]) await warmUp(origin, load, extent);
  return interleave(
    extent.rounds,
    () => rate(theirs),
    () => rate(ours),
  );
}

/** Batches of random names that touch every shard of ten million mailboxes, in all but one run of 10^5. */
const BATCHES = 20;
export const BATCH = 1_000;

/** Loads every shard of a list into memory. */
export async function touchAllShards(origin: string, token: string, mailboxes: number): Promise<void> {
  for (let i = 0; i < BATCHES; i++) {
    const names = Array.from({ length: BATCH }, () => `${KNOWN}${randomInt(mailboxes)}@${DOMAIN}`);
    await ask(origin, token, names);
  }
}

/** Posts a check of one recipient, or of a list. @returns the answer as text */
export async function post(origin: string, token: string, body: unknown): Promise<string> {
  const response = await fetch(`${origin}/v1/rcpt`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
  return text;
}

/** What the benchmark looks at in an answer. */
export interface Verdict {
  readonly recipient: string;
  readonly verdict: string;
}

export const verdictOf = async (origin: string, token: string, recipient: string): Promise<string> =>
  (JSON.parse(await post(origin, token, { recipient })) as Verdict).verdict;

/** The answers to a list, in order. */
export const ask = async (
  origin: string,
  token: string,
  recipients: readonly string[],
): Promise<readonly Verdict[]> =>
  (JSON.parse(await post(origin, token, recipients)) as { readonly results: readonly Verdict[] }).results;
