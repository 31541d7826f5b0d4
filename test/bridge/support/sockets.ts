import { createConnection, type NetConnectOpts, type Socket } from "node:net";
import type { ListenAddress } from "../../../src/bridge/index.ts";

/** A client of the bridge, and what it has received so far. */
export class Client {
  text = "";
  isClosed = false;
  readonly socket: Socket;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("utf8").on("data", (text: string) => {
      this.text += text;
      this.#wake();
    });
    // A client that is disconnected sees a reset.
    socket.on("error", () => undefined);
    socket.on("end", () => {
      this.isClosed = true;
      this.#wake();
    });
    socket.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  static async connect(address: ListenAddress): Promise<Client> {
    const options: NetConnectOpts =
      address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
    const socket = createConnection({ ...options, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Client(socket);
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  /** Waits until the received text matches, or the bridge has closed. */
  async told(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.text) || this.isClosed);
    return this.text;
  }

  /** Waits until the bridge has closed its side. @returns the whole text */
  async closed(): Promise<string> {
    await this.#until(() => this.isClosed);
    return this.text;
  }

  leave(): void {
    this.socket.destroy();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Asks one question on a connection of its own, ends its side, and reads to the end. */
export async function askOnce(address: ListenAddress, question: string): Promise<string> {
  const client = await Client.connect(address);
  client.socket.end(question);
  const reply = await client.closed();
  client.leave();
  return reply;
}

export const netstring = (text: string): string => `${Buffer.byteLength(text)}:${text},`;
