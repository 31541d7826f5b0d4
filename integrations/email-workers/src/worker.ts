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
}

interface Env {
  /** The service binding of wrangler.toml. */
  readonly ROLLCALL: { check(recipients: readonly string[]): Promise<readonly Answer[]> };
  /** Where accepted messages go: a verified destination address of the account. */
  readonly DESTINATION: string;
}

/** Rollcall answers within 4.5 s. */
const TIMEOUT_MS = 4_700;

/** What the reply of each action begins with. An answer that contradicts itself is no verdict. */
const CLASSES: Readonly<Record<string, string>> = { accept: "2", reject: "5" };

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
    const isVerdict = answer?.recipient === message.to && answer.reply[0] === CLASSES[answer.action];
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
