/** What is true for every answer to any request. */
import { expect } from "vitest";
import { type Answer, VERDICTS } from "../../../src/directory/index.ts";

/** A reply line is one line of printable ASCII that can be sent to an SMTP client. */
const REPLY = /^[245]\d\d [245]\.\d\.\d <[\x20-\x7e]*>: [\x20-\x7e]+$/;

/** Asserts that an answer follows the API, and is about the recipient that was sent. */
export function expectAnswer(answer: Answer, recipient: string): void {
  expect(answer.recipient).toBe(recipient);
  const meaning = VERDICTS[answer.verdict];
  expect(answer.action).toBe(meaning.action);
  expectReply(answer.reply);
  expect(answer.reply.startsWith(`${meaning.code} <`)).toBe(true);
  expect(answer.max_age).toSatisfy((age: number) => Number.isInteger(age) && age >= 0 && age <= 30);
  if (answer.action === "defer") expect(answer.max_age).toBe(0);
}

export function expectReply(line: string): void {
  expect(line).toMatch(REPLY);
  expect(line.length).toBeLessThanOrEqual(500);
}
