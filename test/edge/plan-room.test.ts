/* What an isolate reads and handles at a time of plans of all tokens, as clients see it. */
import { beforeAll, expect, it } from "vitest";
import type { RegistryError } from "../../src/api/index.ts";
import { call, freshEnv, publish, testEnv } from "./support/edge.ts";
import { claimsOf, mint } from "./support/tokens.ts";

const D = "plans.example";
const PLAN = JSON.stringify({
  domains: [
    {
      domain: D,
      expect: 999,
      key_id: "x",
      canonicaliser: 1,
      accepted: 0,
      names: { gone: "", back: "" },
    },
  ],
});

/** A request whose body comes when the test says so. */
class Slow {
  isRead = false;
  readonly answer: Promise<Response>;
  #send: () => void = () => undefined;

  constructor(bindings: ReturnType<typeof freshEnv>, token: string, path = "/v1/plans") {
    const sent = new Promise<void>((resolve) => {
      this.#send = resolve;
    });
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          this.isRead = true;
          await sent;
          controller.enqueue(new TextEncoder().encode(PLAN));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    this.answer = call(bindings, path, { token, body, headers: { "Content-Type": "application/json" } });
  }

  /** @returns the answer's status and its error */
  async send(): Promise<[status: number, code: string]> {
    this.#send();
    const response = await this.answer;
    return [response.status, ((await response.json()) as { error: RegistryError }).error.code];
  }
}

const token = (): string => mint(claimsOf("publish", [D]));
const untilRead = async (slow: Slow): Promise<void> => {
  while (!slow.isRead) await new Promise((resolve) => setTimeout(resolve, 10));
};

beforeAll(async () => {
  await publish(freshEnv(), D, ["alice"]);
});

it("one plan whose length is unknown is read at a time; that of another token waits unread, and then has its turn", async () => {
  const bindings = freshEnv();
  const [one, two] = [token(), token()];
  const first = new Slow(bindings, one);
  await untilRead(first);
  const second = new Slow(bindings, one);
  const other = new Slow(bindings, two);
  const refused = await call(bindings, "/v1/plans", {
    token: one,
    body: new Blob([PLAN]).stream(),
    headers: { "Content-Type": "application/json" },
  });
  expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "1"]);
  // A small plan waits for nobody.
  const small = await call(bindings, "/v1/plans", {
    token: token(),
    body: PLAN,
    headers: { "Content-Type": "application/json", "Content-Length": String(PLAN.length) },
  });
  expect([small.status, second.isRead, other.isRead]).toEqual([409, false, false]);
  expect(await first.send()).toEqual([409, "conflict"]);
  await untilRead(other);
  expect(second.isRead).toBe(false);
  expect(await other.send()).toEqual([409, "conflict"]);
  await untilRead(second);
  expect(await second.send()).toEqual([409, "conflict"]);
});

it.each(["/v1/plans", "/v1/commits"])(
  "%s says when to come again if too much waits in the Registry, and not if a list is damaged",
  async (path) => {
    const refusing = async (error: RegistryError): Promise<[number, string | null, string]> => {
      const answer = async () => ({ ok: false, error });
      const bindings = freshEnv({
        REGISTRY: new Proxy(testEnv.REGISTRY, {
          get: (target, name) =>
            name === "get"
              ? () => ({ plan: answer, commit: answer })
              : Reflect.get(target, name).bind(target),
        }),
      });
      const json =
        path === "/v1/plans"
          ? JSON.parse(PLAN)
          : {
              domains: [
                {
                  domain: D,
                  expect: 999,
                  epoch: 1,
                  key_id: "x",
                  canonicaliser: 1,
                  sentinels: [],
                  shards: { bits: 0, ids: [] },
                },
              ],
            };
      const response = await call(bindings, path, { json });
      const body = (await response.json()) as { error: RegistryError };
      return [response.status, response.headers.get("Retry-After"), body.error.message];
    };
    const message = "16 plans are waiting: try again later";
    expect(await refusing({ code: "unavailable", message })).toEqual([503, "5", message]);
    expect(await refusing({ code: "unavailable", message: "damaged", domain: D })).toEqual([
      503,
      null,
      "damaged",
    ]);
  },
);
