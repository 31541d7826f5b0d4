import fc from "fast-check";
import { expect } from "vitest";
import type { Parsed, Parser } from "../../../src/bridge/protocols/protocol.ts";

/** The ways in which bytes come out of a socket. */
export const PIECES = [1, 16, 128, 4096, Number.POSITIVE_INFINITY] as const;

/** Gives a parser bytes in pieces of `size`, and takes all that it makes of them. */
export function parse<Q>(parser: Parser<Q>, bytes: Uint8Array, size: number): Parsed<Q>[] {
  const found: Parsed<Q>[] = [];
  const step = Math.min(size, Math.max(1, bytes.length));
  for (let at = 0; at < bytes.length; at += step) {
    parser.feed(bytes.slice(at, at + step));
    for (let one = parser.next(); one !== null; one = parser.next()) found.push(one);
  }
  return found;
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** One array of many. */
export function join(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? bytesOf(part) : part)));
}

export const questions = <Q>(found: readonly Parsed<Q>[]): Q[] =>
  found.flatMap((one) => (one.kind === "question" ? [one.question] : []));

export const faults = <Q>(found: readonly Parsed<Q>[]): string[] =>
  found.flatMap((one) => (one.kind === "fault" ? [one.why] : []));

/** Tries any bytes: a parser never throws, and finds the same however they are cut. */
export function expectSameInAnyPieces<Q>(
  make: () => Parser<Q>,
  part: fc.Arbitrary<Uint8Array | string>,
  check: (found: readonly Parsed<Q>[], bytes: Uint8Array) => void,
): void {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const bytes = join(...parts);
      const whole = parse(make(), bytes, Number.POSITIVE_INFINITY);
      for (const size of [1, 7, 16]) expect(parse(make(), bytes, size)).toEqual(whole);
      check(whole, bytes);
    }),
  );
}
