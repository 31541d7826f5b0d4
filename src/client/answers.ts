import * as v from "valibot";
import { ANSWER_MEMBERS, open, read, type Schema } from "../api/index.ts";
import { type Action, type Answer, VERDICTS } from "../directory/index.ts";

/** What the reply of each action begins with. */
const REPLY_OF: { readonly [A in Action]: RegExp } = {
  accept: /^250 2\.\d+\.\d+ /,
  reject: /^5\d\d 5\.\d+\.\d+ /,
  defer: /^4\d\d 4\.\d+\.\d+ /,
};
const REPLY_TEXT = /^[\x20-\x7e]{1,500}$/;

/** The members that a decision rests on. */
const { recipient, verdict, action, reply, max_age: _, ...others } = ANSWER_MEMBERS;
/** The edge sends whole seconds; a client counts fractions too. */
const max_age = v.pipe(v.number(), v.minValue(0));

/** The other members: null if they have the wrong type. */
const lenient = Object.fromEntries(
  Object.entries<Schema>(others).map(([name, schema]) => [
    name,
    v.fallback(schema, schema.type === "exact_optional" ? undefined : null),
  ]),
) as unknown as typeof others;

const answer = open({ recipient, verdict, action, reply, max_age, ...lenient });

/**
 * Law 1 in the client: reads a value as the answer about `asked`, or says what is wrong with it. Only a well-formed
 * answer that names that recipient, whose words are all known and whose reply agrees with its action, is a verdict.
 *
 * @param value a parsed body, or one item of its `results`
 * @returns the answer, or what is wrong with it
 */
export function readAnswer(value: unknown, asked: string): Answer | string {
  const reading = read(answer, value, "it");
  if (reading.fault !== undefined) return reading.fault;
  const it = reading.value;
  if (it.recipient !== asked) return "it is about another recipient";
  if (!Object.hasOwn(VERDICTS, it.verdict)) return "its verdict is unknown";
  if (!Object.hasOwn(REPLY_OF, it.action)) return "its action is unknown";
  if (!REPLY_TEXT.test(it.reply)) return "its reply is not one line of printable ASCII";
  if (!REPLY_OF[it.action].test(it.reply)) return `its reply does not mean ${it.action}`;
  const { action: usual } = VERDICTS[it.verdict];
  // Only two modes turn a verdict into another action: observe into an accept, defer a refusal into a deferral.
  const isSoftened =
    it.mode === "observe"
      ? it.action === "accept"
      : it.mode === "defer" && it.action === "defer" && usual === "reject";
  if (it.action !== usual && !isSoftened) {
    return `its verdict ${it.verdict} does not mean ${it.action}`;
  }
  return it.action === "defer" ? { ...it, max_age: 0 } : it;
}
