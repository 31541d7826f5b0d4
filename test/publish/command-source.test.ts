import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Source } from "../../src/publish/index.ts";
import { temporaryFolder } from "../support/folders.ts";
import { hostOf, linesOf, openOne, refusal, Sleeps } from "./support/reading.ts";

const folder = temporaryFolder();

let sleeps = new Sleeps();
afterEach(() => {
  sleeps = new Sleeps();
});

type Settings = Readonly<Record<string, unknown>>;

function open(argv: readonly string[], more: Settings = {}): Source {
  const env = { PATH: process.env.PATH, GREETING: "hello" };
  const settings = { kind: "command", command: argv, format: "text", timeout: 60, ...more };
  return openOne(settings, hostOf(folder, { env, sleep: (ms, signal) => sleeps.sleep(ms, signal) }));
}

const shell = (script: string, more: Settings = {}): Source => open(["/bin/sh", "-c", script], more);

const read = linesOf;

describe("a program as a source", () => {
  it("prints lines, CSV or JSON", async () => {
    expect(await read(shell("echo a@x; echo '# none'; echo b@x"))).toEqual(["1 a@x active", "3 b@x active"]);
    const csv = shell("printf 'mail,off\\na@x,1\\n'", {
      format: "csv",
      columns: { address: "mail", state: "off" },
      states: { "1": "disabled" },
    });
    expect(await read(csv)).toEqual(["2 a@x disabled"]);
    const json = shell(`printf '%s\\n' '{"address":"a@x"}' '{"address":"b@x","state":"full","id":7}'`, {
      format: "json",
    });
    expect(await read(json)).toEqual(["1 a@x active", "2 b@x full"]);
  });

  it("prints JSON whose members have other names and other types", async () => {
    const lines = [
      '{"mail":"a@x","enabled":true}',
      '{"mail":"b@x","enabled":false}',
      '{"mail":"c@x","enabled":null}',
      '{"mail":"d@x","enabled":1}',
      '{"mail":7}',
      '{"mail":""}',
      "[]",
      "null",
      '{"mail":"e@x"',
    ];
    const source = open(["printf", "%s\\n", ...lines], {
      format: "json",
      columns: { address: "mail", state: "enabled" },
      states: { true: "active", false: "disabled" },
    });
    expect(await read(source)).toEqual([
      "1 a@x active",
      "2 b@x disabled",
      "3 c@x active",
      '4 ! unknown state "1": add it to `states` of the source',
      '5 ! no text in member "mail"',
      '6 ! no text in member "mail"',
      "7 ! not a JSON object",
      "8 ! not a JSON object",
      "9 ! not a JSON object",
    ]);
  });

  it("runs in the folder of the settings file, with the environment and without a shell", async () => {
    expect(await read(shell('echo "$GREETING@x"; pwd'))).toEqual(["1 hello@x active", `2 ${folder} active`]);
    expect(await read(open(["echo", "$GREETING;", "*"]))).toEqual(["1 $GREETING; * active"]);
  });

  it("prints more than fits into memory at once", async () => {
    const source = open(["seq", "-f", "user%.0f@x", "1", "300000"]);
    let count = 0;
    await source.read(
      { entry: () => count++, fault: () => expect.fail("a fault") },
      new AbortController().signal,
    );
    expect(count).toBe(300_000);
  });

  it("is refused if it fails after it has printed a list", async () => {
    const error = await refusal(() => read(shell("echo a@x; echo 'no route to host' >&2; exit 3")));
    expect(error).toMatchObject({
      fault: "input",
      message: "source hr: /bin/sh ended with exit code 3; its output was not used",
      details: ["no route to host"],
    });
    expect((await refusal(() => read(shell("echo a@x; kill -9 $$")))).message).toContain(
      "was ended by SIGKILL",
    );
  });

  it("is refused if it cannot be started", async () => {
    const error = await refusal(() => read(open(["/no/such/program"])));
    expect(error.message).toMatch(/^source hr: \/no\/such\/program cannot be started: .*ENOENT/);
  });

  it("keeps only the end of a long standard error", async () => {
    const error = await refusal(() =>
      read(shell("yes 'the same error' | head -n 100000 >&2; echo last >&2; exit 1")),
    );
    expect(error.details).toEqual([...Array.from({ length: 4 }, () => "the same error"), "last"]);
  });

  it("is ended with everything it started, and refused, if it takes too long", async () => {
    // The child of the shell ignores SIGTERM, holds the pipe open, and would leave a mark if it lived on.
    const script = "echo a@x; (trap '' TERM; while [ ! -e go ]; do sleep 0.05; done; touch mark) & wait";
    const reading = refusal(() => read(shell(script)));
    await expect.poll(() => sleeps.waiting.length).toBe(1);
    expect(sleeps.waiting[0]?.ms).toBe(60_000);
    sleeps.waiting[0]?.end();
    await expect.poll(() => sleeps.waiting.length).toBe(2);
    sleeps.waiting[1]?.end();
    expect((await reading).message).toContain("did not end within 60 s (timeout)");
    expect(existsSync(join(folder, "mark"))).toBe(false);
  });

  it("is ended if the publish is aborted", async () => {
    const abort = new AbortController();
    const reading = read(shell("echo $$@x; sleep 600"), abort.signal);
    await expect.poll(() => sleeps.waiting.length).toBe(1);
    abort.abort(new Error("stopped"));
    await expect(reading).rejects.toThrow("stopped");
    await expect(read(shell("echo a@x"), AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
  });
});
