/**
 * The command's exit codes; {@link EXIT_HELP} explains them.
 */
export const EXIT = {
  done: 0,
  /** Any failure without a code of its own. */
  failed: 1,
  usage: 2,
  input: 3,
  guard: 4,
  unconfirmed: 5,
  edge: 6,
  /** Of `rollcall plan`. */
  changes: 7,
  /** EX_TEMPFAIL of sysexits.h. */
  busy: 75,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `
Exit codes:
  0  done, or nothing to change
  1  other failure: a stale list, names that the brake holds, a finding of doctor, a list that was changed meanwhile
  2  usage error
  3  bad input: a list, rollcall.toml, or a name that does not exist
  4  refused by the guard, not what rollcall.toml expects (a canary is missing), or single changes need a decision
  5  not confirmed: the answer was no, or there was no terminal and no --yes
  6  edge unreachable, or credentials refused
  7  plan: there are changes, and the guard passes
 75  sync: another run holds the lock`;

/** A failure to report: what is wrong and where, what to do next, and the exit code. */
export class CliError extends Error {
  readonly exit: ExitCode;
  /** What to do next. */
  readonly hint: string | null;
  /** Further lines, such as each malformed line of a list. */
  readonly details: readonly string[];

  constructor(
    exit: ExitCode,
    message: string,
    hint: string | null = null,
    details: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "CliError";
    this.exit = exit;
    this.hint = hint;
    this.details = details;
  }
}

export const usageError = (message: string, hint: string | null = null): CliError =>
  new CliError(EXIT.usage, message, hint);

export const inputError = (message: string, hint: string | null = null): CliError =>
  new CliError(EXIT.input, message, hint);
