/** The next release beside today's: what they say to each other differs, and neither may mind. */
import type { Question, QuestionAnswer, Result } from "../src/api/index.ts";
import type { RegistryApi } from "../src/registry/protocol.ts";

/** Which code an isolate or a Registry runs. */
export type Release = "today" | "next";

/** Something that a later release may add. */
const ADDED = { of: ["what a later release adds"], level: 7 };

/** The same call as an isolate of the next release makes it. */
export function asNextReleaseAsks(method: keyof RegistryApi, args: readonly unknown[]): readonly unknown[] {
  if (method !== "question") return [...args, ADDED];
  const { since, ...rest } = args[0] as Question;
  return [{ ...rest, since: since === null ? null : { ...since, added: ADDED }, added: ADDED }, ADDED];
}

/** The same answer as a Registry of the next release gives it. */
export function ofNextRelease(method: keyof RegistryApi, answer: unknown): unknown {
  const result = answer as Result<unknown>;
  if (!result.ok) return { ...result, error: { ...result.error, advice: ADDED }, release: 2 };
  const { value } = result;
  if (method === "question") return { ...result, value: questionAnswer(value as QuestionAnswer), release: 2 };
  const isRecord = value !== null && typeof value === "object" && !Array.isArray(value);
  const more = isRecord && !(value instanceof Uint8Array) ? { ...value, added: ADDED } : value;
  return { ...result, value: more, release: 2 };
}

const questionAnswer = (value: QuestionAnswer): unknown => ({
  ...value,
  added: ADDED,
  heads: value.heads.map((head) => [...head, ADDED]),
  wanted: value.wanted === null ? null : { ...value.wanted, added: ADDED },
});
