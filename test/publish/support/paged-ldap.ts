/** An LDAP server that answers searches in pages as a test says, also as no server here would. */
import { createServer, type Server } from "node:net";

/** A page: addresses of its entries (attribute `mail`), and whether the server says that more follow. */
export interface LdapPage {
  readonly mail: readonly string[];
  readonly isMore: boolean;
}

/** @param pageSize null for a search without pages */
export type PageOf = (pageSize: number | null, cookie: string) => LdapPage & { readonly cookie?: string };

const PAGED_RESULTS = "1.2.840.113556.1.4.319";

/** Starts it on a loopback port. */
export async function startPagedLdap(pageOf: PageOf): Promise<Server & { readonly port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    // On loopback, a request of the driver arrives whole.
    socket.on("data", (request) => {
      const { id, operation } = headOf(request);
      if (operation === BIND) socket.write(message(id, tlv(0x61, SUCCESS)));
      if (operation !== SEARCH) return;
      const { pageSize, cookie } = pagedResults(request);
      const page = pageOf(pageSize, cookie);
      const next = page.isMore ? (page.cookie ?? "more") : "";
      const control = tlv(0x30, tlv(2, Buffer.from([0])), text(next));
      const controls = tlv(0xa0, tlv(0x30, text(PAGED_RESULTS), tlv(4, control)));
      const done = message(id, tlv(0x65, SUCCESS), ...(pageSize === null ? [] : [controls]));
      socket.write(Buffer.concat([...page.mail.map((mail) => message(id, entry(mail))), done]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(server, { port: (server.address() as { port: number }).port });
}

const BIND = 0x60;
const SEARCH = 0x63;

/** Tag, length and value of BER. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), value]);
}

const text = (value: string): Buffer => tlv(4, Buffer.from(value));
/** The id has four octets, so that it is never negative. */
const message = (id: number, ...parts: readonly Buffer[]): Buffer =>
  tlv(0x30, Buffer.from([2, 4, 0, (id >> 16) & 0xff, (id >> 8) & 0xff, id & 0xff]), ...parts);

/** Id and kind of a message. */
function headOf(message: Buffer): { id: number; operation: number } {
  const first = message.readUInt8(1);
  // A long length has its own length in the first octet.
  const at = first < 128 ? 2 : 2 + (first & 0x7f);
  const digits = message.readUInt8(at + 1);
  return { id: message.readUIntBE(at + 2, digits), operation: message.readUInt8(at + 2 + digits) };
}
/** resultCode, matchedDN and diagnosticMessage of a result. */
const SUCCESS = Buffer.concat([tlv(10, Buffer.from([0])), text(""), text("")]);

/** searchResEntry: a name, and one attribute with one value. An attribute may have options: `mail;lang-en=…`. */
function entry(mail: string): Buffer {
  const [, name = "mail", value = mail] = /^(mail;[^=]+)=(.*)$/.exec(mail) ?? [];
  const attribute = tlv(0x30, text(name), tlv(0x31, text(value)));
  return tlv(0x64, text(`cn=${value}`), tlv(0x30, attribute));
}

/** Size and cookie of a request's control. */
function pagedResults(request: Buffer): { pageSize: number | null; cookie: string } {
  const at = request.indexOf(PAGED_RESULTS);
  if (at < 0) return { pageSize: null, cookie: "" };
  // Perhaps `criticality`, then an octet string, a sequence, an integer, and an octet string.
  const sequence = request.indexOf(0x30, at + PAGED_RESULTS.length);
  const digits = request.readUInt8(sequence + 3);
  const size = request.readUIntBE(sequence + 4, digits);
  const cookie = sequence + 4 + digits;
  return {
    pageSize: size,
    cookie: request.toString("utf8", cookie + 2, cookie + 2 + request.readUInt8(cookie + 1)),
  };
}
