import * as v from "valibot";
import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";
import type { TokenSource } from "./page.ts";
import { outputOf } from "./program.ts";
import { readSecret, secretSettings } from "./secret.ts";
import { httpUrl, textSetting } from "./settings.ts";

const ARGV = 'must be a program and its arguments, such as ["gcloud", "auth", "print-access-token"]';
const URL_FORM = "must be the URL of the token endpoint";

/** Where the bearer token comes from. */
export const TOKEN_SETTINGS = {
  ...secretSettings("token"),
  token_command: v.optional(v.pipe(v.array(textSetting(ARGV), ARGV), v.minLength(1, ARGV))),
  oauth: v.optional(
    v.strictObject(
      {
        token_url: httpUrl(URL_FORM),
        client_id: textSetting("must be the id of the client"),
        ...secretSettings("client_secret"),
        scope: v.optional(textSetting("must be a scope")),
      },
      "must be a table with token_url, client_id and client_secret_file",
    ),
  ),
};

type Settings = v.InferOutput<v.StrictObjectSchema<typeof TOKEN_SETTINGS, undefined>>;

/** Seconds for which a program may look for a token. */
const COMMAND_TIMEOUT = 60;

/**
 * Gives the header for each request. A token that is made (by a program or by OAuth's client credentials, RFC 6749, 4.4)
 * is made when it is first needed, and once again if it is refused, for example because it expired.
 * @throws PublishError `input` if there is no token, when it is called
 */
export function tokenSource(settings: Settings, host: SourceHost, signal: AbortSignal): TokenSource {
  const ways = [settings.token_file ?? settings.token_env, settings.token_command, settings.oauth].filter(
    (way) => way !== undefined,
  );
  if (ways.length > 1) {
    throw new PublishError(
      "input",
      `${host.shown} has more than one token`,
      "keep token_file, token_env, token_command or oauth",
    );
  }
  const make = async (): Promise<string | null> => {
    if (settings.token_command !== undefined) return fromProgram(settings.token_command, host, signal);
    if (settings.oauth !== undefined) return fromOauth(settings.oauth, host, signal);
    return readSecret("token", settings, host)?.trim() ?? null;
  };
  let token: string | null | undefined;
  return async (isRefused) => {
    if (token === undefined || isRefused) token = await make();
    if (token === null) return null;
    if (/^[\x21-\x7e]+$/.test(token)) return `Bearer ${token}`;
    throw new PublishError(
      "input",
      `${host.shown}: the token contains invalid characters`,
      "it must be one line of visible ASCII",
    );
  };
}

async function fromProgram(argv: readonly string[], host: SourceHost, signal: AbortSignal): Promise<string> {
  let text = "";
  for await (const chunk of outputOf({ argv, timeout: COMMAND_TIMEOUT }, host, signal)) {
    text += Buffer.from(chunk).toString("utf8");
    if (text.length > 100_000) break;
  }
  return text.trim();
}

async function fromOauth(
  oauth: NonNullable<Settings["oauth"]>,
  host: SourceHost,
  signal: AbortSignal,
): Promise<string> {
  const { token_url, client_id, scope } = oauth;
  const fault = (why: string): PublishError =>
    new PublishError(
      "input",
      `${host.shown}: no token from ${new URL(token_url).origin}: ${why}`,
      "check oauth: token_url, client_id, the secret and scope",
    );
  const secret = readSecret("client_secret", oauth, host);
  if (secret === null) throw fault("no client_secret_file or client_secret_env is set");
  const body = new URLSearchParams({
    grant_type: "client_credentials",
    client_id,
    client_secret: secret.trim(),
    ...(scope === undefined ? {} : { scope }),
  });
  let answer: { access_token?: unknown; error?: unknown };
  let status: number;
  try {
    const response = await host.fetch(token_url, { method: "POST", body, signal, redirect: "manual" });
    status = response.status;
    answer = (await response.json()) as typeof answer;
  } catch (error) {
    signal.throwIfAborted();
    throw fault((error as Error).message);
  }
  if (status === 200 && typeof answer?.access_token === "string") return answer.access_token;
  throw fault(
    `HTTP status ${status}${typeof answer?.error === "string" ? `, ${answer.error.slice(0, 100)}` : ""}`,
  );
}
