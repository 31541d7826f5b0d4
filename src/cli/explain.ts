import { ClientError } from "../client/index.ts";
import { DirectoryError } from "../directory/index.ts";
import { GUARD_STEPS, OTHER_KEY_STEPS, PublishError, type PublishFault } from "../publish/index.ts";
import { CliError, EXIT, type ExitCode } from "./exit.ts";

const EXIT_OF: { readonly [K in PublishFault]: ExitCode } = {
  input: EXIT.input,
  guard: EXIT.guard,
  protocol: EXIT.edge,
};

/**
 * Turns an error into a message: what is wrong, where, and what to do next.
 * @param debug whether to add the stack trace
 */
export function explain(error: unknown, debug = false): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof ClientError) return explainClient(error);
  if (error instanceof PublishError) {
    return new CliError(EXIT_OF[error.fault], error.message, error.hint, error.details, { cause: error });
  }
  if (error instanceof DirectoryError) {
    const hint =
      error.fault === "invalid"
        ? "correct it and run the command again"
        : "publish the list again; if this stays, this host and the edge have different keys: see `rollcall status`";
    return new CliError(EXIT.input, error.message, hint);
  }
  const fault = error instanceof Error ? error : new Error(String(error));
  if (isFileFault(fault)) {
    return new CliError(EXIT.input, fault.message, "check the path and its permissions");
  }
  return new CliError(
    EXIT.failed,
    `unexpected error: ${fault.message}`,
    "run it again with ROLLCALL_DEBUG=1 for a stack trace, and report it",
    debug && fault.stack !== undefined ? fault.stack.split("\n") : [],
  );
}

function explainClient(error: ClientError): CliError {
  const to = (exit: CliError["exit"], hint: string, details: readonly string[] = []): CliError =>
    new CliError(exit, error.message, hint, details, { cause: error });
  switch (error.kind) {
    case "unreachable":
      return to(
        EXIT.edge,
        "check the URL of the edge (--url, ROLLCALL_URL, or url in rollcall.toml) and the network, then try again",
      );
    case "unauthorized":
      return to(
        EXIT.edge,
        "set ROLLCALL_TOKEN or --token-file to a token of this edge; create one with `rollcall token create`",
      );
    case "forbidden":
      return to(
        EXIT.edge,
        "use a token whose role and domains cover this; see `rollcall token create --help`",
      );
    case "challenge":
      return to(
        EXIT.edge,
        "turn off the bot filter (Bot Fight Mode, WAF challenges) for the host name of the edge",
      );
    case "protocol":
      return to(
        EXIT.edge,
        "check that --url, ROLLCALL_URL or url in rollcall.toml names a Rollcall edge: its /healthz answers ok",
      );
    case "api":
      return explainApi(error, to);
  }
}

function explainApi(
  error: ClientError,
  to: (exit: CliError["exit"], hint: string, details?: readonly string[]) => CliError,
): CliError {
  switch (error.code) {
    case "guard":
      // Worded like a refusal found while planning; the edge's message repeats the refusals.
      return new CliError(
        EXIT.guard,
        "refused by the guard of the edge; nothing was changed",
        /another key/.test(error.message) ? OTHER_KEY_STEPS : GUARD_STEPS,
        Object.entries(error.body?.refusals ?? {}).map(([domain, why]) => `${domain} ${why}`),
        { cause: error },
      );
    case "conflict":
      // A conflict without a domain is one between the Registry and KV.
      if (error.body?.domain === undefined)
        return to(EXIT.failed, "change the deployment as the message says, and run the command again");
      return to(EXIT.failed, "another publish came first, and nothing was changed: run the command again");
    case "not_found":
      return to(
        EXIT.input,
        error.body?.domain === undefined
          ? "check the name: `rollcall token list` shows token ids, `rollcall status` shows domains"
          : "check the name; `rollcall status` lists the domains",
      );
    case "bad_request":
      return to(EXIT.input, "nothing was changed; correct it and run the command again");
    case "uninitialised":
      return to(EXIT.edge, "publish a list or create a token: the first one initialises the Registry");
    case "unconfigured":
      return to(
        EXIT.edge,
        "set the secrets of the edge: `rollcall doctor --live URL` shows which are missing",
      );
    case "unavailable":
    case "timeout":
      return to(
        EXIT.edge,
        "try again in a minute; if this stays, see the Worker's logs: `npx wrangler tail`",
      );
    default:
      return to(EXIT.failed, "this command and the edge may be different releases: compare their versions");
  }
}

const isFileFault = (error: Error): boolean =>
  "syscall" in error && "path" in error && typeof (error as { path: unknown }).path === "string";
