/**
 * Memory and start time of the table process of OpenSMTPD, as the table of docs/mta/opensmtpd.md: run on a quiet machine
 * after a build, with Node 20 as an argument:
 *
 *     node bench/opensmtpd-table.ts /usr/bin/node
 */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";

const ROOT = join(import.meta.dirname, "..");
const QUESTIONS = 20_000;
const STARTS = 9;

interface Candidate {
  readonly name: string;
  readonly command: readonly string[];
  /** Whether it speaks the protocol. One that does not shows what its interpreter takes by itself. */
  readonly isTable: boolean;
}

/** In MiB: resident, and the part that no other process shares. */
interface Memory {
  readonly resident: number;
  readonly own: number;
}

type Process = ChildProcessByStdio<Writable, Readable, null>;

function memoryOf({ pid }: Process): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const of = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1]) / 1024;
  return { resident: of("Rss"), own: of("Private_Clean") + of("Private_Dirty") };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

/** Answers every question of the socketmap protocol "not found", like a bridge under a dictionary attack. */
function answer(socket: Socket): void {
  let text = "";
  socket.on("error", () => undefined).setEncoding("latin1");
  socket.on("data", (more: string) => {
    text += more;
    for (let comma = text.indexOf(","); comma >= 0; comma = text.indexOf(",")) {
      socket.write(text.slice(0, comma).endsWith(" postmaster") ? "14:OK deliverable," : "9:NOTFOUND ,");
      text = text.slice(comma + 1);
    }
  });
}

function start({ command: [program, ...args] }: Candidate): { child: Process; next(): Promise<string> } {
  const child = spawn(program as string, args, { stdio: ["pipe", "pipe", "ignore"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, next: async () => (await lines.next()).value as string };
}

async function stop(child: Process): Promise<void> {
  const ended = once(child, "exit");
  child.stdin.end();
  await ended;
}

/** @returns milliseconds from the start to the registration, and the memory half a second later */
async function measureStart(candidate: Candidate): Promise<[ms: number, Memory]> {
  const begin = performance.now();
  const { child, next } = start(candidate);
  child.stdin.write("config|ready\n");
  while ((await next()) !== "register|ready");
  const ms = performance.now() - begin;
  await pause(500);
  const memory = memoryOf(child);
  await stop(child);
  return [ms, memory];
}

async function measureQuestions(candidate: Candidate): Promise<[microseconds: number, Memory]> {
  const { child, next } = start(candidate);
  child.stdin.write("config|ready\n");
  while ((await next()) !== "register|ready");
  const begin = performance.now();
  for (let i = 0; i < QUESTIONS; i++) {
    child.stdin.write(`table|0.1|1|recipients|check|mailaddr|${i.toString(16)}|name${i}@example.com\n`);
    await next();
  }
  const each = (1000 * (performance.now() - begin)) / QUESTIONS;
  const memory = memoryOf(child);
  await stop(child);
  return [each, memory];
}

const server = createServer(answer);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `/127.0.0.1:${(server.address() as { port: number }).port}`;
const cli = join(ROOT, "dist", "cli");
const flag = "--max-semi-space-size=1";
const nodes = [...process.argv.slice(2), process.execPath];
const candidates: Candidate[] = nodes.flatMap((node) => {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  const table = (name: string, ...args: string[]): Candidate => ({
    name: `${name}, Node ${version.slice(1)}`,
    command: [node, ...args, address],
    isTable: true,
  });
  return [
    table("`table-rollcall`", flag, join(cli, "opensmtpd-table.mjs")),
    table("the same without its flag", join(cli, "opensmtpd-table.mjs")),
    table(
      "`rollcall opensmtpd-table` as part of the whole command",
      join(cli, "rollcall.mjs"),
      "opensmtpd-table",
    ),
    {
      name: `Node ${version.slice(1)} that only waits`,
      command: [node, flag, "-e", 'console.log("register|ready"); process.stdin.resume()'],
      isTable: false,
    },
  ];
});
if (existsSync("/usr/bin/perl")) {
  const program = '$| = 1; use Socket; print "register|ready\\n"; 1 while <STDIN>';
  candidates.push({ name: "Perl that only waits", command: ["perl", "-e", program], isTable: false });
}

console.log(
  `| process | start | memory then | after ${QUESTIONS.toLocaleString("en")} questions | a question |`,
);
console.log("|---|---|---|---|---|");
const show = ({ resident, own }: Memory): string => `${resident.toFixed(0)} MiB (${own.toFixed(0)} its own)`;
for (const candidate of candidates) {
  const starts: [number, Memory][] = [];
  for (let i = 0; i < STARTS; i++) starts.push(await measureStart(candidate));
  const memory: Memory = {
    resident: median(starts.map(([, it]) => it.resident)),
    own: median(starts.map(([, it]) => it.own)),
  };
  const row = [candidate.name, `${median(starts.map(([ms]) => ms)).toFixed(0)} ms`, show(memory)];
  if (candidate.isTable) {
    const [each, after] = await measureQuestions(candidate);
    row.push(show(after), `${each.toFixed(0)} µs`);
  } else row.push("", "");
  console.log(`| ${row.join(" | ")} |`);
}
server.close();
