/** Changes of single mailboxes. */
import * as v from "valibot";
import { ENTRY_STATES } from "../directory/index.ts";
import { MAX_IDEMPOTENCY_KEY, MAX_MAILBOXES } from "./limits.ts";
import { closed, flag, type Infer, kind, listOf, named, oneOf, text, texts } from "./schema.ts";

/** What the client chose to identify a request, so that sending it again changes nothing more. */
export const idempotencyKey = kind<string>(
  (value) => typeof value === "string" && KEY.test(value),
  `must be 1 to ${MAX_IDEMPOTENCY_KEY} visible ASCII characters`,
  { type: "string", minLength: 1, maxLength: MAX_IDEMPOTENCY_KEY },
);

const KEY = new RegExp(`^[!-~]{1,${MAX_IDEMPOTENCY_KEY}}$`);

const mailboxState = closed({
  recipient: text,
  state: oneOf(...ENTRY_STATES),
  /** True: only if the mailbox is in the list already. False: only if it is not, or has this state. Left out: in any case. */
  listed: v.exactOptional(flag),
});

/** `PATCH /v1/domains/{domain}/mailboxes`: all of it happens, or nothing. */
export const mailboxesRequest = named(
  "MailboxesRequest",
  v.pipe(
    closed({
      /** Mailboxes to add, or to put into another state. */
      set: v.exactOptional(listOf(mailboxState, MAX_MAILBOXES)),
      /** Mailboxes to remove. */
      remove: v.exactOptional(texts),
      /** Overrides the guard; recorded. */
      force: v.exactOptional(flag),
      /** Refuses mailboxes that are removed, disabled or moved at once, without the departure grace. */
      now: v.exactOptional(flag),
    }),
    v.check(({ set = [], remove = [] }) => {
      const count = set.length + remove.length;
      return count >= 1 && count <= MAX_MAILBOXES;
    }, `must have 1 to ${MAX_MAILBOXES} mailboxes in set and remove together`),
  ),
);
export type MailboxesRequest = Infer<typeof mailboxesRequest>;
