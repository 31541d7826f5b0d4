/** Where to listen: a TCP port of loopback, or a unix socket. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The forms of an address, for people. */
export const ADDRESS_FORMS = "127.0.0.1:PORT, [::1]:PORT or unix:/path";

/** Longest path of a unix socket that every system accepts, octets. */
const MAX_PATH = 103;

/**
 * Reads `127.0.0.1:10023`, `[::1]:10023` or `unix:/path`. Port 0 picks a free port.
 * @returns the address, or what is wrong with it
 */
export function parseAddress(text: string): ListenAddress | string {
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
  // Anyone who can connect to a listener can probe for addresses.
  if (host !== "::1" && !/^127(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/.test(host)) {
    return `must be a loopback address: ${ADDRESS_FORMS}`;
  }
  return { kind: "tcp", host, port };
}

/** The address in the form that {@link parseAddress} reads. */
export function showAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
