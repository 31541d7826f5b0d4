import { ClientError, type ClientFault } from "../client/index.ts";
import { DirectoryError } from "../directory/index.ts";
import { GUARD_STEPS, OTHER_KEY_STEPS, PublishError, type PublishFault } from "../publish/index.ts";
import { CliError, EXIT, type ExitCode } from "./exit.ts";

const EXIT_OF: { readonly [K in PublishFault]: ExitCode } = {
  input: EXIT.input,
  guard: EXIT.guard,
  conflict: EXIT.failed,
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
  if (error.kind === "api" && error.code === "guard") {
    // Worded like a refusal found while planning; the edge's message repeats the refusals.
    return new CliError(
      EXIT.guard,
      "refused by the guard of the edge; nothing was changed",
      /another key/.test(error.message) ? OTHER_KEY_STEPS : GUARD_STEPS,
      Object.entries(error.body?.refusals ?? {}).map(([domain, why]) => `${domain} ${why}`),
      { cause: error },
    );
  }
  const [exit, hint] = error.kind === "api" ? adviceOnApi(error) : ([EXIT.edge, HINTS[error.kind]] as const);
  return new CliError(exit, error.message, hint, [], { cause: error });
}

const HINTS: Readonly<Record<Exclude<ClientFault, "api">, string>> = {
  unreachable:
    "check the URL of the edge (--url, ROLLCALL_URL, or url in rollcall.toml) and the network, then try again",
  unauthorized:
    "set ROLLCALL_TOKEN or --token-file to a token of this edge; create one with `rollcall token create`",
  forbidden: "use a token whose role and domains cover this; see `rollcall token create --help`",
  challenge: "turn off the bot filter (Bot Fight Mode, WAF challenges) for the host name of the edge",
  protocol:
    "check that --url, ROLLCALL_URL or url in rollcall.toml names a Rollcall edge: its /healthz answers ok",
};

function adviceOnApi({ code, body }: ClientError): readonly [exit: ExitCode, hint: string] {
  const hasDomain = body?.domain !== undefined;
  switch (code) {
    case "conflict":
      // A conflict without a domain is one between the Registry and KV.
      return hasDomain
        ? [
            EXIT.failed,
            "the list was changed meanwhile, as `rollcall history` shows; this command changed nothing: run it again",
          ]
        : [EXIT.failed, "change the deployment as the message says, and run the command again"];
    case "not_found":
      return hasDomain
        ? [EXIT.input, "check the name; `rollcall status` lists the domains"]
        : [
            EXIT.input,
            "check the name: `rollcall token list` shows token ids, `rollcall status` shows domains",
          ];
    case "repack_needed":
      return [EXIT.failed, "nothing was changed: publish the list with `rollcall publish`"];
    case "patched_names":
      return [
        EXIT.failed,
        "nothing was changed: publish the list with `rollcall publish`; a rollback takes --drop-patched, which accepts again whom that list had",
      ];
    case "storage_full":
      return [EXIT.failed, "nothing was changed; `rollcall status` shows what is stored"];
    case "bad_request":
      return [EXIT.input, "nothing was changed; correct it and run the command again"];
    case "uninitialised":
      return [EXIT.edge, "publish a list or create a token: the first one initialises the Registry"];
    case "unconfigured":
      return [EXIT.edge, "set the secrets of the edge: `rollcall doctor --url URL` shows which are missing"];
    case "unavailable":
    case "timeout":
      return [EXIT.edge, "try again in a minute; if this stays, see the Worker's logs: `npx wrangler tail`"];
    default:
      return [EXIT.failed, "this command and the edge may be different releases: compare their versions"];
  }
}

const isFileFault = (error: Error): boolean =>
  "syscall" in error && "path" in error && typeof (error as { path: unknown }).path === "string";
