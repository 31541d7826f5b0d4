import { createConnection, type Socket } from "node:net";

/** A conversation with an SMTP server, line by line. */
export class Smtp {
  readonly #socket: Socket;
  #buffer = "";
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text) => {
      this.#buffer += text;
      this.#wake();
    });
    socket.on("close", () => this.#wake());
    socket.on("error", () => this.#wake());
  }

  /** Connects, and says EHLO and MAIL FROM. */
  static async open(port: number, sender = "sender@elsewhere.example"): Promise<Smtp> {
    const smtp = new Smtp(createConnection({ port, host: "127.0.0.1" }));
    await smtp.reply();
    await smtp.say("EHLO client.example");
    await smtp.say(`MAIL FROM:<${sender}> SMTPUTF8`);
    return smtp;
  }

  /** Sends a line. @returns the reply to it */
  say(line: string): Promise<string> {
    this.#socket.write(`${line}\r\n`);
    return this.reply();
  }

  rcpt(address: string): Promise<string> {
    return this.say(`RCPT TO:<${address}>`);
  }

  /** The next whole reply, its lines joined by line feeds. */
  async reply(): Promise<string> {
    for (;;) {
      const match = /^(?:\d{3}-[^\n]*\n)*\d{3} [^\n]*\r\n/.exec(this.#buffer);
      if (match !== null) {
        this.#buffer = this.#buffer.slice(match[0].length);
        return match[0].replaceAll("\r", "").trimEnd();
      }
      if (this.#socket.destroyed) throw new Error(`the server hung up; it said: ${this.#buffer}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async quit(): Promise<void> {
    await this.say("QUIT");
    this.#socket.destroy();
  }
}
