import { existsSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { type ClientPorts, createClient } from "../../client/index.ts";
import { CliError, EXIT } from "../exit.ts";
import { packageFile } from "./package.ts";
import { write } from "./state.ts";

/** A running SMTP server. */
export interface FrontEnd {
  readonly port: number;
  close(): Promise<void>;
}

/** What examples/smtp-front-end.mjs exports. */
interface Example {
  startFrontEnd(options: { url: string; token: string; port: number }): Promise<FrontEnd>;
}

/** Starts the example SMTP server, which asks the edge at each RCPT TO. */
export async function startFrontEnd(url: string, token: string, port: number): Promise<FrontEnd> {
  const file = packageFile("examples", "smtp-front-end.mjs");
  let example: Example;
  try {
    example = (await import(pathToFileURL(file).href)) as Example;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new CliError(
      EXIT.failed,
      "the SMTP front end is not installed (the package smtp-server)",
      "run `rollcall dev --front-end` in a clone of the repository, after `npm ci`",
    );
  }
  return example.startFrontEnd({ url, token, port });
}

/** The front end's token: the one from an earlier run, if the edge still accepts it, or else a new one. */
export async function frontEndToken(
  url: string,
  adminToken: string,
  file: string,
  ports: ClientPorts,
): Promise<string> {
  if (existsSync(file)) {
    const kept = readFileSync(file, "utf8").trim();
    const outcome = await createClient({ ...ports, url, token: kept }).check("postmaster");
    if (outcome.kind === "answer") return kept;
  }
  const admin = createClient({ ...ports, url, token: adminToken });
  const { token } = await admin.createToken({
    role: "check",
    domains: null,
    note: "front end of rollcall dev",
  });
  write(file, `${token}\n`);
  return token;
}
