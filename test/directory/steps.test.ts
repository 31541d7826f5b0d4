/* Work in steps, and words for numbers of things. */
import { expect, it } from "vitest";
import { atOnce, ifWithin, inSteps, plural, type Steps } from "../../src/directory/index.ts";

function* work(): Steps<string> {
  yield 3;
  yield 4;
  return "done";
}

it("work in steps can be done at once", () => {
  expect(atOnce(work())).toBe("done");
});

it("work in steps pauses after each of them, and gives its result", async () => {
  const pauses: number[] = [];
  const result = await inSteps(work(), async (step) => void pauses.push(step));
  expect([result, pauses]).toEqual(["done", [3, 4]]);
});

it("work in steps is done at once if it is no more than it may be", () => {
  expect(ifWithin(7, work())).toEqual({ value: "done" });
  expect(ifWithin(6, work())).toBeNull();
});

it("a number of things is one of them, or many", () => {
  expect([plural(1, "name"), plural(0, "name"), plural(2, "name")]).toEqual(["1 name", "0 names", "2 names"]);
  expect([plural(1, "mailbox", "mailboxes"), plural(3, "mailbox", "mailboxes")]).toEqual([
    "1 mailbox",
    "3 mailboxes",
  ]);
});
