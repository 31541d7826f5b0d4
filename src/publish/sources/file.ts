import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
import { csvReader, readCsv } from "./csv.ts";
import { kind } from "./kind.ts";
import { COLUMNS_SETTING, textSetting } from "./settings.ts";
import type { ParseList, Source } from "./source.ts";
import { STATES_SETTING, stateWords } from "./states.ts";
import { readText } from "./text.ts";

const CHUNK = 256 * 1024;
const GZIP = [0x1f, 0x8b];

/**
 * A source that streams a file through a parser. A file that starts as gzip does is unpacked.
 * @param path absolute
 * @param shown the path as the user wrote it
 */
export const fileSource = (path: string, shown: string, parse: ParseList): Source => ({
  describe: () => shown,
  async read(sink, signal) {
    try {
      const handle = await open(path);
      try {
        const before = await handle.stat();
        const size = Math.max(1, before.size);
        let octets = 0;
        const report = (): void => sink.progress?.(Math.min(1, octets / size));
        async function* counted(): AsyncGenerator<Uint8Array> {
          signal.throwIfAborted();
          const options = { fd: handle, autoClose: false, highWaterMark: CHUNK, signal };
          const chunks: AsyncIterable<Buffer> = createReadStream(path, options);
          for await (const chunk of chunks) {
            octets += chunk.length;
            yield chunk;
          }
        }
        await parse(unpacked(counted(), signal), sink, report);
        const after = await handle.stat();
        if (before.isFile() && (after.size !== before.size || after.mtimeMs !== before.mtimeMs)) {
          throw new PublishError(
            "input",
            `${shown} was written to while it was read`,
            "publish after the export has ended, or let it write another file and rename that one",
          );
        }
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw unreadable(error, shown);
    }
  },
});

/** Unpacks gzip; passes other bytes through. */
async function* unpacked(
  chunks: AsyncGenerator<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { value: first } = await chunks.next();
  if (first === undefined) return;
  let octets = 0;
  async function* all(): AsyncGenerator<Uint8Array> {
    octets += (first as Uint8Array).length;
    yield first as Uint8Array;
    for await (const chunk of chunks) {
      octets += chunk.length;
      yield chunk;
    }
  }
  if (!GZIP.every((octet, i) => first[i] === octet)) {
    yield* all();
    return;
  }
  const gunzip = createGunzip();
  // A fault of either side destroys the other, and reaches the loop below.
  const ended = pipeline(all(), gunzip, { signal }).catch(() => undefined);
  yield* gunzip as AsyncIterable<Uint8Array>;
  await ended;
  // zlib stops at a NUL behind the end, whatever follows.
  if (octets > gunzip.bytesWritten) {
    throw Object.assign(new Error("other data follows its end"), { code: "Z_TRAILING" });
  }
}

/** @returns what to throw for a file that cannot be read to its end */
function unreadable(error: unknown, shown: string): unknown {
  if (!(error instanceof Error && "code" in error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === "string" && code.startsWith("Z_")) {
    return new PublishError(
      "input",
      `${shown} is damaged gzip: ${error.message}`,
      "copy or export the file again",
    );
  }
  if (!("syscall" in error)) return error;
  return new PublishError(
    "input",
    `${shown} cannot be read: ${code ?? error.message}`,
    "check the path of the list and its permissions",
  );
}

/** `kind = "file"`: text with one address per line, or CSV. */
export const file = kind({
  settings: {
    path: textSetting("must be the path of a list"),
    format: v.optional(v.picklist(["text", "csv"], 'must be "text" or "csv"')),
    columns: COLUMNS_SETTING,
    separator: v.optional(textSetting("must be a text")),
    states: STATES_SETTING,
  },
  open({ path, format, columns, separator = null, states }, host) {
    const isCsv = (format ?? (isCsvName(path) || columns !== undefined ? "csv" : "text")) === "csv";
    if (!isCsv && (columns !== undefined || states !== undefined)) {
      throw new PublishError(
        "input",
        `${host.shown}: \`columns\` and \`states\` are for CSV, and ${path} is text`,
        'remove them, or set format = "csv"',
      );
    }
    if (separator !== null && columns === undefined) {
      throw new PublishError("input", `${host.shown} has a separator and no columns`, "set columns, too");
    }
    const named =
      columns === undefined ? null : { address: columns.address, state: columns.state ?? null, separator };
    return fileSource(host.path(path), path, isCsv ? csvReader(named, stateWords(states)) : readText);
  },
});

/** A list in a file: CSV if its name ends in `.csv` or `.csv.gz`, otherwise one address per line. */
export const openFile = ({ path, shown }: { readonly path: string; readonly shown: string }): Source =>
  fileSource(path, shown, isCsvName(path) ? readCsv : readText);

const isCsvName = (path: string): boolean => extname(path.replace(/\.gz$/i, "")).toLowerCase() === ".csv";
