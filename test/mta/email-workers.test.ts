/*
 * The Email Worker of integrations/email-workers beside a Rollcall Worker, both in wrangler's local email test. What the
 * platform answers to an exception, and the codes of its refusals, cannot be seen here.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmailWorkers, startEmailWorkers } from "../../integrations/email-workers/entry.ts";
import { Cleanup } from "./support/cleanup.ts";
import { folder, rollcall } from "./support/command.ts";

const cleanup = new Cleanup();
let workers: EmailWorkers;

beforeAll(async () => {
  workers = await startEmailWorkers();
  cleanup.add(() => workers.stop());
  const home = folder(cleanup);
  const list = [
    "address,state",
    "alice@example.com,active",
    "leaver@example.com,disabled",
    "overfull@example.com,full",
  ];
  writeFileSync(join(home, "list.csv"), `${list.join("\n")}\n`);
  await rollcall(
    ["publish", "--domain", "example.com", "list.csv", "--enforce", "--yes"],
    home,
    workers.administrator,
  );
});
afterAll(() => cleanup.run());

const ACCEPTED = {
  outcome: "ok",
  forwards: [expect.objectContaining({ recipient: "postmaster@example.com" })],
};
const DEFERRED = { outcome: "exception", forwards: [] };
const refused = (rejectReason: string) => ({ outcome: "ok", rejectReason, forwards: [] });

describe("an Email Worker with Rollcall", () => {
  it("forwards a message to a known recipient", async () => {
    expect(await workers.deliver("alice@example.com")).toMatchObject(ACCEPTED);
  });

  it.each([
    ["nobody@example.com", "<nobody@example.com>: no such mailbox here"],
    ["leaver@example.com", "<leaver@example.com>: mailbox is disabled"],
    ["alice@nowhere.example", "<alice@nowhere.example>: domain is not served here"],
  ])("refuses a message to %s with the text of the verdict", async (recipient, reason) => {
    expect(await workers.deliver(recipient)).toMatchObject(refused(reason));
  });

  it("throws for a recipient that is deferred", async () => {
    expect(await workers.deliver("overfull@example.com")).toMatchObject(DEFERRED);
  });
});

/** A Worker in place of Rollcall that is at work for longer than any mail server waits. */
const SILENT = `
import { WorkerEntrypoint } from "cloudflare:workers";
export class RecipientCheck extends WorkerEntrypoint {
  async check() { await scheduler.wait(3_600_000); }
}
export default { fetch: () => new Response("no") };
`;

describe("an Email Worker whose Rollcall does not answer", () => {
  it("throws after 4.7 s", async () => {
    const script = join(folder(cleanup), "silent.mjs");
    writeFileSync(script, SILENT);
    const silent = await startEmailWorkers({ rollcall: { main: script } });
    cleanup.add(() => silent.stop());
    const start = performance.now();
    expect(await silent.deliver("alice@example.com")).toMatchObject(DEFERRED);
    expect(performance.now() - start).toBeGreaterThan(4_600);
  });
});
