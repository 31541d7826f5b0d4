import { type Action, type Answer, VERDICTS } from "../directory/index.ts";

/** What the reply of each action begins with: another one is no answer. */
const REPLY_OF: { readonly [A in Action]: RegExp } = {
  accept: /^250 2\.\d+\.\d+ /,
  reject: /^5\d\d 5\.\d+\.\d+ /,
  defer: /^4\d\d 4\.\d+\.\d+ /,
};
const REPLY_TEXT = /^[\x20-\x7e]{1,500}$/;

/**
 * Law 1 at the client: reads a value as the answer about `asked`, or says why it is none. Only a well-formed
 * answer that names the recipient asked for, whose words are all known and whose reply says the same as its
 * action, may decide anything.
 *
 * @param value a parsed body, or one item of its `results`
 * @returns the answer, or what is wrong with it
 */
export function readAnswer(value: unknown, asked: string): Answer | string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "not an object";
  const { recipient, verdict, action, reply, max_age: maxAge } = value as Record<string, unknown>;
  if (recipient !== asked) return "about another recipient";
  if (typeof verdict !== "string" || !Object.hasOwn(VERDICTS, verdict)) return "an unknown verdict";
  if (typeof action !== "string" || !Object.hasOwn(REPLY_OF, action)) return "an unknown action";
  if (typeof reply !== "string" || !REPLY_TEXT.test(reply))
    return "a reply that is no line of printable ASCII";
  if (!REPLY_OF[action as Action].test(reply)) return `a reply that does not mean ${action}`;
  const meant = VERDICTS[verdict as keyof typeof VERDICTS].action;
  const { mode } = value as Record<string, unknown>;
  // Observe mode alone may turn a verdict into another action, and only into an accept.
  if (action !== meant && !(action === "accept" && mode === "observe"))
    return `${verdict} that means ${action}`;
  if (typeof maxAge !== "number" || !(maxAge >= 0)) return "no max_age";
  return withKnownFields(value as Record<string, unknown>);
}

/** Fields that no decision rests on are taken only where they are what they should be. */
function withKnownFields(value: Record<string, unknown>): Answer {
  const text = (name: string): string | null => (typeof value[name] === "string" ? value[name] : null);
  const count = (name: string): number | null => (typeof value[name] === "number" ? value[name] : null);
  const observed = text("observed");
  const detail = text("detail");
  return {
    recipient: value.recipient as string,
    verdict: value.verdict as Answer["verdict"],
    action: value.action as Action,
    reply: value.reply as string,
    matched: text("matched") as Answer["matched"],
    domain: text("domain"),
    generation: count("generation"),
    incarnation: count("incarnation"),
    origin: text("origin") as Answer["origin"],
    mode: text("mode") as Answer["mode"],
    confirmed_age: count("confirmed_age"),
    contact_age: count("contact_age"),
    max_age: value.action === "defer" ? 0 : (value.max_age as number),
    ...(observed === null ? {} : { observed }),
    ...(detail === null ? {} : { detail }),
  };
}
