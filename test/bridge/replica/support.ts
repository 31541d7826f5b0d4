import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect } from "vitest";
import {
  type Ended,
  pause,
  type Running,
  startCli,
  startDev,
  temporaryFolder,
} from "../../support/processes.ts";
import { BridgeProcess } from "../support/bridge-process.ts";

/** Seconds: short, so that tests of windows do not take minutes. */
export const WINDOW = 4;

/**
 * The master key of every edge here. A sketch counts names by their fingerprints, so that with a random key it would count
 * some tests' dozen names as fewer than ten once in hundreds of runs.
 */
const MASTER_KEY = Buffer.from("the key of the tests, number 1..").toString("base64url");
const ADMIN_TOKEN = "the-admin-token-of-the-tests-of-replicas";

/** A real edge on this machine that can be stopped and started again on the same port, and what a test does with it. */
export class RealEdge {
  readonly home = temporaryFolder();
  url = "";
  #dev: Running | null = null;

  /** @param variables of the Worker, beside the window */
  async start(variables: Readonly<Record<string, string>> = {}): Promise<void> {
    const port = this.url === "" ? "0" : new URL(this.url).port;
    const args = ["--port", port];
    const secrets = `ROLLCALL_MASTER_KEY=${MASTER_KEY}\nROLLCALL_ADMIN_TOKEN=${ADMIN_TOKEN}\n`;
    writeFileSync(join(this.home, ".dev.vars"), secrets, { mode: 0o600 });
    const dev = await startDev("state", {
      home: this.home,
      args,
      env: { ROLLCALL_WINDOW: String(WINDOW), ...variables },
    });
    this.#dev = dev.process;
    this.url = dev.url;
  }

  /** Ends it as a crash of the host would. */
  async stop(): Promise<void> {
    await this.#dev?.stop();
    this.#dev = null;
  }

  readonly admin = ADMIN_TOKEN;

  /** Runs `rollcall …` against it. @throws if it fails */
  async run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(...args);
    if (code !== 0) throw new Error(`rollcall ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** The same, whatever its end. */
  try(...args: string[]): Promise<Ended> {
    const env = { ROLLCALL_URL: this.url, ROLLCALL_TOKEN: this.admin };
    return startCli(args, { home: this.home, env }).ended;
  }

  async publish(domain: string, locals: readonly string[], ...args: string[]): Promise<void> {
    const file = join(this.home, `${domain}.txt`);
    writeFileSync(file, locals.map((local) => `${local}@${domain}\n`).join(""));
    await this.run("publish", "--domain", domain, file, "--enforce", "--yes", ...args);
  }

  /** A token of role replica. */
  async token(...domains: string[]): Promise<string> {
    const text = await this.run(
      "token",
      "create",
      "--role",
      "replica",
      "--json",
      ...domains.flatMap((domain) => ["--domain", domain]),
    );
    return (JSON.parse(text) as { token: string }).token;
  }
}

/** An edge for the tests of a file. */
export function useRealEdge(): RealEdge {
  const edge = new RealEdge();
  beforeAll(() => edge.start());
  return edge;
}

/** A line of the bridge's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

/** How long to wait for an answer that must come, ms: longer than any machine needs. */
const PATIENCE_MS = 120_000;

/** A running `rollcall bridge --replica`. */
export class ReplicaBridge extends BridgeProcess {
  /** All lines of its log so far. */
  get log(): LogLine[] {
    return this.running.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Waits for a line of the log. */
  async logged(event: string, matches: Readonly<Record<string, unknown>> = {}, from = 0): Promise<LogLine> {
    const isIt = (line: LogLine): boolean =>
      line.event === event && Object.entries(matches).every(([name, value]) => line[name] === value);
    for (;;) {
      const line = this.log.slice(from).find(isIt);
      if (line !== undefined) return line;
      const over = await Promise.race([this.running.ended, pause(20)]);
      if (over !== undefined) throw new Error(`ended with ${over.code} before ${event}:\n${over.stderr}`);
    }
  }

  /** The whole reply of the line protocol to one recipient. */
  async reply(recipient: string): Promise<string> {
    return (await this.send("line", `${recipient}\n`)).trim();
  }

  /** The code of that reply, and where the answer came from, as the metrics count it. */
  async said(recipient: string): Promise<string> {
    const before = await this.sources();
    const code = (await this.reply(recipient)).slice(0, 3);
    const after = await this.sources();
    const source = [...after].find(([name, count]) => count > (before.get(name) ?? 0))?.[0];
    return `${code} ${source}`;
  }

  /**
   * Asks until the answer is this one, as {@link said} gives it.
   * @param never what no answer before may be
   * @returns when the last other answer was asked for, by performance.now(); the start if the first one is right
   */
  async comesToSay(recipient: string, expected: string | RegExp, never?: RegExp): Promise<number> {
    const start = performance.now();
    for (let last = start; ; ) {
      const asked = performance.now();
      const said = await this.said(recipient);
      if (typeof expected === "string" ? said === expected : expected.test(said)) return last;
      if (never !== undefined) expect(said, recipient).not.toMatch(never);
      if (asked - start > PATIENCE_MS)
        throw new Error(`${recipient}: ${said} instead of ${expected}\n${this.running.stderr}`);
      last = asked;
      await pause(50);
    }
  }

  /** Answers by source. */
  async sources(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const [, source, count] of (await this.metrics()).matchAll(
      /^rollcall_bridge_lookups_total\{.*source="(\w+)".*\} (\d+)$/gm,
    )) {
      counts.set(source as string, (counts.get(source as string) ?? 0) + Number(count));
    }
    return counts;
  }
}

const LISTENERS = ["--line", "127.0.0.1:0", "--socketmap", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];

/** Starts a bridge with a replica in `folder`. */
export async function startReplica(
  edge: Pick<RealEdge, "url">,
  token: string,
  folder: string,
  args: readonly string[] = [],
  node?: string,
): Promise<ReplicaBridge> {
  const running = startCli(["bridge", ...LISTENERS, "--replica", folder, ...args], {
    home: temporaryFolder(),
    env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: token },
    ...(node === undefined ? {} : { node }),
  });
  await running.saying(/\bready\b.*\n/);
  return new ReplicaBridge(running);
}
