/** `rollcall opensmtpd-table` as smtpd runs it, and what listens in place of a bridge. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { freePort } from "../../../testing/ports.ts";
import type { Cleanup } from "../../mta/support/cleanup.ts";
import { endWithUs } from "../../mta/support/waiting.ts";
import "../../support/built.ts";

export const ROOT = join(import.meta.dirname, "..", "..", "..");
/** Debian's Node, if .ci/run found one; the process has to work on it. */
const NODE = process.env.ROLLCALL_NODE20 ?? process.execPath;

export class TableProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** Whole lines, as smtpd would see them. */
  readonly lines: string[] = [];
  log = "";
  #rest = "";
  #taken = 0;
  #id = 0;
  #wake: () => void = () => undefined;

  /** @param address as in smtpd.conf */
  constructor(
    address: string,
    cleanup: Cleanup,
    file = "dist/cli/opensmtpd-table.mjs",
    before: string[] = [],
  ) {
    this.child = spawn(NODE, [join(ROOT, file), ...before, address], { stdio: "pipe" });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop() as string;
      this.lines.push(...lines);
      this.#wake();
    });
    this.child.once("close", () => this.#wake());
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    // Its end shows as one, not as a broken pipe.
    this.child.stdin.on("error", () => undefined);
    endWithUs(this.child);
    cleanup.add(() => void this.child.kill("SIGKILL"));
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  say(bytes: string | Uint8Array): void {
    this.child.stdin.write(bytes);
  }

  /** The next line that was not taken yet. @throws if the process ends */
  async next(): Promise<string> {
    while (this.lines.length === this.#taken) {
      if (!this.isRunning) throw new Error(`the table process ended: ${this.log}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.lines[this.#taken++] as string;
  }

  /** Says what smtpd says at the start. @returns the services */
  async register(): Promise<string[]> {
    this.say(
      "config|smtpd-version|7.6.0-portable\nconfig|protocol|0.1\nconfig|tablename|recipients\nconfig|ready\n",
    );
    const services: string[] = [];
    for (;;) {
      const line = await this.next();
      if (line === "register|ready") return services;
      services.push(line);
    }
  }

  /** Asks a question, and expects its id in the answer. @returns the result: `found` */
  async check(key: string, service = "mailaddr"): Promise<string> {
    const id = (++this.#id).toString(16).padStart(8, "0");
    this.say(`table|0.1|1795527254.312432|recipients|check|${service}|${id}|${key}\n`);
    const line = await this.next();
    const head = `check-result|${id}|`;
    if (!line.startsWith(head)) throw new Error(`smtpd would exit: ${line}`);
    return line.slice(head.length);
  }
}

/** How a question of the map and key is answered, in bytes; nothing for no answer. */
export type Script = (question: string, socket: Socket) => string | null;

export const netstring = (text: string): string => `${Buffer.byteLength(text)}:${text},`;

/** Known are names that begin with "known". */
export const honest: Script = (question) =>
  netstring(question === "recipients postmaster" || / known/.test(question) ? "OK deliverable" : "NOTFOUND ");

/** A socketmap server that answers by a script, which a test may change. */
export class ScriptedBridge {
  script: Script;
  connections = 0;
  questions: string[] = [];
  port = 0;
  readonly sockets = new Set<Socket>();
  #server: Server | null = null;

  constructor(script: Script = honest) {
    this.script = script;
  }

  get address(): string {
    return `/127.0.0.1:${this.port}`;
  }

  /** Listens; again on the same port if it did before. */
  async listen(path?: string): Promise<this> {
    const server = createServer((socket) => this.#serve(socket));
    if (path === undefined) this.port ||= await freePort();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      if (path === undefined) server.listen(this.port, "127.0.0.1", resolve);
      else server.listen(path, resolve);
    });
    this.#server = server;
    return this;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.hangUp();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  /** Closes every connection. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    socket.once("close", () => this.sockets.delete(socket)).on("error", () => undefined);
    let text = "";
    socket.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      for (;;) {
        const [head, length] = /^(\d+):/.exec(text) ?? [];
        if (head === undefined || text.length <= head.length + Number(length)) return;
        const question = text.slice(head.length, head.length + Number(length));
        text = text.slice(head.length + Number(length) + 1);
        this.questions.push(question);
        const reply = this.script(question, socket);
        if (reply !== null && !socket.destroyed) socket.write(reply);
      }
    });
  }
}

export async function startScripted(cleanup: Cleanup, script?: Script): Promise<ScriptedBridge> {
  const bridge = await new ScriptedBridge(script).listen();
  cleanup.add(() => bridge.close());
  return bridge;
}
