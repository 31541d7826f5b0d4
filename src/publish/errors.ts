export type PublishFault =
  /** A list that cannot be used; nothing was published. */
  | "input"
  /** The guard of law 4 refuses, a canary is missing, or single changes need a decision. */
  | "guard"
  /** The head is another one than the plan was made for. */
  | "conflict"
  /** The edge's answer does not fit the request. */
  | "protocol";

/** In hints that name an option: the command that failed. A run without options has another one to name. */
export const AGAIN = "run the command again";

/** Hint for an edge that behaves like another release. */
export const SAME_RELEASE = "use the same release of Rollcall for publishing as at the edge";

/** Hint for lists or tokens that were made under another master key than the edge's. */
export const OTHER_KEY_STEPS = `If ROLLCALL_MASTER_KEY was replaced by mistake, put the old key back (\`npx wrangler secret put
  ROLLCALL_MASTER_KEY\`); everything then works as before. If the old key is lost: 1. publish each list again with
  \`rollcall publish --force\` (names cannot be compared across keys, so check the lists first); 2. create new tokens
  with \`rollcall token create\`, give them to the mail hosts, and revoke the old ones. Mail is deferred until then.
  docs/deploying.md has each step`;

/** The one error family of `src/publish`. */
export class PublishError extends Error {
  readonly fault: PublishFault;
  /** One line per fault, such as `FILE:LINE: reason`. */
  readonly details: readonly string[];
  /** What to do next. */
  readonly hint: string;

  constructor(fault: PublishFault, message: string, hint: string, details: readonly string[] = []) {
    super(message);
    this.name = "PublishError";
    this.fault = fault;
    this.details = details;
    this.hint = hint;
  }
}
