import { ADDRESS_FORMS, type ListenAddress, parseAnyAddress } from "../bridge/listeners/address.ts";

/**
 * Reads what smtpd.conf names after `rollcall:`. smtpd accepts absolute paths only, so an address and port have a slash
 * before them: `/127.0.0.1:10023`. Any other path is that of a unix socket.
 * @returns the address, or what is wrong with it
 */
export function parseBridgeAddress(text: string): ListenAddress | string {
  const address = parseAnyAddress(text.replace(/^\//, ""));
  if (typeof address !== "string") return address;
  if (text.startsWith("/")) return parseAnyAddress(`unix:${text}`);
  return text === "" ? `no address of the bridge is given: ${ADDRESS_FORMS}` : address;
}
