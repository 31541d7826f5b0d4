/** One connection to a socketmap service, for load at a low rate; the caller sees every reply. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { SocketmapParser } from "../../src/bridge/protocols/socketmap.ts";

/** What the reply to one question says. */
export type Reply = "OK" | "NOTFOUND" | "TEMP" | "TIMEOUT" | "PERM";

export class SocketmapConnection implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: { resolve(reply: Reply): void; reject(error: Error): void }[] = [];
  /** A reply is a netstring of two words too. */
  readonly #parser = new SocketmapParser();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", () => undefined).on("close", () => this.#end());
  }

  /** @param address `unix:/path` */
  static async open(address: string): Promise<SocketmapConnection> {
    const socket = connect(address.replace(/^unix:/, ""));
    await once(socket, "connect");
    return new SocketmapConnection(socket);
  }

  /** Asks about a key. Replies come in the order of the questions. */
  ask(table: string, key: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      const question = `${table} ${key}`;
      this.#socket.write(`${Buffer.byteLength(question)}:${question},`);
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#parser.feed(bytes);
    for (let it = this.#parser.next(); it !== null; it = this.#parser.next()) {
      if (it.kind === "question") this.#waiting.shift()?.resolve(it.question.map as Reply);
      else this.#socket.destroy();
    }
  }

  #end(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the service ended the connection"));
  }
}
