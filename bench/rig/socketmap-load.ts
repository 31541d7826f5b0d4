/**
 * The load on a socketmap service: connections on each of which a number of questions is sent, all their answers are
 * waited for and looked at, and the next ones follow. Questions and answers are made beforehand, and a native program
 * (socketmap-load.c) exchanges them: one in Node would take as long as the services in Node do.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { missingPackages } from "./processes.ts";
import { root } from "./workerd.ts";

const run = promisify(execFile);

/** What the load lacks here, as names of Debian packages. */
export const lacksCompiler = (): string[] =>
  missingPackages({ cc: "gcc", "/usr/include/stdio.h": "libc6-dev" });

/** Keys of one table, and what it has to say about each. */
export interface Questions {
  readonly table: string;
  readonly keys: readonly string[];
  /** The value of a key; null where it has to be not found. */
  value(key: string): string | null;
}

export interface LoadShape {
  readonly connections: number;
  /** Questions that are sent in one piece. With 1, each waits for the answer of the one before. */
  readonly atOnce: number;
}

/** Load for one service. */
export interface SocketmapLoad {
  /** Asks about so many keys, going around them. @returns lookups a second; throws where an answer is wrong */
  ask(count: number): Promise<number>;
}

/** @param address `unix:/path` */
export function socketmapLoad(
  address: string,
  questions: Questions,
  { connections, atOnce }: LoadShape,
): SocketmapLoad {
  const bursts = burstsOf(questions, atOnce);
  return {
    async ask(count) {
      const folder = mkdtempSync(join(tmpdir(), "rollcall-socketmap-"));
      try {
        const file = join(folder, "bursts");
        writeFileSync(file, bursts);
        const each = Math.ceil(count / (connections * atOnce));
        const socket = address.replace(/^unix:/, "");
        const { stdout } = await run(program(), [socket, file, String(connections), String(each)]);
        return (connections * each * atOnce) / (Number(stdout) / 1e9);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

let built: string | null = null;

/** The program, built once a run. */
function program(): string {
  if (built === null) {
    built = join(root, "dist/bench/socketmap-load");
    mkdirSync(dirname(built), { recursive: true });
    execFileSync("cc", ["-O2", "-o", built, join(root, "bench/rig/socketmap-load.c")]);
  }
  return built;
}

/** All bursts, as the program reads them. */
function burstsOf({ table, keys, value }: Questions, atOnce: number): Buffer {
  const netstring = (text: string): string => `${text.length}:${text},`;
  const parts: Buffer[] = [];
  for (let from = 0; from < keys.length; from += atOnce) {
    const asked = Array.from({ length: atOnce }, (_, k) => keys[(from + k) % keys.length] as string);
    const answers = asked.map(value).map((found) => netstring(found === null ? "NOTFOUND " : `OK ${found}`));
    const both = [asked.map((key) => netstring(`${table} ${key}`)), answers];
    const [questions, expected] = both.map((texts) => Buffer.from(texts.join(""))) as [Buffer, Buffer];
    parts.push(Buffer.from(Uint32Array.of(questions.length, expected.length).buffer), questions, expected);
  }
  return Buffer.concat(parts);
}
