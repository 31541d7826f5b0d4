/* The entrypoint for other Workers of the account, called over RPC and with other bindings. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { MAX_RECIPIENTS } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { type Env, RecipientCheck } from "../../src/edge/worker.ts";
import { expectAnswer } from "./support/answers.ts";
import { freshEnv, publish, testEnv } from "./support/edge.ts";

const DOMAIN = "bound.example";

beforeAll(async () => {
  await publish(testEnv, DOMAIN, ["alice", ["bob", "disabled"], ["fred", "full"]]);
});

type Bound = { readonly RecipientCheck: { check(recipients: unknown): Promise<readonly Answer[]> } };

/** As another Worker calls it. */
const check = (recipients: unknown): Promise<readonly Answer[]> =>
  (exports as unknown as Bound).RecipientCheck.check(recipients);

async function checkWith(env: Env, recipients: unknown): Promise<readonly Answer[]> {
  const context = createExecutionContext();
  const bound = new RecipientCheck(context as unknown as ExecutionContext, env);
  const answers = await bound.check(recipients as readonly string[]);
  await waitOnExecutionContext(context);
  return answers;
}

describe("a Worker with a binding", () => {
  it("gets an answer for each recipient, in their order, without a token", async () => {
    const recipients = ["alice", "nobody", "bob", "fred"].map((local) => `${local}@${DOMAIN}`);
    const answers = await check([...recipients, "alice@nowhere.example", "no address"]);
    expect(answers.map(({ verdict, action }) => [verdict, action])).toEqual([
      ["deliverable", "accept"],
      ["unknown", "reject"],
      ["disabled", "reject"],
      ["full", "defer"],
      ["not-served", "reject"],
      ["malformed", "reject"],
    ]);
    recipients.forEach((recipient, i) => {
      expectAnswer(answers[i] as Answer, recipient);
    });
  });

  it("may ask about none, and about a thousand", async () => {
    expect(await check([])).toEqual([]);
    const many = Array.from({ length: MAX_RECIPIENTS }, (_, i) => `m${i}@${DOMAIN}`);
    expect(new Set((await check(many)).map(({ verdict }) => verdict))).toEqual(new Set(["unknown"]));
  });

  it.each<[string, unknown, string]>([
    ["one text", "alice@bound.example", "the argument must be a list of text"],
    ["nothing", undefined, "the argument must be a list of text"],
    ["numbers", [1], "the argument must be a list of text"],
    [
      "too many",
      Array.from({ length: MAX_RECIPIENTS + 1 }, () => "a@b.example"),
      "more than 1000 recipients",
    ],
  ])("gets an exception for an argument that is no list of recipients: %s", async (_, argument, why) => {
    // Not over RPC: Vitest would also report the exception of the other side.
    await expect(checkWith(testEnv, argument)).rejects.toThrow(new TypeError(`check: ${why}`));
  });
});

describe("a fault", () => {
  it("of the Registry is a deferral for each recipient", async () => {
    const REGISTRY = new Proxy(testEnv.REGISTRY, {
      get() {
        throw new Error("the Registry is away");
      },
    });
    const answers = await checkWith(freshEnv({ REGISTRY }), ["a@unseen.example", "postmaster"]);
    expect(answers.map(({ action, reply }) => [action, reply.slice(0, 9)])).toEqual([
      ["defer", "451 4.3.0"],
      ["accept", "250 2.1.5"],
    ]);
  });

  it("of the configuration is a deferral for each recipient, and says what is missing", async () => {
    const [answer] = await checkWith(freshEnv({ ROLLCALL_MASTER_KEY: undefined }), [`alice@${DOMAIN}`]);
    expect(answer).toMatchObject({ verdict: "unavailable", action: "defer", max_age: 0 });
    expect(answer?.detail).toContain("ROLLCALL_MASTER_KEY");
  });
});
