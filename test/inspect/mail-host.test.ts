import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ClientError, type RollcallClient } from "../../src/client/index.ts";
import { examineMailHost, type MailHostPorts, Problem, type StepResult } from "../../src/inspect/index.ts";
import { temporaryFolder } from "../support/folders.ts";

const client = {
  health: async () => ({ version: "0.1.0", status: "ok", faults: [] }),
  domainPage: async () => ({ domains: [{ domain: "example.com", deleted_until: null }], next: null }),
} as unknown as RollcallClient;

const tcp = { kind: "tcp", host: "127.0.0.1", port: 1 } as const;
const listener = (name: string) => ({ name, address: tcp, shown: "127.0.0.1:1" });

const PORTS: MailHostPorts = {
  client,
  clock: { now: () => 0 },
  listeners: [],
  token: { expires: null, file: "/etc/rollcall/token" },
  replica: null,
  olderLog: async () => null,
  isRunning: () => true,
  edgeTime: async () => null,
  ask: async () => "",
  run: async () => null,
  random: new Uint8Array(8),
};

async function examine(more: Partial<MailHostPorts> = {}): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for await (const result of examineMailHost({ ...PORTS, ...more })) results.push(result);
  return results;
}

const problemOf = (results: readonly StepResult[], step: string): Problem => {
  const found = results.find((each) => each.step === step);
  if (found?.state !== "failed" || !(found.error instanceof Problem))
    return expect.fail(JSON.stringify(found));
  return found.error;
};

describe("the examination of a mail host", () => {
  it("skips what it cannot examine on a host without Postfix, Exim or Sendmail, and fails nothing", async () => {
    const results = await examine();
    expect(results.filter(({ state }) => state === "failed")).toEqual([]);
    expect(results.slice(-3)).toEqual(
      ["mail-server", "sockets", "lookups"].map((step) => ({
        step,
        state: "skipped",
        detail: expect.stringMatching(/^no Postfix, Exim or Sendmail .*docs\/mta\/README\.md/),
      })),
    );
  });

  it("takes a Postfix that was never configured, or whose settings were removed, for none", async () => {
    const results = await examine({
      run: async (file) =>
        file === "postconf"
          ? {
              code: 1,
              stdout: "",
              stderr: "postconf: fatal: open /etc/postfix/main.cf: No such file or directory\n",
            }
          : null,
    });
    expect(results.find(({ step }) => step === "mail-server")).toMatchObject({ state: "skipped" });
  });

  it.each([
    ["socketmap", "14:OK deliverable,", "OK deliverable"],
    ["policy", "action=DUNNO\n\n", "action=DUNNO"],
    ["line", "250 2.1.5 <a>: ok\n", "250 2.1.5 <a>: ok"],
  ])("shows what a %s listener answers as a person reads it", async (name, reply, shown) => {
    const results = await examine({ listeners: [listener(name)], ask: async () => reply });
    expect(results.find(({ step }) => step === name)).toEqual({
      step: name,
      state: "ok",
      detail: `127.0.0.1:1 answers ${shown}`,
    });
  });

  it("shows a refusal as a person reads it too", async () => {
    const results = await examine({
      listeners: [listener("socketmap")],
      ask: async () => "30:TEMP the edge does not answer!,",
    });
    expect(problemOf(results, "socketmap").message).toBe(
      "127.0.0.1:1 answers TEMP the edge does not answer!",
    );
  });

  it("names the token's own file where the token ends, is refused or is open", async () => {
    const file = join(temporaryFolder(), "token");
    writeFileSync(file, "t", { mode: 0o644 });
    expect((await examine())[0]).toMatchObject({ detail: "does not expire (/etc/rollcall/token)" });
    const ended = problemOf(await examine({ token: { expires: -1, file: "/etc/rollcall/token" } }), "token");
    expect(ended.hint).toMatch(/put it into \/etc\/rollcall\/token, .*restart/);
    expect(problemOf(await examine({ token: { expires: null, file } }), "token").hint).toBe(
      `chmod o= ${file}`,
    );
    const refused = await examine({
      client: {
        ...client,
        domainPage: () => Promise.reject(new ClientError("unauthorized", "the token was revoked")),
      } as unknown as RollcallClient,
    });
    expect(problemOf(refused, "lists").hint).toContain("/etc/rollcall/token");
    expect(problemOf(refused, "lists").cause).toBeInstanceOf(ClientError);
  });
});
