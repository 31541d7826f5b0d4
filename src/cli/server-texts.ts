import type { HttpReply, Send } from "../client/index.ts";

/** Controls, and what turns the direction of a line or begins another one: a note could forge lines of the terminal with them. */
const UNSHOWN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for control characters
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** Whether a JSON text may have one of them, as itself or escaped. */
const SUSPECT = /\\[bfnrtu]|[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** A text of one line, without characters that change how others are shown. */
export const oneLine = (text: string): string => text.replace(UNSHOWN, "?");

/** Sends requests, and makes each text of a JSON answer {@link oneLine}: no command has to think of it. */
export const withPlainTexts =
  (send: Send): Send =>
  async (request) => {
    const reply = await send(request);
    return { status: reply.status, header: (name) => reply.header(name), bytes: plainTexts(reply) };
  };

function plainTexts({ bytes }: HttpReply): Uint8Array {
  try {
    const json = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!/^\s*[[{]/.test(json.slice(0, 100)) || !SUSPECT.test(json)) return bytes;
    return new TextEncoder().encode(JSON.stringify(JSON.parse(json, plain)));
  } catch {
    // No JSON: what it is used for is checked by its own format.
    return bytes;
  }
}

/** A recipient is compared with what was asked. */
const plain = (name: string, value: unknown): unknown =>
  typeof value === "string" && name !== "recipient" ? oneLine(value) : value;
