import { isIPv4, isIPv6 } from "node:net";

/** Where to listen: a TCP port, or a unix socket. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The forms of an address, for people. */
export const ADDRESS_FORMS = "127.0.0.1:PORT, [::1]:PORT or unix:/path";

/** Longest path of a unix socket that every system accepts, octets. */
const MAX_PATH = 103;

const LOOPBACK_ONLY = `must be a loopback address: ${ADDRESS_FORMS}`;

/**
 * Reads `127.0.0.1:10023`, `[::1]:10023` or `unix:/path`. Port 0 picks a free port.
 * @returns the address, or what is wrong with it
 */
export function parseAddress(text: string): ListenAddress | string {
  const address = parseAnyAddress(text);
  // Anyone who can connect to a listener can probe for addresses.
  return typeof address === "string" || isLocal(address) ? address : LOOPBACK_ONLY;
}

/** Like {@link parseAddress}, for settings: an IP address beyond loopback is allowed if `allow_remote` says so. */
export function parseAnyAddress(text: string): ListenAddress | string {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (!path.startsWith("/") || path.includes("\0"))
      return `must be the absolute path of a unix socket: ${ADDRESS_FORMS}`;
    if (new TextEncoder().encode(path).length > MAX_PATH) {
      return `must be at most ${MAX_PATH} octets long`;
    }
    return { kind: "unix", path };
  }
  const match = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9a-fA-F:.]+)\]):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return `must be ${ADDRESS_FORMS}`;
  const host = match[1] ?? (match[2] as string);
  if (match[1] === undefined ? !isIPv6(host) : !isIPv4(host)) return LOOPBACK_ONLY;
  return { kind: "tcp", host, port };
}

/** Whether only processes of this host can connect. */
export const isLocal = (address: ListenAddress): boolean =>
  address.kind === "unix" ||
  address.host === "::1" ||
  (isIPv4(address.host) && address.host.startsWith("127."));

/** The address in the form that {@link parseAddress} reads. */
export function showAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
