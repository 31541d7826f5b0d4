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
  await rollcall(["publish", "--domain", "example.com", "list.csv", "--yes"], home, workers.administrator);
}, 60_000);
afterAll(() => cleanup.run(), 30_000);

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

describe("an Email Worker whose Rollcall is not configured", () => {
  it("throws for every recipient", async () => {
    const broken = await startEmailWorkers({ secrets: { ROLLCALL_MASTER_KEY: "too short" } });
    cleanup.add(() => broken.stop());
    for (const recipient of ["alice@example.com", "nobody@example.com"]) {
      expect(await broken.deliver(recipient)).toMatchObject(DEFERRED);
    }
  }, 30_000);
});

/** A Worker in place of Rollcall, which does what the local part of the recipient says. */
const BROKEN = `
import { WorkerEntrypoint } from "cloudflare:workers";
const accept = (recipient) => ({ recipient, action: "accept", verdict: "deliverable", reply: "250 2.1.5 ok" });
export class RecipientCheck extends WorkerEntrypoint {
  async check([recipient]) {
    switch (recipient.split("@")[0]) {
      case "fine": return [accept(recipient)];
      case "nothing": return [];
      case "null": return null;
      case "other": return [accept("x@y.example")];
      case "vanished":
        return [{ ...accept(recipient), action: "reject", verdict: "vanished", reply: "550 5.1.1 gone" }];
      case "welcome": return [{ ...accept(recipient), verdict: "welcome" }];
      case "unsaid": return [{ ...accept(recipient), verdict: "unknown" }];
      case "later": return [{ ...accept(recipient), action: "greylist" }];
      case "throws": throw new Error("broken");
      case "never": return new Promise(() => undefined);
    }
  }
}
export default { fetch: () => new Response("no") };
`;

describe("an Email Worker whose Rollcall answers what nothing may rest on", () => {
  let broken: EmailWorkers;
  beforeAll(async () => {
    const script = join(folder(cleanup), "broken.mjs");
    writeFileSync(script, BROKEN);
    broken = await startEmailWorkers({ rollcall: { main: script } });
    cleanup.add(() => broken.stop());
  }, 30_000);

  it("forwards after an explicit accept, so that the rest of this proves something", async () => {
    expect(await broken.deliver("fine@example.com")).toMatchObject(ACCEPTED);
  });

  it.each(["nothing", "null", "other", "vanished", "welcome", "unsaid", "later", "throws", "never"])(
    "throws: %s",
    async (local) => {
      expect(await broken.deliver(`${local}@example.com`)).toMatchObject(DEFERRED);
    },
    30_000,
  );
});
