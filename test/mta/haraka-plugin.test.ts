import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { installPlugin, WITHOUT_HARAKA } from "../../integrations/haraka/rig.mts";
import { readAnswer } from "../../src/client/answers.ts";
import { answer, MODES, VERDICTS, type Verdict } from "../../src/directory/index.ts";
import { about } from "../conformance/faults/truth.ts";
import { Cleanup } from "./support/cleanup.ts";
import { folder } from "./support/command.ts";

/* The plugin without Haraka. The corpus and the matrix of faults in test/conformance try it in a real one. */

const title = `the plugin in Haraka's fixtures${WITHOUT_HARAKA ? ` (${WITHOUT_HARAKA})` : ""}`;

/** What a hook of the plugin gave to `next`. */
interface Given {
  readonly rc: number | undefined;
  readonly msg: { readonly code: number; readonly reply: string } | undefined;
}
type Next = (rc?: number, msg?: unknown) => void;
interface Plugin {
  register(): void;
  readonly rollcall: { readonly fault: string | null };
  rollcall_rcpt(next: Next, connection: unknown, params: unknown): void;
  readonly hooks: Readonly<Record<string, string[]>>;
}
/** As far as these tests use haraka-test-fixtures. */
interface Fixtures {
  readonly plugin: new (name: string) => Plugin;
  readonly connection: { createConnection(): { relaying: boolean; init_transaction(): void } };
}

const CONT = undefined;
const OK = 906;
const DENY = 902;
const DENYSOFT = 903;

