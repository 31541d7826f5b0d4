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
 * Turns whatever was thrown into words for people: what is wrong, where, and what to do next.
 * @param debug whether to show where in the code it happened
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
        ? "correct it, and run the command again"
        : "publish the list again; if it stays, the keys of the two sides differ: `rollcall status` shows more";
    return new CliError(EXIT.input, error.message, hint);
  }
  const fault = error instanceof Error ? error : new Error(String(error));
  if (isFileFault(fault)) {
    return new CliError(EXIT.input, fault.message, "check the path and its permissions");
  }
  return new CliError(
    EXIT.failed,
    `unexpected fault: ${fault.message}`,
    "run it again with ROLLCALL_DEBUG=1 to see where, and report it",
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
        "check the edge's URL (--url, ROLLCALL_URL, or url in rollcall.toml) and the network, then run it again",
      );
    case "unauthorized":
      return to(
        EXIT.edge,
        "set ROLLCALL_TOKEN, or the file of --token-file, to a token of this edge: `rollcall token create` makes one",
      );
    case "forbidden":
      return to(EXIT.edge, "use a token whose role and domains cover this: `rollcall token create --help`");
    case "challenge":
      return to(
        EXIT.edge,
        "switch the bot filter (Bot Fight Mode, challenges of the WAF) off for the host name of the edge",
      );
    case "protocol":
      return to(
        EXIT.edge,
        "check that --url, ROLLCALL_URL or url in rollcall.toml names a Rollcall edge: its /healthz says ok",
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
      // As the guard here says it: the edge's message has the refusals in it.
      return new CliError(
        EXIT.guard,
        "refused by the guard of the edge; nothing was changed",
        /another key/.test(error.message) ? OTHER_KEY_STEPS : GUARD_STEPS,
        Object.entries(error.body?.refusals ?? {}).map(([domain, why]) => `${domain} ${why}`),
        { cause: error },
      );
    case "conflict":
      // A conflict that is about no domain is one between the Registry and KV.
      if (error.body?.domain === undefined)
        return to(EXIT.failed, "change the deployment as it says, and run it again");
      return to(EXIT.failed, "somebody published in between, and nothing was changed here: run it again");
    case "not_found":
      return to(
        EXIT.input,
        error.body?.domain === undefined
          ? "check it: `rollcall token list` shows the ids of tokens, `rollcall status` the domains"
          : "check the name; `rollcall status` lists the domains that are served",
      );
    case "bad_request":
      return to(EXIT.input, "correct it, and run the command again; nothing was changed");
    case "uninitialised":
      return to(EXIT.edge, "publish a first list, or make a first token: that begins the Registry");
    case "unconfigured":
      return to(EXIT.edge, "give the edge its secrets: `rollcall doctor --live URL` says which are missing");
    case "unavailable":
    case "timeout":
      return to(EXIT.edge, "run it again in a minute; if it stays, see the edge's logs");
    default:
      return to(
        EXIT.failed,
        "this command and the edge may be of different releases: compare their versions",
      );
  }
}

const isFileFault = (error: Error): boolean =>
  "syscall" in error && "path" in error && typeof (error as { path: unknown }).path === "string";
