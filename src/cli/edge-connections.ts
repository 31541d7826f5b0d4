/** How commands reach the edge where that takes more than `fetch`: through a proxy, or with an authority of one's own. */
import { readFileSync } from "node:fs";
import { inputError, usageError } from "./exit.ts";
import { type ConnectionPool, certificateFault } from "./http.ts";
import type { Platform } from "./platform.ts";

/** Connections of a command: as many as an upload uses at once. */
const CONNECTIONS = 8;

/** The proxy that the environment names for an edge, null for none. @throws CliError exit 2 */
export function proxyOf(platform: Platform, url: string): URL | null {
  try {
    return platform.proxyFor(url);
  } catch (error) {
    throw usageError(
      `HTTPS_PROXY cannot be used: ${(error as Error).message}`,
      "write it as a URL, such as HTTPS_PROXY=http://proxy.example:3128, or unset it",
    );
  }
}

/**
 * Reads a PEM file of certificates.
 * @param where the option or the place in the settings that names it, as `shown`
 * @throws CliError exit 3
 */
export function readCertificates(path: string, where: string, shown: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    throw inputError(
      `${where} cannot be read: ${(error as Error).message}`,
      "check its path and permissions",
    );
  }
  const fault = certificateFault(pem);
  if (fault === null) return pem;
  throw inputError(
    `${where} ${shown} is not a PEM file of certificates: ${fault}`,
    "use the certificate of the authority: it begins with -----BEGIN CERTIFICATE-----",
  );
}

/**
 * Connections to an edge, null if `fetch` reaches it: Node 20's knows no proxy and no further authority.
 * @param ca PEM of further certificate authorities, null for none
 */
export function connectionsTo(platform: Platform, url: string, ca: string | null): ConnectionPool | null {
  const proxy = proxyOf(platform, url);
  return proxy === null && ca === null ? null : platform.httpPool({ connections: CONNECTIONS, ca, proxy });
}
