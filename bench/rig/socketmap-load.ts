/**
 * The load on a socketmap service: each connection sends a number of questions, waits for all their answers, checks
 * them, and sends the next ones. Questions and answers are prepared, and a native program (socketmap-load.c) exchanges
 * them: one in Node would take as long as the services in Node do.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { missingPackages, root, temporaryFolder } from "./processes.ts";

const run = promisify(execFile);

/** Debian packages that the load lacks here. */
export const lacksCompiler = (): string[] =>
  missingPackages({ cc: "gcc", "/usr/include/stdio.h": "libc6-dev" });

/** Keys of one table, and the value that each must have. */
export interface Questions {
  readonly table: string;
  readonly keys: readonly string[];
  /** Null if the key must not be found. */
  value(key: string): string | null;
}

export interface LoadShape {
  readonly connections: number;
  /** Questions that are sent in one piece. With 1, each waits for the answer of the one before. */
  readonly atOnce: number;
  /** The processor that the load runs on; by default any. */
  readonly processor?: number;
}

/** Load for one service. */
export interface SocketmapLoad {
  /** Asks about so many keys, going around them. @returns lookups a second; throws if an answer is wrong */
  ask(count: number): Promise<number>;
  /** The same, and how long each piece of questions waited for its answers. */
  time(count: number): Promise<Timed>;
}

/** Times in µs, of a question with its answer if questions come one by one. */
export interface Timed {
  /** Lookups a second. */
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

/** @param address `unix:/path` */
export function socketmapLoad(
  address: string,
  questions: Questions,
  { connections, atOnce, processor }: LoadShape,
): SocketmapLoad {
  const bursts = burstsOf(questions, atOnce);
  const time = async (count: number): Promise<Timed> => {
    using folder = temporaryFolder();
    const file = join(folder.path, "bursts");
    writeFileSync(file, bursts);
    const each = Math.ceil(count / (connections * atOnce));
    const socket = address.replace(/^unix:/, "");
    const command = [program(), socket, file, String(connections), String(each)];
    const pinned = processor === undefined ? command : ["taskset", "-c", String(processor), ...command];
    const { stdout } = await run(pinned[0] as string, pinned.slice(1));
    const [took, p50, p99] = stdout.split(" ").map((nanoseconds) => Number(nanoseconds) / 1000) as [
      number,
      number,
      number,
    ];
    return { rate: (connections * each * atOnce) / (took / 1e6), p50, p99 };
  };
  return { time, ask: async (count) => (await time(count)).rate };
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
