import { fromUtf8, utf8 } from "../directory/index.ts";
import { PublishError } from "./errors.ts";

/** A file for `wrangler kv bulk put`: the value of each key, in the order in which they are put. */
export type BulkFile = Map<string, Uint8Array>;

/** Text of the file. Every value is base64: most are binary, and one form is enough. */
export function encodeBulk(file: BulkFile): string {
  const pairs = [...file].map(([key, value]) =>
    JSON.stringify({ key, value: Buffer.from(value).toString("base64"), base64: true }),
  );
  return `[\n${pairs.join(",\n")}\n]\n`;
}

/**
 * Reads a file that {@link encodeBulk} wrote.
 * @param shown the file, as it stands in messages
 * @throws PublishError `input`
 */
export function decodeBulk(text: string, shown: string): BulkFile {
  const file: BulkFile = new Map();
  let pairs: unknown;
  try {
    pairs = JSON.parse(text);
  } catch {
    throw notOurs(shown);
  }
  if (!Array.isArray(pairs)) throw notOurs(shown);
  for (const pair of pairs as readonly { key?: unknown; value?: unknown; base64?: unknown }[]) {
    const { key, value, base64 } = pair ?? {};
    if (typeof key !== "string" || typeof value !== "string") throw notOurs(shown);
    file.set(key, base64 === true ? Uint8Array.from(Buffer.from(value, "base64")) : utf8(value));
  }
  return file;
}

export const textOf = (file: BulkFile, key: string): string | null => {
  const bytes = file.get(key);
  return bytes === undefined ? null : fromUtf8(bytes);
};

const notOurs = (shown: string): PublishError =>
  new PublishError(
    "input",
    `${shown} is there and is no file that this command wrote`,
    "name the file of the last export, or another one to begin anew",
  );
