/** One connection to a socketmap service, for load at a low rate; the caller sees every reply. */
import { connect, type Socket } from "node:net";

/** What the reply to one question says. */
export type Reply = "OK" | "NOTFOUND" | "TEMP" | "TIMEOUT" | "PERM";

export class SocketmapConnection {
  readonly #socket: Socket;
  readonly #waiting: { resolve(reply: Reply): void; reject(error: Error): void }[] = [];
  #rest = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    socket.on("error", () => undefined).on("close", () => this.#end());
  }

  /** @param address `unix:/path` */
  static open(address: string): Promise<SocketmapConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(address.replace(/^unix:/, ""));
      socket.once("error", reject).once("connect", () => resolve(new SocketmapConnection(socket)));
    });
  }

  /** Asks about a key. Replies come in the order of the questions. */
  ask(table: string, key: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      const question = `${table} ${key}`;
      this.#socket.write(`${Buffer.byteLength(question)}:${question},`);
    });
  }

  #take(text: string): void {
    this.#rest += text;
    for (;;) {
      const colon = this.#rest.indexOf(":");
      if (colon < 0) return;
      const end = colon + 1 + Number(this.#rest.slice(0, colon));
      if (this.#rest.length <= end) return;
      const [reply] = this.#rest.slice(colon + 1, end).split(" ", 1);
      this.#rest = this.#rest.slice(end + 1);
      this.#waiting.shift()?.resolve(reply as Reply);
    }
  }

  #end(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the service ended the connection"));
  }
}
