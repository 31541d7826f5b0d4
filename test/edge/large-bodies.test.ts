/* How many large bodies of one token an isolate handles at a time. */
import { beforeEach, expect, it } from "vitest";
import { ROUTES } from "../../src/api/index.ts";
import { LargeBodies } from "../../src/edge/large-bodies.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";

let clock: VirtualTime;
let bodies: LargeBodies;
let ends: (() => void)[];

beforeEach(() => {
  clock = new VirtualTime();
  bodies = new LargeBodies(clock);
  ends = [];
});

const NEVER_READ = { body: "large" };

/** Starts a request. @param length that it declares; null: none */
function send(
  by = "t1",
  length: number | null = 2_000_000,
  route: "postPlan" | "postCommit" | "patchMailboxes" = "postPlan",
) {
  const headers: Record<string, string> = length === null ? {} : { "Content-Length": String(length) };
  const request = new Request("https://edge.test/v1/plans", { method: "POST", headers, ...NEVER_READ });
  return bodies.handle(
    by,
    ROUTES[route],
    request,
    () => new Promise<string>((resolve) => ends.push(() => resolve("done"))),
  );
}
const refusal = {
  error: {
    code: "unavailable",
    message: "2 large requests of this token are being handled: try again later",
  },
};

it("two large bodies of a token are handled, and a third one is refused before it is read", async () => {
  const [first, second] = [send(), send("t1", null, "postCommit")];
  await expect(send()).rejects.toMatchObject(refusal);
  // Other tokens, small bodies and other routes do not wait.
  const others = [send("t2"), send("t1", 1_000), send("t1", null, "patchMailboxes")];
  for (const end of ends) end();
  expect(await Promise.all([first, second, ...others])).toEqual(Array(5).fill("done"));
  const third = send();
  ends.at(-1)?.();
  expect(await third).toBe("done");
});

it("a place is free again after an error, and after a minute if the request never ended", async () => {
  const failing = bodies.handle(
    "t1",
    ROUTES.postPlan,
    new Request("https://edge.test", NEVER_READ_POST),
    async () => {
      throw new Error("broken off");
    },
  );
  await expect(failing).rejects.toThrow("broken off");
  void send();
  void send();
  await expect(send()).rejects.toMatchObject(refusal);
  await clock.advance(59_999);
  await expect(send()).rejects.toMatchObject(refusal);
  await clock.advance(1);
  const third = send();
  ends.at(-1)?.();
  expect(await third).toBe("done");
});

const NEVER_READ_POST = { method: "POST", ...NEVER_READ };
