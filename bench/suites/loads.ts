/** What is asked, in every suite alike. */
import { KNOWN, UNKNOWN, UNKNOWN_NAMES } from "../rig/lists.ts";
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

/** Until all shards are in memory and V8 has compiled what is hot. */
export async function warmUp(origin: string, load: Load): Promise<void> {
  const WARM_UP_SECONDS = 2;
  await drive(origin, load, WARM_UP_SECONDS);
}

/** The answer that an edge gives to one recipient, as text. */
export async function answerOf(origin: string, token: string, recipient: string): Promise<string> {
  const response = await fetch(`${origin}/v1/rcpt`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ recipient }),
  });
  return response.text();
}
