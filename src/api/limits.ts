/** Limits that both sides know. */

/** Recipients in one request. */
export const MAX_RECIPIENTS = 1_000;
/** Bytes of a request to check, of a commit, and of a shard. */
export const MAX_CHECK_BODY = 2_200_000;
/** Bytes of an MTA hook at RCPT: some thousand recipients of one message. */
export const MAX_HOOK_BODY = 256 * 1024;
export const MAX_COMMIT_BODY = 16 * 1024 * 1024;
/** Bytes of a plan, and names that it may list: 6 bytes each, in base64url. */
export const MAX_PLAN_BODY = 16 * 1024 * 1024;
export const MAX_PLANNED_NAMES = 2_000_000;
export const MAX_SHARD_BODY = 1024 * 1024;
export const MAX_SMALL_BODY = 64 * 1024;
/** Bytes of a manifest: a Registry keeps it in one row. */
export const MAX_MANIFEST = 2 * 1024 * 1024;
/** Bytes of a replica's question, lines of counts and sketches of names in it, and heads in its answer, at most. */
export const MAX_CHANGES_BODY = 512 * 1024;
export const MAX_COUNTS = 1_000;
export const MAX_ASKED = 1_024;
/** Characters of the sketches that a reader sends at once. What has no room waits for the next question. */
export const MAX_ASKED_TEXT = 128 * 1024;
export const MAX_HEADS = 5_000;
/** Lines of one page of a listing, at most; also the number if a request for a page does not say. */
export const MAX_PAGE = 1_000;
/** A listing requested without pages is sent whole, or refused if it has more lines than this. */
export const MAX_WHOLE = 10_000;
/** Domains in one commit. */
export const MAX_COMMIT_DOMAINS = 500;
/** Mailboxes that one request changes, characters of the key that identifies it. */
export const MAX_MAILBOXES = 1_000;
export const MAX_IDEMPOTENCY_KEY = 200;
/** Seconds for which a confirmation may last. */
export const MAX_WINDOW = 3_600;
/** Characters of a note in the history. */
export const MAX_NOTE = 200;
/** Domains of one token: it travels with every request. */
export const MAX_TOKEN_DOMAINS = 100;
/** Seconds until a token expires. */
export const MAX_TOKEN_LIFE = 10 * 365 * 86_400;
