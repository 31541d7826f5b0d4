import { type Answer, VERDICTS } from "../../directory/index.ts";

/** The SMTP reply line of an answer. Never a code without a text: Postfix takes that for an accept. */
export function replyLineOf({ reply: line, verdict }: Answer): string {
  return /^\d{3} \d\.\d+\.\d+ +\S/.test(line) ? line : `${line.trimEnd()} ${VERDICTS[verdict].text}`;
}

/** The action for Postfix. DUNNO leaves the recipient to the restrictions that follow. */
export const accessAction = (answer: Answer): string =>
  answer.action === "accept" ? "DUNNO" : replyLineOf(answer);

/** The reply to a request that cannot be understood. */
export const deferral = (why: string): string => `451 4.3.0 ${why}`;
