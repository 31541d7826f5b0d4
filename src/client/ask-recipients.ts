import type { CheckRequest } from "../api/index.ts";
import type { Answer } from "../directory/index.ts";
import { readAnswer } from "./answers.ts";
import { callOf } from "./calls.ts";
import { ClientError } from "./errors.ts";
import type { HttpReply } from "./http.ts";
import { type Call, failureOf, jsonOf, notAnEdge, type Transport } from "./transport.ts";

/** What came of asking about one recipient: an answer, or no verdict and why. */
export type Outcome =
  | { readonly kind: "answer"; readonly recipient: string; readonly answer: Answer }
  | { readonly kind: "none"; readonly recipient: string; readonly why: ClientError };

/** What a client may send along with a check. */
export type CheckContext = Pick<CheckRequest, "floor" | "client" | "sender">;

/** Octets of an answer about one recipient, without the recipient, which takes at most six a character in JSON. */
const ANSWER_LIMIT = 16_384;

/** Never tried again here. Idempotent, since a request on a connection that the edge had closed never reached it. */
const CHECK: Call = { ...callOf("postRcpt"), idempotent: true };

/**
 * Asks about recipients in one request. Anything but an explicit answer about a recipient is "no verdict" (law 1). Never
 * rejects because of the edge or the network.
 *
 * @param base URL of the edge, for messages
 * @param asked the recipients of the request
 * @returns an outcome for each, in order
 */
export async function askRecipients(
  transport: Pick<Transport, "exchange">,
  base: string,
  request: CheckRequest,
  asked: readonly string[],
): Promise<Outcome[]> {
  const none = (why: ClientError): Outcome[] => asked.map((recipient) => ({ kind: "none", recipient, why }));
  let reply: HttpReply;
  try {
    const limit = asked.reduce((sum, { length }) => sum + ANSWER_LIMIT + 6 * length, 0);
    reply = await transport.exchange({ ...CHECK, json: request, limit });
  } catch (error) {
    if (error instanceof ClientError) return none(error);
    throw error;
  }
  const body = jsonOf(reply);
  if (reply.status === 200) {
    const items =
      "recipient" in request ? [body] : (body as { results?: unknown } | null | undefined)?.results;
    if (!Array.isArray(items) || items.length !== asked.length) return none(notAnEdge(base, CHECK));
    return asked.map((recipient, i) => outcomeOf(base, items[i], recipient));
  }
  // With another status only a deferral counts: a front end would defer anyway.
  if ("recipient" in request) {
    const outcome = outcomeOf(base, body, asked[0] as string);
    if (outcome.kind === "answer" && outcome.answer.action === "defer") return [outcome];
  }
  if (reply.status > 200 && reply.status < 300) return none(notAnEdge(base, CHECK));
  return none(failureOf(reply, base));
}

function outcomeOf(base: string, value: unknown, recipient: string): Outcome {
  const answer = readAnswer(value, recipient);
  if (typeof answer !== "string") return { kind: "answer", recipient, answer };
  const why = new ClientError("protocol", `${base} gave no usable answer: ${answer}`);
  return { kind: "none", recipient, why };
}
