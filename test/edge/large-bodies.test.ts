/* How many large bodies of one token, and of all, an isolate handles at a time. */
import { beforeEach, expect, it } from "vitest";
import { ROUTES } from "../../src/api/index.ts";
import { LargeBodies } from "../../src/edge/large-bodies.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";

let clock: VirtualTime;
let bodies: LargeBodies;
let ends: (() => void)[];

beforeEach(() => {
  clock = new VirtualTime();
  bodies = new LargeBodies(clock, clock);
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
  const [first, second] = [send(), send("t1", 2_000_000, "postCommit")];
  await expect(send()).rejects.toMatchObject(refusal);
  // Other tokens, small bodies and other routes do not wait.
  const others = [send("t2"), send("t1", 1_000), send("t1", null, "patchMailboxes")];
  await clock.advance(0);
  for (const end of ends) end();
  expect(await Promise.all([first, second, ...others])).toEqual(Array(5).fill("done"));
  const third = send();
  await clock.advance(0);
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
  await clock.advance(0);
  ends.at(-1)?.();
  expect(await third).toBe("done");
});

const NEVER_READ_POST = { method: "POST", ...NEVER_READ };

const MIB = 1024 * 1024;
/** Notes when work begins, and ends it on demand. */
const begun = (): number => ends.length;
const end = async (index: number): Promise<void> => {
  ends[index]?.();
  await clock.advance(100);
};
const late = {
  error: {
    code: "unavailable",
    message: "large requests of others were handled for 15 seconds: try again later",
  },
  headers: { "Retry-After": "5" },
};

it("those of all tokens have 16 MiB at a time, a body without a length counts for the longest, and the rest wait unread", async () => {
  const done = [send("t1", 10 * MIB), send("t2", 6 * MIB), send("t3", 2 * MIB), send("t4", null)];
  await clock.advance(0);
  expect(begun()).toBe(2);
  await clock.advance(10_000);
  expect(begun()).toBe(2);
  await end(1);
  expect(begun()).toBe(3);
  await end(0);
  // Two others have to be gone: 14 MiB are not enough.
  expect(begun()).toBe(3);
  await end(2);
  expect(begun()).toBe(4);
  await end(3);
  expect(await Promise.all(done)).toEqual(Array(4).fill("done"));
});

it("tokens take turns: the second of one comes after the first ones of others, and none overtakes one that needs more room", async () => {
  const order: string[] = [];
  const note = (name: string, sent: Promise<unknown>): void => void sent.then(() => order.push(name));
  note("a of one", send("one", null));
  await clock.advance(0);
  note("b of one", send("one", 15 * MIB));
  note("a of two", send("two", 15 * MIB));
  note("a of three", send("three", 2 * MIB));
  for (let i = 0; i < 4; i++) await end(i);
  expect(order).toEqual(["a of one", "a of two", "a of three", "b of one"]);
});

it("one that had no turn for fifteen seconds is refused, and says when to come again", async () => {
  const first = send("t1", null);
  await clock.advance(0);
  const second = send("t2");
  const refused = expect(second).rejects.toMatchObject(late);
  await clock.advance(14_900);
  const third = send("t3");
  await clock.advance(100);
  await refused;
  expect(begun()).toBe(1);
  await end(0);
  expect(begun()).toBe(2);
  await end(1);
  expect(await Promise.all([first, third])).toEqual(["done", "done"]);
});

it("at most 64 wait or are handled", async () => {
  const sent = Array.from({ length: 64 }, (_, i) => send(`t${i}`, null));
  await expect(send("last")).rejects.toMatchObject({
    error: { code: "unavailable", message: "64 large requests are waiting: try again later" },
    headers: { "Retry-After": "5" },
  });
  await clock.advance(0);
  await end(0);
  expect(await sent[0]).toBe("done");
  const later = send("last");
  for (const each of [...sent, later]) each.catch(() => undefined);
});

it("one that was cancelled while it waited is forgotten", async () => {
  const frozen = new LargeBodies(clock, { sleep: () => new Promise(() => undefined) });
  const over = (bodies: LargeBodies, by: string, work: () => Promise<string>): Promise<string> =>
    bodies.handle(by, ROUTES.postPlan, new Request("https://edge.test", NEVER_READ_POST), work);
  let finish = (): void => undefined;
  const first = over(frozen, "t1", () => new Promise((resolve) => (finish = () => resolve("done"))));
  void over(frozen, "t2", async () => "never");
  await clock.advance(4_999);
  finish();
  expect(await first).toBe("done");
  void over(frozen, "t2", async () => "never");
  await expect(over(frozen, "t2", async () => "never")).rejects.toMatchObject(refusal);
  await clock.advance(5_000);
  expect(await over(frozen, "t3", async () => "done")).toBe("done");
});
