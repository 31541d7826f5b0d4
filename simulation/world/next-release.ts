/** The next release: it says all that today's says, and more that today's code has never heard of. */
import type { Question, QuestionAnswer, Result } from "../../src/api/log.ts";
import type { RegistryApi } from "../../src/registry/protocol.ts";

/** Stands for whatever a later release may add. */
const UNHEARD = { of: ["what a later release adds"], level: 7 };

/** The same call as an isolate of the next release makes it. */
export function asNextReleaseAsks(method: keyof RegistryApi, args: readonly unknown[]): readonly unknown[] {
  if (method !== "question") return [...args, UNHEARD];
  const { since, ...rest } = args[0] as Question;
  return [
    { ...rest, since: since === null ? null : { ...since, unheard: UNHEARD }, unheard: UNHEARD },
    UNHEARD,
  ];
}

/** The same answer as a Registry of the next release gives it. */
export function ofNextRelease(method: keyof RegistryApi, answer: unknown): unknown {
  const result = answer as Result<unknown>;
  if (!result.ok) return { ...result, error: { ...result.error, advice: UNHEARD }, release: 2 };
  const { value } = result;
  if (method === "question") return { ...result, value: questionAnswer(value as QuestionAnswer), release: 2 };
  const isRecord = value !== null && typeof value === "object" && !Array.isArray(value);
  const more = isRecord && !(value instanceof Uint8Array) ? { ...value, unheard: UNHEARD } : value;
  return { ...result, value: more, release: 2 };
}

const questionAnswer = (value: QuestionAnswer): unknown => ({
  ...value,
  unheard: UNHEARD,
  heads: value.heads.map((head) => [...head, UNHEARD]),
  wanted: value.wanted === null ? null : { ...value.wanted, unheard: UNHEARD },
});