describe.skipIf(WITHOUT_HARAKA !== null)(title, () => {
  let cleanup = new Cleanup();
  afterEach(async () => {
    await cleanup.run();
    cleanup = new Cleanup();
  });

  function load(ini: string, token = ""): { plugin: Plugin; fixtures: Fixtures } {
    const home = folder(cleanup);
    installPlugin(home);
    mkdirSync(join(home, "config"));
    writeFileSync(join(home, "config", "rollcall.ini"), `[main]\n${ini}\n`);
    if (token !== "") writeFileSync(join(home, "config", "rollcall_token"), token);
    process.env.HARAKA = home;
    cleanup.add(() => delete process.env.HARAKA);
    const fixtures = createRequire(join(home, "node_modules", "x.js"))("haraka-test-fixtures") as Fixtures;
    const plugin = new fixtures.plugin("haraka-plugin-rollcall");
    plugin.register();
    return { plugin, fixtures };
  }

  /** Runs the hook. @returns each call of `next` within the time that it takes to answer */
  async function rcpt(
    { plugin, fixtures }: { plugin: Plugin; fixtures: Fixtures },
    address: string,
    isRelaying = false,
  ): Promise<Given> {
    const connection = fixtures.connection.createConnection();
    connection.init_transaction();
    connection.relaying = isRelaying;
    const calls: Given[] = [];
    await new Promise<void>((resolve) => {
      const next: Next = (rc, msg) => {
        calls.push({ rc, msg: msg as Given["msg"] });
        resolve();
      };
      plugin.rollcall_rcpt(next, connection, [{ address, host: address.split("@")[1] ?? null }]);
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toHaveLength(1);
    return calls[0] as Given;
  }

  /** A line listener that gives one reply to everything. */
  async function replying(reply: string): Promise<string> {
    const server = createServer((socket) => {
      socket.on("error", () => undefined).once("data", () => socket.end(reply));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanup.add(() => void server.close());
    return `127.0.0.1:${(server.address() as { port: number }).port}`;
  }

  it.each([
    ["250 2.1.5 <a@example.com>: recipient ok\n", OK, 250, "2.1.5"],
    ["550 5.1.1 <a@example.com>: no such mailbox here\n", DENY, 550, "5.1.1"],
    ["501 5.1.3 bad recipient address syntax\r\n", DENY, 501, "5.1.3"],
    ["452 4.2.2 <a@example.com>: mailbox is full\n", DENYSOFT, 452, "4.2.2"],
    ["450 4.7.1 too many questions\n", DENYSOFT, 450, "4.7.1"],
    // No verdict.
    ["", DENYSOFT, 451, "4.3.0"],
    ["550 5.1.1 no line end", DENYSOFT, 451, "4.3.0"],
    ["250 2.1.5 one\n250 2.1.5 two\n", DENYSOFT, 451, "4.3.0"],
    ["550\n", DENYSOFT, 451, "4.3.0"],
    ["550 no enhanced code\n", DENYSOFT, 451, "4.3.0"],
    ["550 4.1.1 two classes\n", DENYSOFT, 451, "4.3.0"],
    ["250 5.1.1 two classes\n", DENYSOFT, 451, "4.3.0"],
    ["251 2.1.5 will forward\n", DENYSOFT, 451, "4.3.0"],
    ["2501 2.1.5 x\n", DENYSOFT, 451, "4.3.0"],
    ["354 3.0.0 go ahead\n", DENYSOFT, 451, "4.3.0"],
    ["HTTP/1.1 200 OK\r\n\r\n", DENYSOFT, 451, "4.3.0"],
    ["14:OK deliverable,", DENYSOFT, 451, "4.3.0"],
    [`550 5.1.1 ${"x".repeat(5_000)}\n`, DENYSOFT, 451, "4.3.0"],
    ["550 5.1.1 \u0001\n", DENYSOFT, 451, "4.3.0"],
  ])("gives %j on as it should be", async (reply, rc, code, enhanced) => {
    const given = await rcpt(load(`bridge = ${await replying(reply)}`), "a@example.com");
    expect(given.rc).toBe(rc);
    expect(given.msg?.code).toBe(code);
    expect(given.msg?.reply).toMatch(new RegExp(`^${enhanced.replaceAll(".", "\\.")} `));
  });

  it("asks about its domains, or about everything if the client may not relay", async () => {
    const refusing = await replying("550 5.1.1 no\n");
    const some = load(`domains = example.com, BÜCHER.example\nbridge = ${refusing}`);
    expect((await rcpt(some, "a@example.com")).rc).toBe(DENY);
    expect((await rcpt(some, "a@example.com", true)).rc).toBe(DENY);
    expect((await rcpt(some, "a@xn--bcher-kva.example")).rc).toBe(DENY);
    expect((await rcpt(some, "a@example.net")).rc).toBe(CONT);
    expect((await rcpt(some, "a@sub.example.com", true)).rc).toBe(CONT);
    expect((await rcpt(some, "PostMaster")).rc).toBe(DENY);
    const all = load(`bridge = ${refusing}`);
    expect((await rcpt(all, "a@example.net")).rc).toBe(DENY);
    expect((await rcpt(all, "a@example.net", true)).rc).toBe(CONT);
  });

  it.each([
    ["bridge = bridge.example.com:10025", "", /bridge is not/],
    ["bridge =", "", /bridge is not/],
    ["edge = http://rollcall.example.org", "token", /edge is not/],
    ["edge = rollcall.example.org", "token", /edge is not/],
    ["edge = https://rollcall.example.org", "", /has no token/],
    ["edge = https://rollcall.example.org", "two words", /has no token/],
    ["timeout = soon", "", /timeout is not/],
    ["timeout = -1", "", /timeout is not/],
    ["domains = exa mple.com, <>", "", /domains contains/],
  ])("defers everybody with the setting %j", async (ini, token, fault) => {
    const loaded = load(ini, token);
    expect(loaded.plugin.rollcall.fault).toMatch(fault);
    expect((await rcpt(loaded, "a@example.com")).rc).toBe(DENYSOFT);
  });

  it("throws nothing out of the hook: not for parameters that are none, and not if Haraka's `next` throws", async () => {
    const loaded = load(`bridge = ${await replying("250 2.1.5 ok\n")}`);
    for (const params of [
      undefined,
      null,
      [],
      [null],
      [{}],
      [{ address: 7 }],
      [{ address: "a\nb@example.com" }],
    ]) {
      const calls: unknown[] = [];
      loaded.plugin.rollcall_rcpt((rc) => calls.push(rc), null, params);
      expect(calls).toEqual([DENYSOFT]);
    }
    let unhandled = 0;
    const count = (): void => {
      unhandled++;
    };
    process.on("uncaughtException", count).on("unhandledRejection", count);
    await new Promise<void>((resolve) => {
      loaded.plugin.rollcall_rcpt(
        () => {
          setTimeout(resolve, 50);
          throw new Error("the client has gone");
        },
        null,
        [{ address: "a@example.com", host: "example.com" }],
      );
    });
    process.off("uncaughtException", count).off("unhandledRejection", count);
    expect(unhandled).toBe(0);
  });

  it("takes an answer of the edge for a verdict only if our own client does, in every mode", () => {
    const home = folder(cleanup);
    installPlugin(home);
    const require = createRequire(join(home, "node_modules", "haraka-plugin-rollcall", "x.js"));
    const edge = require("./ask-edge.js") as { read(body: string, recipient: string): string };
    const reply = require("./reply.js") as { read(line: string): object | null };
    const isVerdict = (value: unknown): boolean => {
      try {
        return reply.read(edge.read(JSON.stringify(value), "a@example.com")) !== null;
      } catch {
        return false;
      }
    };
    const word = fc.oneof(
      fc.constantFrom(...Object.keys(VERDICTS), "accept", "reject", "defer", "discard", "toString", ""),
      fc.string(),
    );
    const value = fc.record(
      {
        recipient: fc.constantFrom("a@example.com", "b@example.com"),
        verdict: word,
        action: word,
        mode: fc.constantFrom("observe", "defer", "enforce", null),
        reply: fc.oneof(
          fc.constantFrom(
            "250 2.1.5 ok",
            "550 5.1.1 no",
            "451 4.3.0 later",
            "550",
            "250 5.1.1 x",
            "550 5.1.1 ö",
          ),
          fc.string(),
        ),
        max_age: fc.constantFrom(0, 29),
      },
      { requiredKeys: ["max_age"] },
    );
    let both = 0;
    const check = (it: unknown): void => {
      const ours = typeof readAnswer(it, "a@example.com") !== "string";
      if (isVerdict(it)) expect(ours, JSON.stringify(it)).toBe(true);
      if (ours && isVerdict(it)) both++;
    };
    fc.assert(fc.property(fc.oneof(value, fc.jsonValue()), check), { numRuns: 2_000 });
    for (const verdict of Object.keys(VERDICTS) as Verdict[]) check(about("a@example.com", verdict));
    expect(both).toBeGreaterThanOrEqual(Object.keys(VERDICTS).length);
    for (const mode of MODES) {
      for (const verdict of Object.keys(VERDICTS) as Verdict[])
        expect(isVerdict(answer("a@example.com", verdict, { mode })), `${verdict}, ${mode}`).toBe(true);
    }
  });
});
