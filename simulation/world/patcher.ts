/** One single change by a publisher: sent again under its key until it is answered; may crash before that. */
import type { MailboxesRequest } from "../../src/api/index.ts";
import { ClientError } from "../../src/client/index.ts";
import type { EntryState } from "../../src/directory/index.ts";
import type { SingleChange } from "../model/single-changes.ts";
import type { Patch } from "../plan/plan.ts";
import { STATES } from "./contents.ts";
import { Crash, crashing, type PublisherParts } from "./publisher.ts";

/** Times that one request is sent. */
const TRIES = 4;

export async function patch(parts: PublisherParts, step: Patch): Promise<void> {
  const change = meant(parts, step);
  const isRefused = (await send(parts, change)) === "guard";
  // A person looks at the refusal, and overrides it. That is another request.
  if (isRefused && step.forces) await send(parts, { ...change, forces: true });
}

/** Sends a change until it is answered. @returns what it was refused for, null if it was not */
async function send(parts: PublisherParts, change: SingleChange): Promise<string | null> {
  const { model, time, random, event } = parts;
  const { domain } = change;
  const key = model.singleChanges.intend(change);
  const client = crashing(parts);
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      const result = await client.patchMailboxes(domain, requestOf(change), key);
      model.singleChanges.acknowledged(key, result);
      parts.acknowledged(domain, result.generation);
      event("single change acknowledged");
      return null;
    } catch (error) {
      if (error instanceof Crash) event("publisher crashed");
      else if (error instanceof ClientError) {
        event(`single change met ${error.code ?? error.kind}`);
        if (error.code !== null && error.code !== "conflict" && error.status !== 503) return error.code;
      } else throw error;
      await time.sleep(random.between(500, 20_000));
    }
  }
  return null;
}

/** A request names at least one mailbox in each of its lists. */
function requestOf({ domain, states, now, forces: force }: SingleChange): MailboxesRequest {
  const names = [...states].map(([name, state]) => [`${name}@${domain}`, state] as const);
  const set = names.flatMap(([recipient, state]) => (state === null ? [] : [{ recipient, state }]));
  const remove = names.flatMap(([recipient, state]) => (state === null ? [recipient] : []));
  return { ...(set.length === 0 ? {} : { set }), ...(remove.length === 0 ? {} : { remove }), now, force };
}

/** What the publisher means by it: what the step says, or changes of a few names. */
function meant(
  parts: PublisherParts,
  { domain, states: named, now = false, overrides = false }: Patch,
): SingleChange {
  const { random, model, shapeOf } = parts;
  const states = new Map<string, EntryState | null>(named);
  const isOpen = named === undefined;
  const listed = [...(model.history(domain).head?.list.keys() ?? [])];
  const anybody = (): string => `u${random.between(0, shapeOf(domain).names - 1)}`;
  const someone = (): string => (listed.length === 0 ? anybody() : random.pick(listed));
  for (let count = isOpen ? random.pick([1, 1, 1, 2, 5]) : 0; count > 0; count--) {
    const dice = random.next();
    if (dice < 0.35) states.set(anybody(), "active");
    else if (dice < 0.75) states.set(someone(), null);
    else if (dice < 0.8) states.set("postmaster", random.pick([null, ...STATES]));
    else states.set(someone(), random.pick(STATES));
  }
  return { domain, states, now: isOpen ? random.chance(0.2) : now, forces: overrides };
}
