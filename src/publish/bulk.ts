import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { fromUtf8, utf8 } from "../directory/index.ts";
import { PublishError } from "./errors.ts";

/** A file for `wrangler kv bulk put`: the value of each key, in the order in which wrangler puts them. */
export type BulkFile = Map<string, Uint8Array>;

/** Reads an exported file. @returns an empty one if there is no such file. @throws PublishError `input` */
export const readBulkFile = (path: string, shown: string): BulkFile =>
  existsSync(path) ? decodeBulk(readFileSync(path, "utf8"), shown) : new Map();

/** Writes the file whole or not at all, since the next export is compared with it. */
export function writeBulkFile(path: string, file: BulkFile): void {
  writeFileSync(`${path}.next`, encodeBulk(file));
  renameSync(`${path}.next`, path);
}

/** Text of the file. Every value is base64, since most are binary. */
export function encodeBulk(file: BulkFile): string {
  const pairs = [...file].map(([key, value]) =>
    JSON.stringify({ key, value: Buffer.from(value).toString("base64"), base64: true }),
  );
  return `[\n${pairs.join(",\n")}\n]\n`;
}

/**
 * Parses text that {@link encodeBulk} wrote.
 * @param shown the file, for messages
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
    `${shown} exists, but was not written by this command`,
    "name the file of the last export, or a new one to start over",
  );
