import { createConnection, type Socket } from "node:net";
import { connect } from "node:tls";

/** A whole reply of an SMTP server. */
export interface Reply {
  readonly code: number;
  /** Enhanced status code (RFC 3463), null if there is none. */
  readonly enhanced: string | null;
  /** Of all lines: Exim wraps a long reply. */
  readonly text: string;
  /** From the last byte sent until the reply was whole. */
  readonly ms: number;
}

/** `550 5.1.1`. */
export const codesOf = ({ code, enhanced }: Reply): string =>
  enhanced === null ? String(code) : `${code} ${enhanced}`;

export interface SessionOptions {
  readonly port: number;
  /** Where the server is, if not on 127.0.0.1. */
  readonly host?: string;
  /** TLS from the first byte, with any certificate. */
  readonly tls?: boolean;
  /** From which address of loopback the client connects. */
  readonly from?: string;
  readonly auth?: { readonly user: string; readonly password: string };
  readonly sender?: string;
}

/**
 * One conversation with an SMTP server, as bare as can be: what is sent is what the caller wrote, in UTF-8, so that
 * every form of a recipient can be tried.
 */
export class SmtpSession {
  readonly #socket: Socket;
  #buffer = "";
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      this.#buffer += text;
      this.#wake();
    });
    socket.on("close", () => this.#wake());
    socket.on("error", () => this.#wake());
  }

  /** Connects and says EHLO, AUTH if a login is given, and MAIL FROM if a sender is. */
  static async open(options: SessionOptions): Promise<SmtpSession> {
    const { port, host = "127.0.0.1", tls = false, from = "127.0.0.1", auth, sender } = options;
    const socket = createConnection({ port, host, localAddress: from });
    const session = new SmtpSession(tls ? connect({ socket, rejectUnauthorized: false }) : socket);
    await session.expect(220, session.reply());
    await session.expect(250, session.say("EHLO client.example"));
    if (auth !== undefined) {
      const secret = Buffer.from(`\0${auth.user}\0${auth.password}`).toString("base64");
      await session.expect(235, session.say(`AUTH PLAIN ${secret}`));
    }
    if (sender !== undefined) await session.mail(sender);
    return session;
  }

  async mail(sender: string, parameters = ""): Promise<void> {
    await this.expect(250, this.say(`MAIL FROM:<${sender}>${parameters}`));
  }

  /** @param path with its angle brackets */
  rcpt(path: string): Promise<Reply> {
    return this.say(`RCPT TO:${path}`);
  }

  /** DATA and a message. */
  async data(text: string): Promise<Reply> {
    const reply = await this.say("DATA");
    return reply.code === 354 ? this.say(`${text}\r\n.`) : reply;
  }

  say(line: string): Promise<Reply> {
    this.#socket.write(`${line}\r\n`);
    return this.reply();
  }

  async expect(code: number, pending: Promise<Reply>): Promise<Reply> {
    const reply = await pending;
    if (reply.code !== code) throw new Error(`${code} was expected, not ${reply.code} ${reply.text}`);
    return reply;
  }

  /** The next whole reply. @throws if the server hangs up */
  async reply(): Promise<Reply> {
    const start = performance.now();
    for (;;) {
      const match = /^((?:\d{3}-[^\n]*\r\n)*)(\d{3}) (?:([245]\.\d+\.\d+) )?([^\n]*)\r\n/.exec(this.#buffer);
      if (match !== null) {
        this.#buffer = this.#buffer.slice(match[0].length);
        const [, before = "", code, enhanced, text = ""] = match;
        const wrapped = before.replaceAll(/^\d{3}-(?:[245]\.\d+\.\d+ )?|\r$/gm, "").replaceAll("\n", " ");
        return {
          code: Number(code),
          enhanced: enhanced ?? null,
          text: wrapped + text,
          ms: performance.now() - start,
        };
      }
      if (this.#socket.closed) throw new Error(`the server hung up; it said: ${this.#buffer}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async quit(): Promise<void> {
    await this.say("QUIT");
    this.#socket.destroy();
  }

  /** Hangs up without a word. */
  destroy(): void {
    this.#socket.destroy();
  }
}
