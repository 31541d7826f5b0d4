import { readFileSync } from "node:fs";
import * as v from "valibot";
import { isLoopback } from "../../runtime/loopback.ts";
import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";
import { textSetting } from "./settings.ts";

/** Settings of an encrypted connection. */
export const TLS_SETTINGS = {
  tls: v.optional(v.boolean("must be true or false")),
  ca_file: v.optional(textSetting("must be the path of a PEM file")),
};

/** What Node's TLS takes. */
export interface TlsOptions {
  readonly rejectUnauthorized: true;
  readonly servername?: string;
  readonly ca?: string;
}

/**
 * How to encrypt a connection: always, with a verified certificate, unless the server is on this host or the settings say
 * `tls = false`.
 * @param server host name or address; null for a unix socket
 * @returns null for a connection without encryption
 * @throws PublishError `input` if the CA file cannot be read
 */
export function tlsOptions(
  settings: { readonly tls?: boolean | undefined; readonly ca_file?: string | undefined },
  server: string | null,
  { shown, path }: SourceHost,
): TlsOptions | null {
  const { tls, ca_file } = settings;
  const isLocal = server === null || isLoopback(server);
  if (!(tls ?? (ca_file !== undefined || !isLocal))) return null;
  if (ca_file === undefined) return { rejectUnauthorized: true };
  try {
    return { rejectUnauthorized: true, ca: readFileSync(path(ca_file), "utf8") };
  } catch (error) {
    throw new PublishError(
      "input",
      `${shown}: ${ca_file} (ca_file) cannot be read: ${(error as NodeJS.ErrnoException).code}`,
      "check the path and its permissions",
    );
  }
}
