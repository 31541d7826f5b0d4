/**
 * OpenSMTPD's table protocol 0.1 (smtpd-tables(7)): lines from smtpd, and one line for each of its questions. smtpd exits
 * when it gets any other line, so an answer repeats the operation and the id, and nothing else is ever written.
 */
import { ByteBuffer } from "../bridge/protocols/buffer.ts";

/** Longest line that is read whole, octets. An address has 320 at most. */
export const MAX_LINE = 16_384;

/** Longest id and longest operation that are repeated. smtpd's ids have 8 characters. */
const MAX_WORD = 64;

/** What a table can be asked about, and what this one registers. */
export const SERVICES = ["mailaddr", "domain"] as const;
export type Service = (typeof SERVICES)[number];

export interface Line {
  readonly text: string;
  /** False for the beginning of a line that is too long. */
  readonly isWhole: boolean;
}

/** Cuts bytes into lines. Holds at most one line of {@link MAX_LINE} and the last piece. */
export class LineReader {
  readonly #buffer = new ByteBuffer();
  /** The beginning of a line whose rest is dropped. */
  #head: string | null = null;

  /** @param bytes must not change afterwards */
  feed(bytes: Uint8Array): void {
    this.#buffer.push(bytes);
  }

  /** The next line; null if more bytes are needed. */
  next(): Line | null {
    const end = this.#buffer.endOfLine();
    const length = end < 0 ? this.#buffer.length : end;
    if (this.#head === null && length > MAX_LINE) this.#head = this.#buffer.text(0, MAX_LINE);
    if (end < 0) {
      if (this.#head !== null) this.#buffer.clear();
      return null;
    }
    if (this.#head === null) return { text: this.#buffer.takeLine(end), isWhole: true };
    const text = this.#head;
    this.#head = null;
    this.#buffer.drop(end + 1);
    return { text, isWhole: false };
  }
}

export type Request =
  /** smtpd has described itself, and waits for the services. */
  | { readonly kind: "ready" }
  /** Part of that description. */
  | { readonly kind: "config" }
  | { readonly kind: "update"; readonly id: string }
  | { readonly kind: "check"; readonly id: string; readonly service: Service; readonly key: string }
  /** A question that this table does not answer. */
  | { readonly kind: "unsupported"; readonly operation: string; readonly id: string; readonly why: string }
  /** Not a question, as far as can be seen. */
  | { readonly kind: "unknown" };

const isWord = (text: string | undefined): text is string =>
  text !== undefined && text.length <= MAX_WORD && /^[\w.-]+$/.test(text);

const isService = (text: string): text is Service => (SERVICES as readonly string[]).includes(text);

/** Reads `table|0.1|TIME|TABLE|check|SERVICE|ID|KEY`, the other operations, and `config|…`. Never throws. */
export function readRequest({ text, isWhole }: Line): Request {
  if (text === "config|ready") return { kind: "ready" };
  if (text.startsWith("config|")) return { kind: "config" };
  const [prefix, version, , , operation, ...rest] = text.split("|");
  if (prefix !== "table" || !isWord(operation)) return { kind: "unknown" };
  // An operation without a service has the id in its place.
  const id = rest.length > 1 ? rest[1] : rest[0];
  if (!isWord(id)) return { kind: "unknown" };
  const unsupported = (why: string): Request => ({ kind: "unsupported", operation, id, why });
  if (version !== "0.1") return unsupported("this is not version 0.1 of the table protocol");
  if (!isWhole) return unsupported(`the line has more than ${MAX_LINE} octets`);
  if (operation === "update" && rest.length === 1) return { kind: "update", id };
  const [service = "", , ...key] = rest;
  if (operation !== "check" || !isService(service) || key.length === 0) {
    return unsupported(`this table only checks ${SERVICES.join(" and ")}`);
  }
  // Only the last field may contain the separator.
  return { kind: "check", id, service, key: key.join("|") };
}

/** The answer to {@link Request} "ready". */
export const REGISTRATION = `${[...SERVICES, "ready"].map((it) => `register|${it}\n`).join("")}`;

export const updated = (id: string): string => `update-result|${id}|ok\n`;

export const checked = (id: string, isFound: boolean): string =>
  `check-result|${id}|${isFound ? "found" : "not-found"}\n`;

/** smtpd defers the recipient, and writes the text to its log. */
export const failed = (operation: string, id: string, why: string): string =>
  `${operation}-result|${id}|error|${why.replaceAll(/[^ -~]+/g, " ").slice(0, 200)}\n`;
