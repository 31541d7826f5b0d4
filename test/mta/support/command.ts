/** The built command as a process: an edge of this machine, a bridge, and one-off commands. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOOKUP_NAMES, type LookupName } from "../../../src/bridge/protocols/lookups.ts";
import { freePort } from "../../../testing/ports.ts";
import type { Cleanup } from "./cleanup.ts";
import { endWithUs, pause, until } from "./waiting.ts";
import "../../support/built.ts";

export const ROOT = join(import.meta.dirname, "..", "..", "..");
const COMMAND = join(ROOT, "bin", "rollcall.js");

/** A folder that goes with the rest. */
export function folder(cleanup: Cleanup): string {
  const path = mkdtempSync(join(tmpdir(), "rollcall-mta-"));
  cleanup.add(() => rmSync(path, { recursive: true, force: true, maxRetries: 10 }));
  return path;
}

/** A started `rollcall …`. */
export class Command {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[], home: string, env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [COMMAND, ...args], {
      cwd: home,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH ?? "", HOME: home, NO_COLOR: "1", ...env },
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    endWithUs(this.child);
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject).once("close", (code) => resolve(code));
    });
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Waits until standard output matches. @throws if it ends before */
  async saying(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match !== null) return match;
      if (this.hasEnded) {
        throw new Error(`ended before saying ${pattern}:\n${this.stdout}${this.stderr}`);
      }
      await pause(20);
    }
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (!this.hasEnded) this.child.kill(signal);
    await this.ended;
  }
}

/** Runs `rollcall …` to its end. @returns standard output @throws if it fails */
export async function rollcall(
  args: readonly string[],
  home: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const command = new Command(args, home, env);
  const code = await command.ended;
  if (code !== 0) throw new Error(`rollcall ${args.join(" ")} ended with ${code}:\n${command.stderr}`);
  return command.stdout;
}

/** `rollcall dev`, which can be stopped and started again on its port, with what it knew. */
export class Edge {
  readonly url: string;
  readonly #port: number;
  readonly #home: string;
  #command: Command | null = null;
  /** A token that may ask. */
  checkToken = "";

  constructor(home: string, port: number) {
    this.#home = home;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  async start(): Promise<void> {
    const state = join(this.#home, "state");
    this.#command = new Command(["dev", "--port", String(this.#port), "--state", state], this.#home);
    await this.#command.saying(/ready at [\s\S]*Ctrl-C/);
  }

  async stop(): Promise<void> {
    await this.#command?.stop();
    this.#command = null;
  }

  /** Publishes a list in CSV: lines of `address,state`. */
  async publish(domain: string, lines: readonly string[]): Promise<void> {
    writeFileSync(join(this.#home, "list.csv"), `address,state\n${lines.join("\n")}\n`);
    await this.rollcall(["publish", "--domain", domain, "list.csv", "--enforce", "--yes"]);
  }

  /** Runs a command against this edge, as its administrator. */
  rollcall(args: readonly string[]): Promise<string> {
    return rollcall(args, this.#home, this.administrator());
  }

  /** What a command needs in its environment to act as this edge's administrator. */
  administrator(): { readonly ROLLCALL_URL: string; readonly ROLLCALL_TOKEN: string } {
    const token = readFileSync(join(this.#home, "state", "admin-token"), "utf8").trim();
    return { ROLLCALL_URL: this.url, ROLLCALL_TOKEN: token };
  }
}

/** Starts an edge and makes a token for those who ask. */
export async function startEdge(cleanup: Cleanup): Promise<Edge> {
  const edge = new Edge(folder(cleanup), await freePort());
  cleanup.add(() => edge.stop());
  await edge.start();
  edge.checkToken = (await edge.rollcall(["token", "create", "--role", "check", "--all-domains"])).trim();
  return edge;
}

/** `rollcall bridge` with every protocol, which can be stopped, killed, frozen and started again on its ports. */
export class Bridge {
  /** Where each protocol listens on 127.0.0.1. */
  readonly ports: Readonly<Record<LookupName, number>>;
  readonly #home: string;
  readonly #flags: readonly string[];
  #command: Command | null = null;
  /** Its process, if that replaced the one that we started. */
  #successor: number | null = null;
  #env: Readonly<Record<string, string>>;

  /** @param flags more settings */
  constructor(
    home: string,
    ports: Readonly<Record<LookupName, number>>,
    edge: { url: string; checkToken: string },
    flags: readonly string[] = [],
  ) {
    this.#home = home;
    this.ports = ports;
    this.#flags = flags;
    this.#env = { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: edge.checkToken };
  }

  get socketmap(): number {
    return this.ports.socketmap;
  }

  get policy(): number {
    return this.ports.policy;
  }

  /**
   * @param url where the edge is; the same as before, if none is given
   * @param more settings, this time
   */
  async start(url?: string, more: readonly string[] = []): Promise<void> {
    if (url !== undefined) this.#env = { ...this.#env, ROLLCALL_URL: url };
    const listeners = Object.entries(this.ports).flatMap(([name, port]) => [
      `--${name}`,
      `127.0.0.1:${port}`,
    ]);
    this.#command = new Command(["bridge", ...listeners, ...this.#flags, ...more], this.#home, this.#env);
    await this.#command.saying(/\bready\b/);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    // One that is frozen hears nothing else.
    if (signal === "SIGTERM") this.signal("SIGCONT");
    if (this.#successor === null) await this.#command?.stop(signal);
    else this.signal(signal);
    // A successor is not our child, but has its output.
    await this.#command?.ended;
    this.#command = null;
    this.#successor = null;
  }

  /** Replaces the process by a new one (SIGUSR2), and waits until that has everything. */
  async replace(): Promise<void> {
    const from = this.log().length;
    const replaced = (): RegExpExecArray | null =>
      /"event":"replaced","pid":(\d+)/.exec(this.log().slice(from));
    this.signal("SIGUSR2");
    await until("the bridge is replaced", () => replaced() !== null);
    this.#successor = Number(replaced()?.[1]);
  }

  /** Sends a signal without waiting for anything. */
  signal(signal: NodeJS.Signals): void {
    if (this.#successor === null) this.#command?.child.kill(signal);
    else process.kill(this.#successor, signal);
  }

  /** Its resident memory in MiB. */
  memory(): number {
    const status = readFileSync(`/proc/${this.#command?.child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  /** Its log. */
  log(): string {
    return this.#command?.stderr ?? "";
  }
}

export async function startBridge(
  edge: { url: string; checkToken: string },
  cleanup: Cleanup,
  flags: readonly string[] = [],
): Promise<Bridge> {
  const ports = Object.fromEntries(
    await Promise.all(LOOKUP_NAMES.map(async (name) => [name, await freePort()] as const)),
  ) as Record<LookupName, number>;
  const bridge = new Bridge(folder(cleanup), ports, edge, flags);
  cleanup.add(() => bridge.stop());
  await bridge.start();
  return bridge;
}
