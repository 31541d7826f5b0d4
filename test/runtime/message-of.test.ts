import { expect, it } from "vitest";
import { messageOf } from "../../src/runtime/message-of.ts";

it("An error says its message, and another thrown value is shown itself", () => {
  expect(messageOf(new Error("no"))).toBe("no");
  expect(messageOf(7)).toBe("7");
});
