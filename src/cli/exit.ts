/**
 * The command's exit codes. `rollcall --help` lists the same.
 */
export const EXIT = {
  /** Done, or nothing to change. */
  done: 0,
  /** Any other failure: a stale list, a finding of `doctor`, a conflict, an internal error. */
  failed: 1,
  usage: 2,
  /** A list, a settings file or a name that cannot be used. */
  input: 3,
  /** Refused by the guard, here or at the edge, or a canary is missing. */
  guard: 4,
  /** Not confirmed: neither `--yes` nor a terminal, or the answer was no. */
  unconfirmed: 5,
  /** The edge is unreachable, is not a Rollcall edge, or refuses the credentials. */
  edge: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `
Exit codes:
  0  done, or nothing to change
  1  other failure: a stale list, a finding of doctor, a conflict with another publish
  2  usage
  3  bad input: a list, rollcall.toml, or a name that does not exist
  4  refused by the guard
  5  not confirmed (no --yes and no terminal)
  6  edge unreachable, or credentials refused`;

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
