import { BlockList, isIPv4, isIPv6 } from "node:net";

/** A network of IP addresses, such as `192.0.2.0/24`. */
export interface Network {
  readonly family: "ipv4" | "ipv6";
  readonly address: string;
  /** Leading bits that its addresses share. */
  readonly prefix: number;
}

/** The forms of a network, for people. */
export const NETWORK_FORMS = "192.0.2.0/24, 2001:db8::/32 or one address";

/** Reads a network in CIDR notation, or one address. @returns the network, or what is wrong with it */
export function parseNetwork(text: string): Network | string {
  const [address = "", bits, ...more] = text.split("/");
  const family = isIPv4(address) ? "ipv4" : isIPv6(address) && !address.includes("%") ? "ipv6" : null;
  if (family === null || more.length > 0) return `must be ${NETWORK_FORMS}`;
  const most = family === "ipv4" ? 32 : 128;
  if (bits === undefined) return { family, address, prefix: most };
  const prefix = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  return prefix <= most ? { family, address, prefix } : `must have a prefix length from 0 to ${most}`;
}

/** The clients that may connect over TCP: those of this host, and those of the networks of `allow_remote`. */
export class AllowedPeers {
  readonly #networks = new BlockList();

  constructor(networks: readonly Network[]) {
    this.#networks.addSubnet("127.0.0.0", 8, "ipv4");
    this.#networks.addAddress("::1", "ipv6");
    for (const { address, prefix, family } of networks) this.#networks.addSubnet(address, prefix, family);
  }

  /** @param address as the socket states it: IPv4 clients of an IPv6 socket look like `::ffff:192.0.2.1` */
  allows(address: string | undefined): boolean {
    // A client that has already gone has no address.
    if (address === undefined) return false;
    const plain = address.split("%", 1)[0] as string;
    return this.#networks.check(plain, isIPv4(plain) ? "ipv4" : "ipv6");
  }
}
