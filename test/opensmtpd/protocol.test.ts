import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TablePorts } from "../../src/opensmtpd/ports.ts";
import {
  checked,
  failed,
  type Line,
  LineReader,
  MAX_LINE,
  readRequest,
  SERVICES,
} from "../../src/opensmtpd/protocol.ts";
import { serveTable } from "../../src/opensmtpd/table.ts";

/** Gives a reader bytes in pieces of `size`, and takes every line. */
function read(bytes: Uint8Array, size: number): Line[] {
  const reader = new LineReader();
  const lines: Line[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    reader.feed(bytes.slice(at, at + size));
    for (let line = reader.next(); line !== null; line = reader.next()) lines.push(line);
  }
  return lines;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const whole = (text: string): Line => ({ text, isWhole: true });

const id = fc.stringMatching(/^[0-9a-f]{8}$/);
const key = fc.string({ maxLength: 400 }).filter((it) => !/[\r\n]/.test(it));
/** Lines that look like smtpd's, and lines that do not. */
const anyLine = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("table", "config", "TABLE", ""),
      fc.constantFrom("0.1", "0.2", ""),
      fc.constantFrom("check", "lookup", "fetch", "update", "delete", "", "\u0000"),
      fc.constantFrom("mailaddr", "domain", "alias", "credentials", ""),
      fc.oneof(id, key),
      key,
    )
    .map(([prefix, version, operation, ...rest]) =>
      [prefix, version, "1.5", "t", operation, ...rest].join("|"),
    ),
  fc.string(),
  fc.constantFrom(
    "config|ready",
    "table",
    "|||||||",
    `table|0.1|1|t|check|mailaddr|00|${"x".repeat(MAX_LINE)}`,
  ),
);

/** Runs a table whose bridge refuses connections. @returns what smtpd would read */
async function answersTo(pieces: readonly Uint8Array[]): Promise<string> {
  let written = "";
  const ports: TablePorts = {
    clock: { now: () => 0 },
    timers: { sleep: () => new Promise(() => undefined) },
    dial: ({ closed }) => {
      queueMicrotask(() => closed("refused\nby | nobody"));
      return { write: () => undefined, destroy: () => undefined };
    },
    input: (async function* () {
      yield* pieces;
    })(),
    write: async (text) => {
      written += text;
    },
    log: () => undefined,
  };
  await serveTable(ports);
  return written;
}

describe("the table protocol", () => {
  it("finds the same lines however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(anyLine, { maxLength: 6 }), fc.uint8Array(), (lines, noise) => {
        const bytes = Buffer.concat([bytesOf(`${lines.join("\n")}\n`), noise]);
        const expected = read(bytes, bytes.length);
        for (const size of [1, 7, 4096]) expect(read(bytes, size)).toEqual(expected);
        for (const { text } of expected) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(3 * MAX_LINE);
      }),
      { numRuns: 40 },
    );
  });

  it("keeps the beginning of a line that is too long, and nothing of its rest", () => {
    const long = `table|0.1|1|t|check|mailaddr|00ab|${"x".repeat(10 * MAX_LINE)}\nconfig|ready\n`;
    for (const size of [1_000, 1_000_000]) {
      expect(read(bytesOf(long), size)).toEqual([
        { text: long.slice(0, MAX_LINE), isWhole: false },
        whole("config|ready"),
      ]);
    }
  });

  it("reads a key with separators", () => {
    fc.assert(
      fc.property(id, fc.constantFrom(...SERVICES), key, (id, service, key) => {
        const request = readRequest(whole(`table|0.1|1795527254.312432|t|check|${service}|${id}|${key}`));
        expect(request).toEqual({ kind: "check", id, service, key });
      }),
    );
  });

  it("answers each question with one line: its own operation, its id, and printable ASCII", () => {
    fc.assert(
      fc.property(anyLine, fc.string(), (text, why) => {
        const request = readRequest(whole(text));
        if (request.kind !== "unsupported") return;
        const line = failed(request.operation, request.id, why);
        expect(line).toMatch(/^[\w.-]+-result\|[\w.-]+\|error\|[ -~]*\n$/);
        expect(text.split("|")).toContain(request.operation);
        expect(text.split("|")).toContain(request.id);
      }),
    );
    expect(checked("ab", true) + checked("ab", false)).toBe(
      "check-result|ab|found\ncheck-result|ab|not-found\n",
    );
  });

  it.each([
    ["table|0.1|1|t|update|478ff0d2", { kind: "update", id: "478ff0d2" }],
    ["config|tablename|recipients", { kind: "config" }],
    ["", { kind: "unknown" }],
    ["table|0.1|1|t|check|mailaddr", { kind: "unsupported", operation: "check", id: "mailaddr" }],
    ["table|0.1|1|t|check|mailaddr|00ab", { kind: "unsupported", operation: "check", id: "00ab" }],
    ["table|0.1|1|t|lookup|alias|00ab|x", { kind: "unsupported", operation: "lookup", id: "00ab" }],
    ["table|0.1|1|t|fetch|source|00ab", { kind: "unsupported", operation: "fetch", id: "00ab" }],
    ["table|0.2|1|t|check|mailaddr|00ab|x", { kind: "unsupported", operation: "check", id: "00ab" }],
    ["table|0.1|1|t|check|mailaddr|0 0|x", { kind: "unknown" }],
  ])("reads %s", (text, expected) => {
    expect(readRequest(whole(text))).toMatchObject(expected);
  });
});

describe("a table", () => {
  it("registers once, answers every question in order, and writes nothing else, whatever it is sent", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyLine, { maxLength: 8 }),
        fc.integer({ min: 1, max: 5_000 }),
        async (lines, size) => {
          const bytes = bytesOf(`${lines.join("\n")}\n`);
          const pieces: Uint8Array[] = [];
          for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
          const written = await answersTo(pieces);
          const ids = read(bytes, bytes.length).flatMap((line) => {
            const request = readRequest(line);
            if (request.kind === "ready") return ["ready"];
            return "id" in request ? [request.id] : [];
          });
          const first = ids.indexOf("ready");
          const expected = ids.filter((it, i) => it !== "ready" || i === first);
          const answers = written.split("\n").slice(0, -1);
          expect(written === "" || written.endsWith("\n")).toBe(true);
          expect(
            answers
              .map((line) => (line === "register|ready" ? "ready" : line.split("|")[1]))
              .filter((it) => it !== "mailaddr" && it !== "domain"),
          ).toEqual(expected);
          // Nothing is known of a recipient while the bridge is away.
          expect(answers.filter((line) => /found/.test(line))).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
