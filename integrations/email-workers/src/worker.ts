/**
 * An Email Worker that asks Rollcall about the recipient before it forwards the message. Without an explicit verdict the
 * message is deferred: every exception is a temporary failure.
 */

/** The members that matter here of an answer of Rollcall. */
interface Answer {
  readonly recipient: string;
  readonly action: string;
  readonly verdict: string;
  readonly reply: string;
  readonly mode: string | null;
}

interface Env {
  /** The service binding of wrangler.toml. */
  readonly ROLLCALL: { check(recipients: readonly string[]): Promise<readonly Answer[]> };
  /** Where accepted messages go: a verified destination address of the account. */
  readonly DESTINATION: string;
}

/** Rollcall answers within 4.5 s. */
const TIMEOUT_MS = 4_700;

/** The action of each verdict. */
const ACTIONS: Readonly<Record<string, string>> = {
  deliverable: "accept",
  unknown: "reject",
  disabled: "reject",
  moved: "reject",
  "not-served": "reject",
  malformed: "reject",
  departed: "defer",
  full: "defer",
  throttled: "defer",
  unavailable: "defer",
};

/** What the reply of each action begins with. Everything else is a deferral. */
const CLASSES: Readonly<Record<string, string>> = { accept: "2", reject: "5" };

/** Whether the message may be forwarded or refused: the answer names the recipient, and its words are known and agree. */
function isVerdictAbout(recipient: string, answer: Answer | undefined): answer is Answer {
  if (answer?.recipient !== recipient || !Object.hasOwn(ACTIONS, answer.verdict)) return false;
  const isObserved = answer.mode === "observe" && answer.action === "accept";
  if (answer.action !== ACTIONS[answer.verdict] && !isObserved) return false;
  return answer.reply[0] === CLASSES[answer.action];
}

function inTime<T>(answers: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new Error("deferred: Rollcall did not answer in time"));
    const timer = setTimeout(late, TIMEOUT_MS);
    answers.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export default {
  async email(message, env) {
    const [answer] = await inTime(env.ROLLCALL.check([message.to]));
    const isVerdict = isVerdictAbout(message.to, answer);
    if (isVerdict && answer.action === "accept") {
      await message.forward(env.DESTINATION);
    } else if (isVerdict && answer.action === "reject") {
      // The platform adds codes of its own.
      message.setReject(answer.reply.replace(/^\d{3} \d\.\d+\.\d+ +/, ""));
    } else {
      // Exceptions are logged: this one names no address.
      throw new Error(`deferred: ${answer?.verdict ?? "no answer"}`);
    }
  },
} satisfies ExportedHandler<Env>;
